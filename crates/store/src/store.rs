//! The store: what the request path uses.

use crate::commit::{CommitError, Committed, Head, Op, Published, Unpublished, Working, resource_of};
use crate::object::{EncodingCache, Object, Resource};
use crate::snapshot::Snapshot;
use crate::upkeep;
use crate::version::Version;
use crate::watch::{Compacted, Cursor, Event, Interest, Kind};
use crate::watch_log::{Feed, WatchLog};
use meta::Str;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

/// Bounds of what is remembered.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long history stays: watches can resume and pages continue this far back.
    pub retention_seconds: u64,
    /// Of the objects in one resource's watch log. What exceeds it is forgotten before its time.
    pub log_bytes_max: usize,
    /// The size of a log file.
    pub segment_bytes: u64,
    /// The log on disk, at most; or four times what is stored, if that is more. What exceeds it is forgotten before its time.
    pub disk_log_bytes_max: u64,
    /// Whether the store keeps house by the clock, in a thread of its own. Without it the caller calls [`Store::tick`],
    /// and the log on disk only grows.
    pub upkeep: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            retention_seconds: 300,
            log_bytes_max: 64 << 20,
            segment_bytes: 32 << 20,
            disk_log_bytes_max: 1 << 30,
            upkeep: true,
        }
    }
}

/// The objects of a cluster, their order and their recent history. Cheap to clone. When the last clone is dropped, what
/// was begun is finished and the directory is free again.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) core: Arc<Core>,
    pub(crate) _threads: Arc<Threads>,
}

/// The store's own threads; they end with it.
#[derive(Debug)]
pub(crate) struct Threads {
    core: Arc<Core>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(crate) fn new(core: Arc<Core>, running: Vec<JoinHandle<()>>) -> Threads {
        Threads { core, running }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.core.close();
        for thread in self.running.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) head: Mutex<Head>,
    /// There is something to write, or the store is closing.
    pub(crate) work: Condvar,
    /// A batch was published, or the store has failed.
    pub(crate) drained: Condvar,
    /// Wakes the housekeeping before its time.
    pub(crate) chores: Condvar,
    closing: AtomicBool,
    /// By prefix.
    published: RwLock<BTreeMap<Str, Arc<Published>>>,
    revision: Arc<AtomicU64>,
    /// For waiting.
    progress: watch::Sender<Progress>,
    /// When which revision was the newest: (Unix seconds, revision), oldest first, one per second at most.
    times: Mutex<VecDeque<(i64, u64)>>,
    /// History up to here is forgotten.
    compacted: AtomicU64,
    /// Snapshots that pages were served from.
    pinned: Mutex<VecDeque<Snapshot>>,
}

/// How far the store is.
#[derive(Clone, Debug)]
struct Progress {
    revision: u64,
    failed: Option<Arc<str>>,
}

/// What a transaction still waits for.
pub(crate) enum Pending {
    Nothing,
    Durable(oneshot::Receiver<Result<(), Arc<str>>>),
    /// A conflict with something that is not durable: nobody may hear of it yet.
    Revision(u64),
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
        let core = Arc::new(Core::starting_at(1, false, Arc::default(), options));
        let mut running = Vec::new();
        if core.options.upkeep {
            let core = core.clone();
            let thread = std::thread::Builder::new().name("store-upkeep".into());
            // Without the thread, expiry and compaction are left to `tick`.
            running.extend(thread.spawn(move || upkeep::run(&core, None)));
        }
        let store = Store { core: core.clone(), _threads: Arc::new(Threads::new(core, running)) };
        resources.into_iter().for_each(|resource| store.register(resource));
        store
    }

    /// Adds a resource. Objects that were stored under the prefix appear. Replaces the one with the same prefix when its
    /// fields are others, and ends its watches with `Lost`; otherwise that one stays. Waits for writes in progress.
    ///
    /// An object whose bytes cannot be read keeps its name and namespace from its key, and is indexed by nothing.
    pub fn register(&self, resource: Resource) {
        let known = self.core.resource(&resource.prefix);
        if known.is_some_and(|known| known.resource.field_names == resource.field_names) {
            return;
        }
        let mut head = self.core.lock_drained();
        self.core.withdraw(&mut head, &resource.prefix);
        let keys = head.unclaimed.range::<str, _>((Bound::Included(resource.prefix.as_str()), Bound::Unbounded));
        let keys = keys.map(|(key, _)| key).take_while(|key| key.starts_with(resource.prefix.as_str()));
        let keys: Vec<Arc<str>> = keys.cloned().collect();
        let own = keys.iter().filter_map(|key| head.unclaimed.remove(key));
        let objects: Vec<Arc<Object>> = own.map(|object| object.claimed_by(&resource)).collect();
        objects.iter().for_each(|object| head.note_expiry(object));
        let version = Version::from_sorted(objects, head.revision);
        let feed = Feed::of(head.unclaimed_log.claimed_by(&resource));
        self.core.install(&mut head, resource, version, feed);
    }

    /// Takes a resource away. Its objects stay stored, unseen until it is registered again; its watches end with `Lost`.
    pub fn unregister(&self, prefix: &str) {
        let mut head = self.core.lock_drained();
        self.core.withdraw(&mut head, prefix);
    }

    /// Why nothing is acknowledged any more; `None` while all is well.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.core.progress.borrow().failed.clone()
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
        let nearest = self.core.pinned_near(&published.resource.prefix, revision);
        let version = published.version_at(nearest.unwrap_or(current).version, revision)?;
        let snapshot = Snapshot { version, revision, prefix: prefix.into() };
        self.core.pin(Snapshot { prefix: published.resource.prefix.clone(), ..snapshot.clone() });
        Ok(snapshot)
    }

    /// Does all of `ops` or nothing, under one revision. Returns when it is durable and visible to readers.
    /// Dropping the future does not undo what was begun.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<Committed, CommitError> {
        let (outcome, pending) = self.core.submit(ops);
        match pending {
            Pending::Nothing => {}
            Pending::Durable(told) => match told.await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(CommitError::Unavailable(why)),
                Err(_) => return Err(CommitError::Unavailable("the store is closed".into())),
            },
            Pending::Revision(revision) => self.wait_for(revision).await?,
        }
        outcome
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
        Cursor::open(&published.feed, &self.core.revision, &published.resource.prefix, prefix, interest, after_revision)
    }

    /// Returns when readers see at least `revision`, or with an error when that will not happen any more.
    pub async fn wait_for(&self, revision: u64) -> Result<(), CommitError> {
        let mut progress = self.core.progress.subscribe();
        let reached = |progress: &Progress| progress.revision >= revision || progress.failed.is_some();
        // The sender lives as long as this store, so the wait itself cannot fail.
        match progress.wait_for(reached).await.map(|progress| progress.clone()) {
            Ok(Progress { revision: newest, failed: Some(why) }) if newest < revision => {
                Err(CommitError::Unavailable(why))
            }
            _ => Ok(()),
        }
    }

    /// The revision that a consistent read must see at least: of everything acknowledged before this call.
    pub async fn read_barrier(&self) -> Result<u64, CommitError> {
        Ok(self.revision())
    }

    /// Forgets history up to `revision`: older watches and pages are answered with `Compacted`. Also done by the clock.
    pub fn compact(&self, revision: u64) {
        self.core.compact(revision);
    }

    /// Housekeeping as of `now_seconds` (Unix): deletes what has expired and forgets history older than the retention.
    pub async fn tick(&self, now_seconds: i64) -> Result<(), CommitError> {
        self.core.compact_by_age(now_seconds);
        loop {
            let due = self.core.lock_head().due(now_seconds);
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

impl Published {
    pub(crate) fn newest(&self) -> Version {
        self.version.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state at `revision`: a later one with the log's events taken back.
    pub(crate) fn version_at(&self, mut later: Version, revision: u64) -> Result<Version, OutOfRange> {
        let log = self.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        if revision < log.floor {
            return Err(OutOfRange::Compacted { oldest: log.floor });
        }
        let from = later.revision;
        let undone: Vec<Event> = log.newest_until(revision).filter(|event| event.revision <= from).cloned().collect();
        drop(log);
        for event in undone {
            match (&event.previous, event.kind) {
                (Some(previous), _) => drop(later.put(previous.clone())),
                (None, Kind::Put) => drop(later.remove(&event.object.key)),
                (None, Kind::Delete) => {}
            }
        }
        later.revision = revision;
        Ok(later)
    }

    /// The oldest state that can be made, not older than `revision`, and its revision.
    pub(crate) fn version_from(&self, revision: u64) -> (Version, u64) {
        loop {
            let newest = self.newest();
            let floor = self.feed.log.read().unwrap_or_else(PoisonError::into_inner).floor;
            // The floor may rise between the two looks; then again.
            if let Ok(version) = self.version_at(newest, revision.max(floor)) {
                return (version, revision.max(floor));
            }
        }
    }
}

impl Core {
    pub(crate) fn starting_at(revision: u64, durable: bool, encodings: Arc<EncodingCache>, options: Options) -> Core {
        let head = Head {
            revision,
            resources: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
            unclaimed_log: WatchLog::starting_after(revision),
            expiries: BTreeSet::new(),
            durable,
            batch: Vec::new(),
            waiters: Vec::new(),
            failed: None,
            encodings,
        };
        Core {
            options,
            head: Mutex::new(head),
            work: Condvar::new(),
            drained: Condvar::new(),
            chores: Condvar::new(),
            closing: AtomicBool::new(false),
            published: RwLock::default(),
            revision: Arc::new(AtomicU64::new(revision)),
            progress: watch::Sender::new(Progress { revision, failed: None }),
            times: Mutex::default(),
            compacted: AtomicU64::new(0),
            pinned: Mutex::default(),
        }
    }

    pub(crate) fn lock_head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head when everything in it is published, or never will be.
    fn lock_drained(&self) -> MutexGuard<'_, Head> {
        let mut head = self.lock_head();
        while head.failed.is_none() && head.revision != self.revision.load(Ordering::Acquire) {
            head = self.drained.wait(head).unwrap_or_else(PoisonError::into_inner);
        }
        head
    }

    fn lock_pinned(&self) -> MutexGuard<'_, VecDeque<Snapshot>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks and orders a transaction. With a log, its outcome may be told when what it waits for has happened.
    pub(crate) fn submit(&self, ops: Vec<Op>) -> (Result<Committed, CommitError>, Pending) {
        let mut head = self.lock_head();
        let outcome = head.apply(ops, now_seconds());
        let pending = match &outcome {
            Ok(_) if head.durable => {
                let (tell, told) = oneshot::channel();
                head.waiters.push(tell);
                self.work.notify_one();
                Pending::Durable(told)
            }
            Ok(_) => {
                let unpublished = head.take_unpublished();
                self.publish(unpublished);
                Pending::Nothing
            }
            Err(CommitError::Conflict { .. }) if head.durable => Pending::Revision(head.revision),
            Err(_) => Pending::Nothing,
        };
        (outcome, pending)
    }

    /// The same for the store's own threads.
    pub(crate) fn commit_blocking(&self, ops: Vec<Op>) -> Result<Committed, CommitError> {
        let (outcome, pending) = self.submit(ops);
        if let Pending::Durable(told) = pending {
            match told.blocking_recv() {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(CommitError::Unavailable(why)),
                Err(_) => return Err(CommitError::Unavailable("the store is closed".into())),
            }
        }
        outcome
    }

    /// Nothing is acknowledged from here on: it is not known what of the last batch is on the disk.
    pub(crate) fn fail(&self, why: &Arc<str>) {
        let mut head = self.lock_head();
        head.failed = Some(why.clone());
        for waiter in head.waiters.drain(..) {
            // A waiter that went away does not mind.
            let _ = waiter.send(Err(why.clone()));
        }
        drop(head);
        self.progress.send_modify(|progress| progress.failed = Some(why.clone()));
        self.drained.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn close(&self) {
        // Under the lock, so that no thread is between its look and its wait.
        let head = self.lock_head();
        self.closing.store(true, Ordering::Release);
        drop(head);
        self.work.notify_all();
        self.chores.notify_all();
    }

    /// Makes a resource known, with what it has.
    pub(crate) fn install(&self, head: &mut Head, resource: Resource, version: Version, feed: Feed) {
        let prefix = resource.prefix.clone();
        let published = Arc::new(Published {
            fingerprint: resource.fingerprint(),
            resource,
            version: RwLock::new(version.clone()),
            feed: Arc::new(feed),
        });
        head.resources.insert(prefix.clone(), Working { published: published.clone(), version, events: Vec::new() });
        self.published.write().unwrap_or_else(PoisonError::into_inner).insert(prefix, published);
    }

    /// Moves a resource's objects to those that no resource claims. Everything is published.
    fn withdraw(&self, head: &mut Head, prefix: &str) {
        let Some(old) = head.resources.remove(prefix) else { return };
        self.published.write().unwrap_or_else(PoisonError::into_inner).remove(prefix);
        old.published.feed.log.write().unwrap_or_else(PoisonError::into_inner).withdraw();
        old.published.feed.wake();
        self.lock_pinned().retain(|snapshot| snapshot.prefix != prefix);
        let objects = old.version.objects.iter();
        head.unclaimed.extend(objects.map(|(key, object)| (key.clone(), object.clone())));
        head.unclaimed_log = WatchLog::starting_after(head.revision);
    }

    /// The newest states of all resources, and the rest under "".
    pub(crate) fn all_published(&self) -> (u64, Vec<Arc<Published>>, Vec<Arc<Object>>) {
        let head = self.lock_head();
        let published = head.resources.values().map(|working| working.published.clone()).collect();
        (self.revision.load(Ordering::Acquire), published, head.unclaimed.values().cloned().collect())
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
        self.progress.send_modify(|progress| progress.revision = batch.revision);
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

    /// Continues the times of the log.
    pub(crate) fn remember_times(&self, times: Vec<(i64, u64)>) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).extend(times);
    }

    pub(crate) fn compact(&self, revision: u64) {
        let revision = revision.min(self.revision.load(Ordering::Acquire));
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        for published in published.values() {
            published.feed.log.write().unwrap_or_else(PoisonError::into_inner).compact(revision);
        }
        drop(published);
        self.lock_head().unclaimed_log.compact(revision);
        self.compacted.fetch_max(revision, Ordering::AcqRel);
        self.lock_pinned().retain(|snapshot| snapshot.revision >= revision);
    }

    /// History up to this revision is forgotten in every resource.
    pub(crate) fn compacted(&self) -> u64 {
        self.compacted.load(Ordering::Acquire)
    }

    pub(crate) fn compact_by_age(&self, now_seconds: i64) {
        if let Some(revision) = self.revision_before(now_seconds) {
            self.compact(revision);
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

/// The clock, in Unix seconds.
pub(crate) fn now_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
