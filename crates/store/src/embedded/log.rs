//! The log of transactions: segments of frames, written by one thread.

use super::files::{File, Files};
use super::frame::{self, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FileKind};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a batch was not appended.
#[derive(Debug)]
pub(crate) enum Unappended {
    /// There is no space, and the log ends where it ended before: the next batch may be tried.
    Full(io::Error),
    /// What reached the disk is not known.
    Unknown(io::Error),
}

impl Unappended {
    /// Of a step that makes nothing durable. A sync that finds no space may have lost anything.
    fn of_step(err: io::Error) -> Unappended {
        match err.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Unappended::Full(err),
            _ => Unappended::Unknown(err),
        }
    }
}

/// A log file that is not written any more.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) name: String,
    pub(crate) last_revision: u64,
    pub(crate) bytes: u64,
}

/// What the writer of the log shares with the housekeeping.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Oldest first.
    pub(crate) closed: Mutex<Vec<Closed>>,
    /// A file of zeros for the next segment: overwriting blocks that exist needs no metadata to be written, which about
    /// halves the time of a sync.
    pub(crate) prepared: Mutex<Option<Box<dyn File>>>,
    /// The file in use is filled far enough for the next one to be prepared.
    wanted: AtomicBool,
    /// What the newest checkpoint takes.
    pub(crate) checkpoint_bytes: AtomicU64,
    /// When history up to this revision is forgotten, a new checkpoint is much smaller than that one; 0 when it is not.
    pub(crate) shrinks_after: AtomicU64,
}

/// The name of the prepared file; it is renamed when it becomes a segment.
pub(crate) const PREPARED: &str = "next.tmp";

pub(crate) fn log_name(first_sequence: u64) -> String {
    format!("log-{first_sequence:020}")
}

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) store_id: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) name: String,
    pub(crate) file: Box<dyn File>,
    pub(crate) offset: u64,
    pub(crate) next_sequence: u64,
    pub(crate) last_revision: u64,
}

impl Log {
    /// Begins a log whose first frame will have `sequence`.
    pub(crate) fn create(
        files: Arc<dyn Files>,
        store_id: u64,
        sequence: u64,
        segment_bytes: u64,
        last_revision: u64,
    ) -> io::Result<Log> {
        let segments = Arc::<Segments>::default();
        let (name, file) = match create_segment(&*files, &segments, store_id, sequence) {
            Err(Unappended::Full(err) | Unappended::Unknown(err)) => return Err(err),
            Ok(created) => created,
        };
        let offset = FILE_HEADER_BYTES as u64;
        let next_sequence = sequence;
        Ok(Log { files, segments, store_id, segment_bytes, name, file, offset, next_sequence, last_revision })
    }

    /// Writes a batch and returns when it is durable. `batch` has room for the frame's header ([`frame::begin`]) at its
    /// beginning. After [`Unappended::Unknown`] nothing more may be appended.
    pub(crate) fn append(&mut self, batch: &mut Vec<u8>, last_revision: u64) -> Result<(), Unappended> {
        frame::seal(batch, 0, self.store_id, self.next_sequence);
        let end = self.offset + batch.len() as u64;
        if end > self.segment_bytes && self.offset > FILE_HEADER_BYTES as u64 {
            self.roll()?;
        }
        if let Err(err) = self.file.write_at(batch, self.offset) {
            let unappended = Unappended::of_step(err);
            if matches!(unappended, Unappended::Full(_)) {
                // The part that fitted may be a whole frame but for the zeros at its end.
                self.file.truncate(self.offset).and_then(|()| self.file.sync()).map_err(Unappended::Unknown)?;
            }
            return Err(unappended);
        }
        self.file.sync().map_err(Unappended::Unknown)?;
        self.offset += batch.len() as u64;
        self.next_sequence += 1;
        self.last_revision = last_revision;
        Ok(())
    }

    /// Makes what a start found at the end of the log certain. What follows the last whole frame was never acknowledged.
    /// The last frame may be whole in memory only: when its sync failed, later ones do not write it. So it is written
    /// again.
    pub(crate) fn settle(&mut self, last_frame_bytes: usize) -> io::Result<()> {
        self.file.truncate(self.offset)?;
        let mut last = vec![0; last_frame_bytes];
        let at = self.offset - last.len() as u64;
        self.file.read_at(&mut last, at)?;
        self.file.write_at(&last, at)?;
        self.file.sync()?;
        if last.len() == FRAME_HEADER_BYTES { Ok(()) } else { self.mark_whole() }
    }

    /// Writes an empty frame: what is before it was acknowledged, so that damage there is not taken for a write that a
    /// crash interrupted.
    pub(crate) fn mark_whole(&mut self) -> io::Result<()> {
        let mut mark = Vec::new();
        frame::begin(&mut mark);
        frame::seal(&mut mark, 0, self.store_id, self.next_sequence);
        self.file.write_at(&mark, self.offset)?;
        self.file.sync()?;
        self.offset += mark.len() as u64;
        self.next_sequence += 1;
        Ok(())
    }

    /// True once per segment: when the next one should be prepared.
    pub(crate) fn wants_next(&self) -> bool {
        self.offset > self.segment_bytes / 4 && !self.segments.wanted.swap(true, Ordering::Relaxed)
    }

    /// Goes on in a new segment.
    fn roll(&mut self) -> Result<(), Unappended> {
        let (name, file) = create_segment(&*self.files, &self.segments, self.store_id, self.next_sequence)?;
        let name = std::mem::replace(&mut self.name, name);
        let closed = Closed { name, last_revision: self.last_revision, bytes: self.offset };
        self.segments.closed.lock().unwrap_or_else(PoisonError::into_inner).push(closed);
        self.segments.wanted.store(false, Ordering::Relaxed);
        self.file = file;
        self.offset = FILE_HEADER_BYTES as u64;
        Ok(())
    }
}

/// A segment with a durable header under its durable name.
fn create_segment(
    files: &dyn Files,
    segments: &Segments,
    store_id: u64,
    first: u64,
) -> Result<(String, Box<dyn File>), Unappended> {
    // Held until the file has its new name: the next one is prepared under the old name.
    let mut prepared = segments.prepared.lock().unwrap_or_else(PoisonError::into_inner);
    let (from, file) = match prepared.take() {
        Some(file) => (PREPARED, file),
        None => {
            let file = files.create("segment.tmp").map_err(Unappended::of_step)?;
            // An earlier file of the name, that failed, must not be what is renamed.
            files.sync().map_err(Unappended::Unknown)?;
            ("segment.tmp", file)
        }
    };
    let header = FileHeader { kind: FileKind::Log, store_id, first }.encode();
    file.write_at(&header, 0).map_err(Unappended::of_step)?;
    file.sync().map_err(Unappended::Unknown)?;
    let name = log_name(first);
    files.rename(from, &name).map_err(Unappended::of_step)?;
    files.sync().map_err(Unappended::Unknown)?;
    Ok((name, file))
}

/// Makes a file of zeros for the next segment when there is none. Interrupted when `stop` says so.
pub(crate) fn prepare_segment(log: &LogPlan, stop: &dyn Fn() -> bool) -> io::Result<()> {
    if !log.segments.wanted.load(Ordering::Relaxed)
        || log.segments.prepared.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    {
        return Ok(());
    }
    let file = log.files.create(PREPARED)?;
    // What does not fit whole must not take the last space from the log.
    let written = write_zeros(&*file, log.segment_bytes, stop).and_then(|()| log.files.sync());
    written.inspect_err(|_| drop(log.files.remove(PREPARED)))?;
    *log.segments.prepared.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    Ok(())
}

fn write_zeros(file: &dyn File, bytes: u64, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let step = bytes.min(1 << 20);
    let zeros = vec![0; usize::try_from(step).unwrap_or(0)];
    let mut offset = 0;
    while offset < bytes && !stop() {
        file.write_at(&zeros, offset)?;
        // In small portions: a large one would hold up the log's own syncs.
        file.sync()?;
        offset += step;
    }
    Ok(())
}

/// What the housekeeping knows of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogPlan {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) store_id: u64,
    pub(crate) segment_bytes: u64,
}

impl Log {
    pub(crate) fn plan(&self) -> LogPlan {
        LogPlan {
            files: self.files.clone(),
            segments: self.segments.clone(),
            store_id: self.store_id,
            segment_bytes: self.segment_bytes,
        }
    }
}
