//! Objects' bytes side by side in memory.
//!
//! Allocators round up to a few sizes: of 5.2 KB a quarter is lost. So housekeeping moves the bytes of living objects, in
//! key order, into chunks without gaps. An object's place may change at any time; its bytes do not. Chunks where too much
//! has died are given up by moving the rest.

use crate::object::Object;
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The size of a chunk.
const CHUNK_BYTES: usize = 256 << 10;
/// Larger objects stay where they are: a chunk would have a gap at its end.
const PACKED_BYTES_MAX: usize = CHUNK_BYTES / 8;

/// An object's bytes, wherever they are.
#[derive(Debug)]
pub(crate) struct Kept(Mutex<Place>);

#[derive(Clone, Debug)]
enum Place {
    /// An allocation of their own.
    Own(Bytes),
    Packed(Slice),
}

/// A part of a chunk.
#[derive(Debug)]
struct Slice {
    chunk: Arc<Chunk>,
    start: u32,
    end: u32,
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    /// Of which objects are made.
    live: AtomicUsize,
}

impl Chunk {
    fn is_sparse(&self) -> bool {
        self.live.load(Ordering::Relaxed) < self.bytes.len() / 4 * 3
    }
}

impl Slice {
    fn of(chunk: &Arc<Chunk>, start: u32, end: u32) -> Slice {
        chunk.live.fetch_add((end - start) as usize, Ordering::Relaxed);
        Slice { chunk: chunk.clone(), start, end }
    }
}

impl Clone for Slice {
    fn clone(&self) -> Slice {
        Slice::of(&self.chunk, self.start, self.end)
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        self.chunk.live.fetch_sub((self.end - self.start) as usize, Ordering::Relaxed);
    }
}

impl Kept {
    pub(crate) fn of(bytes: Bytes) -> Kept {
        Kept(Mutex::new(Place::Own(bytes)))
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bytes(&self) -> Bytes {
        match &*self.lock() {
            Place::Own(bytes) => bytes.clone(),
            Place::Packed(Slice { chunk, start, end }) => chunk.bytes.slice(*start as usize..*end as usize),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &*self.lock() {
            Place::Own(bytes) => bytes.len(),
            Place::Packed(slice) => (slice.end - slice.start) as usize,
        }
    }

    /// The bytes, when they should be moved.
    fn misplaced(&self) -> Option<Bytes> {
        let is_misplaced = match &*self.lock() {
            Place::Own(bytes) => bytes.len() <= PACKED_BYTES_MAX && !bytes.is_empty(),
            Place::Packed(slice) => slice.chunk.is_sparse(),
        };
        is_misplaced.then(|| self.bytes())
    }
}

impl Clone for Kept {
    fn clone(&self) -> Kept {
        Kept(Mutex::new(self.lock().clone()))
    }
}

/// Fills chunks.
#[derive(Default)]
struct Packer {
    buffer: Vec<u8>,
    /// Whose bytes are in it, and where they begin.
    moving: Vec<(Arc<Object>, usize)>,
}

impl Packer {
    fn take(&mut self, object: &Arc<Object>) {
        let Some(bytes) = object.kept.misplaced() else { return };
        if self.buffer.len() + bytes.len() > CHUNK_BYTES {
            self.close();
        }
        self.buffer.reserve_exact(CHUNK_BYTES - self.buffer.len());
        self.moving.push((object.clone(), self.buffer.len()));
        self.buffer.extend_from_slice(&bytes);
    }

    /// Gives the objects their new places.
    fn close(&mut self) {
        let bytes = Bytes::from(std::mem::take(&mut self.buffer).into_boxed_slice());
        let mut end = bytes.len();
        let chunk = Arc::new(Chunk { bytes, live: AtomicUsize::new(0) });
        for (object, start) in self.moving.drain(..).rev() {
            // Chunks are far smaller than 4 GiB.
            if let (Ok(from), Ok(to)) = (u32::try_from(start), u32::try_from(end)) {
                let old = std::mem::replace(&mut *object.kept.lock(), Place::Packed(Slice::of(&chunk, from, to)));
                drop(old);
            }
            end = start;
        }
    }
}

/// Moves what should be moved. Only one thread may do so at a time.
pub(crate) fn pack<'a>(objects: impl Iterator<Item = &'a Arc<Object>>, stop: &dyn Fn() -> bool) {
    let mut packer = Packer::default();
    for object in objects {
        packer.take(object);
        if packer.buffer.is_empty() && stop() {
            return;
        }
    }
    // The rest of a chunk waits for more: it is tried again with the next changes.
    if packer.buffer.len() > CHUNK_BYTES / 2 {
        packer.close();
    }
}

/// When it is time to pack a resource.
#[derive(Debug)]
pub(crate) struct Unpacked(AtomicU64);

impl Unpacked {
    /// `bytes` have places of their own.
    pub(crate) fn starting_with(bytes: u64) -> Unpacked {
        Unpacked(AtomicU64::new(bytes))
    }

    /// Bytes came or went.
    pub(crate) fn note(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether so much has changed in a resource of `stored` bytes that a look at all of it pays. Then counting begins
    /// anew.
    pub(crate) fn take_due(&self, stored: u64) -> bool {
        let is_due = self.0.load(Ordering::Relaxed) >= (stored / 4).max(2 * CHUNK_BYTES as u64);
        if is_due {
            self.0.store(0, Ordering::Relaxed);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{EncodingSlot, Meta};

    fn object(n: usize, len: usize) -> Arc<Object> {
        Arc::new(Object {
            key: n.to_string().into(),
            revision: 1,
            create_revision: 1,
            kept: Kept::of(Bytes::from(vec![(n % 251) as u8; len])),
            meta: Meta::default(),
            fingerprint: 0,
            mark: 0,
            encodings: EncodingSlot::new(&Arc::default()),
        })
    }

    fn chunk_of(object: &Object) -> Option<*const Chunk> {
        match &*object.kept.lock() {
            Place::Own(_) => None,
            Place::Packed(slice) => Some(Arc::as_ptr(&slice.chunk)),
        }
    }

    fn check(objects: &[Arc<Object>]) {
        for object in objects {
            let n: usize = object.key.parse().unwrap();
            let bytes = object.bytes();
            assert_eq!(bytes.len(), object.bytes_len());
            assert!(bytes.iter().all(|byte| *byte == (n % 251) as u8), "{n} has its own bytes");
        }
    }

    #[test]
    fn bytes_are_moved_together_and_stay_the_same() {
        let objects: Vec<_> = (0..1000).map(|n| object(n, 1 + n * 37 % 6000)).collect();
        let (huge, empty) = (object(7, PACKED_BYTES_MAX + 1), object(8, 0));
        let before = objects[0].bytes();
        pack(objects.iter().chain([&huge, &empty]), &|| false);
        check(&objects);
        assert_eq!(before, objects[0].bytes(), "who has them keeps them");
        assert!(chunk_of(&huge).is_none() && chunk_of(&empty).is_none());
        let mut chunks: Vec<_> = objects.iter().filter_map(|object| chunk_of(object)).collect();
        assert!(chunks.len() > 900, "{} are packed", chunks.len());
        chunks.dedup();
        let stored: usize = objects.iter().map(|object| object.bytes_len()).sum();
        assert!(chunks.len() <= stored / (CHUNK_BYTES - 6000) + 1, "{} chunks, in the objects' order", chunks.len());
        let places: Vec<_> = objects.iter().map(|object| chunk_of(object)).collect();
        pack(objects.iter(), &|| false);
        let packed = places.iter().zip(&objects).filter(|(place, _)| place.is_some());
        assert!(packed.clone().all(|(place, object)| *place == chunk_of(object)), "nothing is moved twice");
    }

    #[test]
    fn sparse_chunks_are_given_up() {
        let mut objects: Vec<_> = (0..2000).map(|n| object(n, 1000)).collect();
        pack(objects.iter(), &|| false);
        let old = chunk_of(&objects[0]);
        let weak = match &*objects[0].kept.lock() {
            Place::Packed(slice) => Arc::downgrade(&slice.chunk),
            Place::Own(_) => panic!("not packed"),
        };
        // A copy counts too, as long as it is there.
        let copy = objects[3].deleted_at(9);
        objects.retain(|object| object.key.parse::<usize>().unwrap() % 2 == 0);
        pack(objects.iter(), &|| false);
        check(&objects);
        assert!(objects.iter().all(|object| chunk_of(object) != old));
        assert!(weak.upgrade().is_some() && copy.bytes() == vec![3; 1000]);
        drop(copy);
        assert!(weak.upgrade().is_none(), "the memory is free");
    }

    #[test]
    fn a_look_pays_after_some_changes() {
        let unpacked = Unpacked::starting_with(40 << 20);
        assert!(unpacked.take_due(40 << 20) && !unpacked.take_due(40 << 20));
        unpacked.note(9 << 20);
        assert!(!unpacked.take_due(40 << 20));
        unpacked.note(1 << 20);
        assert!(unpacked.take_due(40 << 20));
        unpacked.note(1000);
        assert!(!unpacked.take_due(0), "small resources are left alone");
    }
}
