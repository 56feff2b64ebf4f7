//! What this server is writing: when the watch brings it back, its metadata is known and who wrote it gets the object.

use crate::commit::Op;
use crate::object::{Meta, Object};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct OwnWrites {
    by_key: Mutex<HashMap<String, Vec<Arc<OwnWrite>>>>,
}

/// One op on its way.
#[derive(Debug)]
pub(super) struct OwnWrite {
    /// `None`: a deletion.
    put: Option<OwnPut>,
    /// What the watch has brought for the key meanwhile, and may be this write.
    seen: Mutex<Vec<Arc<Object>>>,
}

#[derive(Clone, Debug)]
pub(super) struct OwnPut {
    pub(super) bytes: Bytes,
    pub(super) meta: Meta,
}

/// A transaction's ops, noted as long as this lives.
#[derive(Debug)]
pub(super) struct Noted<'a> {
    notes: &'a OwnWrites,
    writes: Vec<(String, Arc<OwnWrite>)>,
}

impl OwnWrites {
    pub(super) fn note(&self, ops: &[Op]) -> Noted<'_> {
        let mut writes = Vec::with_capacity(ops.len());
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        for op in ops {
            let put = match op {
                // Copied to their exact size: the caller's buffer may be larger, or part of a request.
                Op::Put { bytes, meta, .. } => {
                    Some(OwnPut { bytes: Bytes::copy_from_slice(bytes), meta: meta.clone() })
                }
                Op::Delete { .. } => None,
            };
            let write = Arc::new(OwnWrite { put, seen: Mutex::default() });
            by_key.entry(op.key().to_owned()).or_default().push(write.clone());
            writes.push((op.key().to_owned(), write));
        }
        Noted { notes: self, writes }
    }

    /// A write with these bytes, if one is on its way: whoever's it is, the same bytes have the same metadata.
    pub(super) fn put_with(&self, key: &str, bytes: &[u8]) -> Option<OwnPut> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let mut puts = by_key.get(key)?.iter().filter_map(|write| write.put.as_ref());
        puts.find(|put| put.bytes == bytes).cloned()
    }

    /// Tells what has been written under a key, or deleted.
    pub(super) fn tell(&self, object: &Arc<Object>, deleted: bool) {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        for write in by_key.get(&*object.key).into_iter().flatten().filter(|write| write.put.is_none() == deleted) {
            write.seen.lock().unwrap_or_else(PoisonError::into_inner).push(object.clone());
        }
    }
}

impl Noted<'_> {
    /// The objects that the transaction at `revision` made or deleted, in the order of its ops. Those that the watch
    /// has not brought (it was lost for long) are missing.
    pub(super) fn objects_at(&self, revision: u64) -> Vec<Arc<Object>> {
        let of = |write: &OwnWrite| {
            let seen = write.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.iter().find(|object| object.revision == revision).cloned()
        };
        self.writes.iter().filter_map(|(_, write)| of(write)).collect()
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let mut by_key = self.notes.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, write) in &self.writes {
            let Some(others) = by_key.get_mut(key) else { continue };
            others.retain(|other| !Arc::ptr_eq(other, write));
            if others.is_empty() {
                by_key.remove(key);
            }
        }
    }
}
