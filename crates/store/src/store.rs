//! The store: what the request path uses.

use crate::commit::{CommitError, Committed, Head, Op, Published, Unpublished, Working, resource_of};
use crate::object::{EncodingCache, Object, Resource};
use crate::snapshot::Snapshot;
use crate::version::Version;
use crate::watch::{Compacted, Cursor, Event, Feed, Interest, Kind};
use meta::Str;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// Bounds of what is remembered.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long history stays: watches can resume and pages continue this far back.
    pub retention_seconds: u64,
    /// Of the objects in one resource's watch log. What exceeds it is forgotten before its time.
    pub log_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { retention_seconds: 300, log_bytes_max: 64 << 20 }
    }
}

/// The objects of a cluster, their order and their recent history. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) core: Arc<Core>,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) head: Mutex<Head>,
    /// By prefix.
    published: RwLock<BTreeMap<Str, Arc<Published>>>,
    revision: Arc<AtomicU64>,
    /// The same number, for waiting.
    revision_watch: watch::Sender<u64>,
    /// When which revision was the newest: (Unix seconds, revision), oldest first, one per second at most.
    times: Mutex<VecDeque<(i64, u64)>>,
    /// Snapshots that pages were served from.
    pinned: Mutex<VecDeque<Snapshot>>,
}

/// The revision is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfRange {
    /// Older than what is kept.
    Compacted { oldest: u64 },
    /// Newer than the newest.
    Future { newest: u64 },
}

/// Snapshots kept for pages in progress.
const PINNED_MAX: usize = 32;

impl Store {
    /// A store without a disk.
    pub fn open_memory(resources: Vec<Resource>) -> Store {
        Store::open_memory_with(resources, Options::default())
    }

    pub fn open_memory_with(resources: Vec<Resource>, options: Options) -> Store {
        let store = Store { core: Arc::new(Core::starting_at(1, options)) };
        resources.into_iter().for_each(|resource| store.register(resource));
        store
    }

    /// Adds a resource, or replaces the one with the same prefix (its fields changed). Objects that were stored under
    /// the prefix appear; running watches of a replaced resource end with `Lost`.
    ///
    /// An object whose bytes cannot be read keeps its name and namespace from its key, and is indexed by nothing.
    pub fn register(&self, resource: Resource) {
        let core = &self.core;
        let mut head = core.lock_head();
        let floor = head.revision;
        let objects: Vec<Arc<Object>> = match head.resources.remove(&resource.prefix) {
            Some(old) => {
                old.published.feed.log.write().unwrap_or_else(PoisonError::into_inner).withdraw();
                old.published.feed.wake();
                let objects = old.version.objects.iter().map(|(_, object)| object);
                objects.map(|object| Arc::new(object.extracted_again(&resource))).collect()
            }
            None => Vec::new(),
        };
        let version = Version::from_sorted(objects, floor);
        let feed = Arc::new(Feed::starting_after(floor));
        let prefix = resource.prefix.clone();
        let published = Arc::new(Published { resource, version: RwLock::new(version.clone()), feed });
        head.resources.insert(prefix.clone(), Working { published: published.clone(), version, events: Vec::new() });
        core.published.write().unwrap_or_else(PoisonError::into_inner).insert(prefix, published);
    }

    /// The newest revision that readers see.
    pub fn revision(&self) -> u64 {
        self.core.revision.load(Ordering::Acquire)
    }

    /// The newest durable state of an object.
    pub fn get(&self, key: &str) -> Option<Arc<Object>> {
        let published = self.core.resource(key)?;
        let version = published.version.read().unwrap_or_else(PoisonError::into_inner);
        version.objects.get(key).cloned()
    }

    /// The objects under a prefix: a resource's, or a longer one (a namespace's part). Empty when nothing is registered there.
    pub fn snapshot(&self, prefix: &str) -> Snapshot {
        // Read first: the version read afterwards holds all of this revision, and no more than its own revision says.
        let revision = self.revision();
        let version = match self.core.resource(prefix) {
            Some(published) => published.version.read().unwrap_or_else(PoisonError::into_inner).clone(),
            None => Version::default(),
        };
        Snapshot { revision: revision.max(version.revision), version, prefix: prefix.into() }
    }

    /// The objects under a prefix exactly as they were at `revision`.
    pub fn snapshot_at(&self, prefix: &str, revision: u64) -> Result<Snapshot, OutOfRange> {
        let current = self.snapshot(prefix);
        if revision > current.revision {
            return Err(OutOfRange::Future { newest: current.revision });
        }
        let Some(published) = self.core.resource(prefix) else { return Ok(Snapshot { revision, ..current }) };
        let log = published.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        if revision < log.floor {
            return Err(OutOfRange::Compacted { oldest: log.floor });
        }
        let nearest = self.core.pinned_near(&published.resource.prefix, revision);
        let mut version = nearest.map_or(current.version, |pinned| pinned.version);
        let from = version.revision;
        let undone = log.newest_until(revision).filter(|event| event.revision <= from);
        undone.for_each(|event| undo(&mut version, event));
        version.revision = revision;
        drop(log);
        let snapshot = Snapshot { version, revision, prefix: prefix.into() };
        self.core.pin(Snapshot { prefix: published.resource.prefix.clone(), ..snapshot.clone() });
        Ok(snapshot)
    }

    /// Does all of `ops` or nothing, under one revision. Returns when it is durable and visible to readers.
    /// Dropping the future does not undo what was begun.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<Committed, CommitError> {
        let mut head = self.core.lock_head();
        let committed = head.apply(ops)?;
        let unpublished = head.take_unpublished();
        self.core.publish(unpublished);
        Ok(committed)
    }

    /// A cursor over what happens under `prefix` after `after_revision`.
    pub fn watch(&self, prefix: &str, after_revision: u64) -> Result<Cursor, Compacted> {
        self.watch_where(prefix, after_revision, Interest::All)
    }

    /// A cursor over a part of what happens under `prefix`.
    pub fn watch_where(&self, prefix: &str, after_revision: u64, interest: Interest) -> Result<Cursor, Compacted> {
        let Some(published) = self.core.resource(prefix) else {
            return Err(Compacted { oldest: self.revision() });
        };
        Cursor::open(&published.feed, &self.core.revision, prefix, interest, after_revision)
    }

    /// Returns when readers see at least `revision`.
    pub async fn wait_for(&self, revision: u64) {
        let mut newest = self.core.revision_watch.subscribe();
        // The sender lives as long as this store.
        let _ = newest.wait_for(|newest| *newest >= revision).await;
    }

    /// The revision that a consistent read must see at least: of everything acknowledged before this call.
    pub async fn read_barrier(&self) -> Result<u64, CommitError> {
        Ok(self.revision())
    }

    /// Forgets history up to `revision`: older watches and pages are answered with `Compacted`. Also done by the clock.
    pub fn compact(&self, revision: u64) {
        let revision = revision.min(self.revision());
        let published = self.core.published.read().unwrap_or_else(PoisonError::into_inner);
        for published in published.values() {
            published.feed.log.write().unwrap_or_else(PoisonError::into_inner).compact(revision);
        }
        self.core.lock_pinned().retain(|snapshot| snapshot.revision >= revision);
    }

    /// Housekeeping as of `now_seconds` (Unix): deletes what has expired and forgets history older than the retention.
    pub async fn tick(&self, now_seconds: i64) -> Result<(), CommitError> {
        if let Some(revision) = self.core.revision_before(now_seconds) {
            self.compact(revision);
        }
        loop {
            let due: Vec<Op> = self.core.lock_head().due(now_seconds);
            if due.is_empty() {
                return Ok(());
            }
            for op in due {
                match self.commit(vec![op]).await {
                    // Changed or deleted meanwhile: no longer due.
                    Ok(_) | Err(CommitError::Conflict { .. }) => {}
                    Err(err) => return Err(err),
                }
            }
        }
    }
}

/// Takes an event's effect back.
fn undo(version: &mut Version, event: &Event) {
    match (&event.previous, event.kind) {
        (Some(previous), _) => drop(version.put(previous.clone())),
        (None, Kind::Put) => drop(version.remove(&event.object.key)),
        (None, Kind::Delete) => {}
    }
}

impl Core {
    pub(crate) fn starting_at(revision: u64, options: Options) -> Core {
        let head = Head {
            revision,
            resources: BTreeMap::new(),
            expiries: BTreeSet::new(),
            failed: None,
            encodings: Arc::new(EncodingCache::default()),
        };
        Core {
            options,
            head: Mutex::new(head),
            published: RwLock::default(),
            revision: Arc::new(AtomicU64::new(revision)),
            revision_watch: watch::Sender::new(revision),
            times: Mutex::default(),
            pinned: Mutex::default(),
        }
    }

    pub(crate) fn lock_head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_pinned(&self) -> MutexGuard<'_, VecDeque<Snapshot>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource of a key or of a prefix that is at least as long as the resource's.
    fn resource(&self, key: &str) -> Option<Arc<Published>> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        resource_of(&published, key).cloned()
    }

    /// Makes a durable batch visible: states, then events, then the revision, then the wake-ups.
    pub(crate) fn publish(&self, batch: Unpublished) {
        let mut feeds = Vec::with_capacity(batch.changed.len());
        for (published, version, events) in batch.changed {
            // One step for readers of the log: a snapshot's state is never ahead of the events that undo it.
            let mut log = published.feed.log.write().unwrap_or_else(PoisonError::into_inner);
            events.into_iter().for_each(|event| log.push(event, self.options.log_bytes_max));
            let old =
                std::mem::replace(&mut *published.version.write().unwrap_or_else(PoisonError::into_inner), version);
            drop(log);
            drop(old);
            feeds.push(published);
        }
        self.revision.store(batch.revision, Ordering::Release);
        self.revision_watch.send_replace(batch.revision);
        feeds.iter().for_each(|published| published.feed.wake());
        self.note_time(now_seconds(), batch.revision);
    }

    fn note_time(&self, now: i64, revision: u64) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        match times.back_mut() {
            Some(last) if last.0 >= now => last.1 = revision,
            _ => times.push_back((now, revision)),
        }
    }

    /// The newest revision that is older than the retention.
    fn revision_before(&self, now: i64) -> Option<u64> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let old = now.saturating_sub_unsigned(self.options.retention_seconds);
        let mut found = None;
        while times.front().is_some_and(|(at, _)| *at < old) {
            found = times.pop_front().map(|(_, revision)| revision);
        }
        found
    }

    /// The oldest pinned snapshot of a resource that is not older than `revision`.
    fn pinned_near(&self, prefix: &str, revision: u64) -> Option<Snapshot> {
        let pinned = self.lock_pinned();
        let usable = pinned.iter().filter(|snapshot| snapshot.prefix == prefix && snapshot.revision >= revision);
        usable.min_by_key(|snapshot| snapshot.revision).cloned()
    }

    fn pin(&self, snapshot: Snapshot) {
        let mut pinned = self.lock_pinned();
        pinned.retain(|other| other.prefix != snapshot.prefix || other.revision != snapshot.revision);
        if pinned.len() >= PINNED_MAX {
            pinned.pop_front();
        }
        pinned.push_back(snapshot);
    }
}

impl Head {
    /// Deletions of what has expired, some at a time.
    fn due(&mut self, now_seconds: i64) -> Vec<Op> {
        let due = self.expiries.iter().take_while(|(at, _)| *at <= now_seconds).take(1000);
        let due = due.filter_map(|(_, key)| self.get(key));
        due.map(|object| Op::Delete {
            key: object.key.to_string(),
            expect: crate::commit::Expect::Revision(object.revision),
        })
        .collect()
    }
}

/// The clock, in Unix seconds.
fn now_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
