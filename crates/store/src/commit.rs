//! Writing: transactions are checked and ordered under one lock, made durable in batches, and only then published.

use crate::at_rest::Sealed;
use crate::embedded::{begin_batch, write_delete, write_put, write_transaction};
use crate::object::{EncodingCache, EncodingSlot, Meta, Object, Resource};
use crate::packing::{Kept, Unpacked};
use crate::version::Version;
use crate::watch::{Event, Kind};
use crate::watch_log::{Feed, WatchLog};
use bytes::Bytes;
use meta::Str;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, RwLock};
use tokio::sync::oneshot;

/// The bytes of all objects of one transaction, at most. Requests are bounded far below this.
pub const TRANSACTION_BYTES_MAX: usize = 16 << 20;

/// What must be true of a key for a transaction to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Absent,
    /// Present, last written at this revision.
    Revision(u64),
    Any,
}

/// One step of a transaction. The keys of one transaction are distinct.
#[derive(Clone, Debug)]
pub enum Op {
    Put {
        key: String,
        bytes: Bytes,
        meta: Meta,
        expect: Expect,
    },
    /// Deleting what is absent is a conflict, also with `Expect::Any`.
    Delete {
        key: String,
        expect: Expect,
    },
}

impl Op {
    pub(crate) fn key(&self) -> &str {
        match self {
            Op::Put { key, .. } | Op::Delete { key, .. } => key,
        }
    }

    pub(crate) fn holds(&self, current: Option<&Arc<Object>>) -> bool {
        match (self, current) {
            (Op::Put { expect: Expect::Absent, .. }, current) => current.is_none(),
            (Op::Put { expect: Expect::Any, .. }, _) | (Op::Delete { expect: Expect::Any, .. }, Some(_)) => true,
            (Op::Put { expect: Expect::Revision(revision), .. }, Some(object))
            | (Op::Delete { expect: Expect::Revision(revision), .. }, Some(object)) => object.revision == *revision,
            (Op::Put { .. } | Op::Delete { .. }, _) => false,
        }
    }
}

/// A durable transaction.
#[derive(Clone, Debug)]
pub struct Committed {
    pub revision: u64,
    /// One per op, in their order; for a deletion the last state, carrying the revision of the deletion.
    pub objects: Vec<Arc<Object>>,
}

/// Nothing of the transaction happened, or (`Unavailable`, `TimedOut`) it is not known whether it did.
#[derive(Clone, Debug)]
pub enum CommitError {
    /// The first op whose expectation does not hold, and what is there.
    Conflict {
        key: Arc<str>,
        current: Option<Arc<Object>>,
    },
    TooLarge,
    /// Two ops have one key.
    Duplicate {
        key: Arc<str>,
    },
    /// No resource is registered for the key.
    Unregistered {
        key: Arc<str>,
    },
    /// The store acknowledges nothing, and why: a failed write or sync, a lost backend; or only not this, since the disk is full.
    Unavailable(Arc<str>),
    /// The backend did not answer in time.
    TimedOut,
}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CommitError::Conflict { key, current: Some(object) } => {
                write!(f, "{key} is at revision {}", object.revision)
            }
            CommitError::Conflict { key, current: None } => write!(f, "{key} does not exist"),
            CommitError::TooLarge => write!(f, "the transaction is larger than {TRANSACTION_BYTES_MAX} bytes"),
            CommitError::Duplicate { key } => write!(f, "the transaction names {key} twice"),
            CommitError::Unregistered { key } => write!(f, "no resource is registered for {key}"),
            CommitError::Unavailable(why) => write!(f, "the store is unavailable: {why}"),
            CommitError::TimedOut => write!(f, "context deadline exceeded"),
        }
    }
}

impl std::error::Error for CommitError {}

/// What readers and watchers of one resource see.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) resource: Resource,
    pub(crate) fingerprint: u32,
    pub(crate) version: RwLock<Version>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) unpacked: Unpacked,
}

/// The writers' state of one resource: what is published plus what is not durable yet.
#[derive(Debug)]
pub(crate) struct Working {
    pub(crate) published: Arc<Published>,
    pub(crate) version: Version,
    /// Not published yet.
    pub(crate) events: Vec<Event>,
}

/// Told whether a batch became durable.
pub(crate) type Waiter = oneshot::Sender<Result<(), Arc<str>>>;

/// The newest state. Everything that changes the order of things happens under its lock.
#[derive(Debug)]
pub(crate) struct Head {
    /// Of the last transaction.
    pub(crate) revision: u64,
    /// By prefix.
    pub(crate) resources: BTreeMap<Str, Working>,
    /// Objects of no registered resource: of custom resources whose definition was not read yet.
    pub(crate) unclaimed: BTreeMap<Arc<str>, Arc<Object>>,
    /// What happened to them before the restart.
    pub(crate) unclaimed_log: WatchLog,
    /// What expires when.
    pub(crate) expiries: BTreeSet<(i64, Arc<str>)>,
    /// Whether transactions are written to a log before they are published.
    pub(crate) durable: bool,
    /// The transactions that the log does not have yet, as one frame; empty when there are none.
    pub(crate) batch: Vec<u8>,
    /// Who waits for them.
    pub(crate) waiters: Vec<Waiter>,
    /// Set once: nothing is acknowledged any more.
    pub(crate) failed: Option<Arc<str>>,
    pub(crate) encodings: Arc<EncodingCache>,
}

/// What is registered for a key, or for a prefix that is at least as long as the registered one. Prefixes do not nest,
/// so the greatest that is not after the key is the only candidate.
pub(crate) fn resource_of<'a, T>(resources: &'a BTreeMap<Str, T>, key: &str) -> Option<&'a T> {
    let until = (Bound::Unbounded, Bound::Included(key));
    let (prefix, found) = resources.range::<str, _>(until).next_back()?;
    key.starts_with(prefix.as_str()).then_some(found)
}

impl Head {
    pub(crate) fn resource_mut(&mut self, key: &str) -> Option<&mut Working> {
        let until = (Bound::Unbounded, Bound::Included(key));
        let (prefix, working) = self.resources.range_mut::<str, _>(until).next_back()?;
        key.starts_with(prefix.as_str()).then_some(working)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Arc<Object>> {
        resource_of(&self.resources, key)?.version.objects.get(key)
    }

    /// Checks a transaction and applies it to the newest state. What it returns is not durable and not visible yet.
    /// `sealed`: what is kept in place of the ops' bytes, in their order; may end early.
    pub(crate) fn apply(
        &mut self,
        ops: Vec<Op>,
        sealed: Vec<Option<Sealed>>,
        now_seconds: i64,
    ) -> Result<Committed, CommitError> {
        if let Some(why) = &self.failed {
            return Err(CommitError::Unavailable(why.clone()));
        }
        self.check(&ops)?;
        self.revision += 1;
        let revision = self.revision;
        if self.durable {
            if self.batch.is_empty() {
                begin_batch(&mut self.batch);
            }
            write_transaction(&mut self.batch, revision, now_seconds, ops.len());
        }
        let sealed = sealed.into_iter().chain(std::iter::repeat(None));
        let objects = ops.into_iter().zip(sealed).filter_map(|(op, sealed)| self.apply_op(op, sealed, revision));
        let objects = objects.collect();
        Ok(Committed { revision, objects })
    }

    fn check(&self, ops: &[Op]) -> Result<(), CommitError> {
        for op in ops {
            let current = self.get(op.key());
            if !op.holds(current) {
                return Err(CommitError::Conflict { key: op.key().into(), current: current.cloned() });
            }
        }
        self.check_form(ops)
    }

    /// What can be said of a transaction without looking at objects.
    pub(crate) fn check_form(&self, ops: &[Op]) -> Result<(), CommitError> {
        let mut bytes_sum = 0usize;
        for op in ops {
            if let Op::Put { key, bytes, .. } = op {
                bytes_sum = bytes_sum.saturating_add(bytes.len()).saturating_add(key.len());
                if resource_of(&self.resources, key).is_none() {
                    return Err(CommitError::Unregistered { key: key.as_str().into() });
                }
            }
        }
        let mut keys: Vec<&str> = ops.iter().map(Op::key).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CommitError::Duplicate { key: pair[0].into() });
        }
        if bytes_sum > TRANSACTION_BYTES_MAX { Err(CommitError::TooLarge) } else { Ok(()) }
    }

    fn apply_op(&mut self, op: Op, sealed: Option<Sealed>, revision: u64) -> Option<Arc<Object>> {
        match op {
            Op::Put { key, bytes, meta, .. } => {
                let current = self.get(&key);
                let create_revision = current.map_or(revision, |object| object.create_revision);
                let key = current.map_or_else(|| key.into(), |object| object.key.clone());
                // Copied to their exact size: the caller's buffer may be larger, or part of a request.
                let kept = Kept::of(Bytes::copy_from_slice(&bytes));
                let encodings = EncodingSlot::new(&self.encodings);
                let fingerprint = resource_of(&self.resources, &key).map_or(0, |working| working.published.fingerprint);
                let mark = sealed.as_ref().map_or(0, |sealed| sealed.mark);
                let object = Object { key, revision, create_revision, kept, meta, fingerprint, mark, encodings };
                let object = Arc::new(object);
                if self.durable {
                    write_put(&mut self.batch, &object, sealed.as_ref());
                }
                self.put(object.clone());
                Some(object)
            }
            Op::Delete { key, .. } => {
                if self.durable {
                    write_delete(&mut self.batch, &key);
                }
                self.delete(&key, revision)
            }
        }
    }

    /// Sets an object, with everything that follows from it.
    pub(crate) fn put(&mut self, object: Arc<Object>) {
        self.note_expiry(&object);
        let Some(working) = self.resource_mut(&object.key) else { return };
        let previous = working.version.put(object.clone());
        working.version.revision = object.revision;
        working.events.push(Event {
            kind: Kind::Put,
            object: object.clone(),
            previous: previous.clone(),
            revision: object.revision,
        });
        self.forget_expiry(
            previous.as_deref().filter(|old| old.meta.expires_at_seconds != object.meta.expires_at_seconds),
        );
    }

    /// Removes an object, with everything that follows from it.
    pub(crate) fn delete(&mut self, key: &str, revision: u64) -> Option<Arc<Object>> {
        let working = self.resource_mut(key)?;
        let last = working.version.remove(key)?;
        working.version.revision = revision;
        let object = Arc::new(last.deleted_at(revision));
        working.events.push(Event {
            kind: Kind::Delete,
            object: object.clone(),
            previous: Some(last.clone()),
            revision,
        });
        self.forget_expiry(Some(&last));
        Some(object)
    }

    pub(crate) fn note_expiry(&mut self, object: &Object) {
        if let Some(at) = object.meta.expires_at_seconds {
            self.expiries.insert((at, object.key.clone()));
        }
    }

    fn forget_expiry(&mut self, old: Option<&Object>) {
        let Some(old) = old else { return };
        if let Some(at) = old.meta.expires_at_seconds {
            self.expiries.remove(&(at, old.key.clone()));
        }
    }

    /// Deletions of what has expired, some at a time.
    pub(crate) fn due(&self, now_seconds: i64) -> Vec<Op> {
        let due = self.expiries.iter().take_while(|(at, _)| *at <= now_seconds).take(1000);
        let due = due.filter_map(|(_, key)| self.get(key));
        let delete = |o: &Arc<Object>| Op::Delete { key: o.key.to_string(), expect: Expect::Revision(o.revision) };
        due.map(delete).collect()
    }

    /// Goes back to what is published, as of `revision`. `batch` was taken, and is not published.
    pub(crate) fn take_back(&mut self, batch: Unpublished, revision: u64) {
        let later = self.take_unpublished();
        for (published, _, events) in later.changed.into_iter().chain(batch.changed) {
            for event in events.into_iter().rev() {
                self.forget_expiry(Some(&event.object).filter(|_| event.kind == Kind::Put).map(|object| &**object));
                if let Some(previous) = &event.previous {
                    self.note_expiry(previous);
                }
            }
            if let Some(working) = self.resources.get_mut(&published.resource.prefix) {
                working.version = published.newest();
            }
        }
        self.batch.clear();
        self.revision = revision;
    }

    /// What became new since the last call, to be published when it is durable.
    pub(crate) fn take_unpublished(&mut self) -> Unpublished {
        let changed = self.resources.values_mut().filter(|working| !working.events.is_empty());
        let changed = changed
            .map(|working| (working.published.clone(), working.version.clone(), std::mem::take(&mut working.events)));
        Unpublished { revision: self.revision, changed: changed.collect() }
    }
}

/// A batch's effect on what readers see.
#[derive(Debug)]
pub(crate) struct Unpublished {
    pub(crate) revision: u64,
    pub(crate) changed: Vec<(Arc<Published>, Version, Vec<Event>)>,
}
