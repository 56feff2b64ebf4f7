//! What a store is made of: the newest state, what readers see of it, and the way from one to the other.

use crate::at_rest::Sealed;
use crate::commit::{CommitError, Committed, Head, Op, Published, Unpublished, Working, resource_of};
use crate::object::{EncodingCache, Object, Resource};
use crate::packing::{Unpacked, pack};
use crate::snapshot::Snapshot;
use crate::store::{Options, OutOfRange};
use crate::version::Version;
use crate::watch::{Event, Kind};
use crate::watch_log::{Feed, WatchLog};
use meta::Str;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

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
    pub(crate) encodings: Arc<EncodingCache>,
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
    pub(crate) revision: Arc<AtomicU64>,
    /// Held while a batch becomes visible, resource by resource.
    publishing: RwLock<()>,
    /// For waiting.
    pub(crate) progress: watch::Sender<Progress>,
    /// What a person should know. Apart from `progress`, which wakes those who wait at every batch.
    pub(crate) trouble: watch::Sender<Option<Arc<str>>>,
    /// When which revision was the newest: (Unix seconds, revision), oldest first, one per second at most.
    times: Mutex<VecDeque<(i64, u64)>>,
    /// History up to here is forgotten.
    compacted: AtomicU64,
    /// Snapshots that pages were served from.
    pinned: Mutex<VecDeque<Snapshot>>,
}

/// How far the store is.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) revision: u64,
    /// How often what waited to be durable was refused instead, and why the last time.
    pub(crate) refused: (u64, Option<Arc<str>>),
    pub(crate) failed: Option<Arc<str>>,
}

/// What a transaction still waits for.
pub(crate) enum Pending {
    Nothing,
    Durable(oneshot::Receiver<Result<(), Arc<str>>>),
    /// A conflict with something that is not durable: nobody may hear of it yet, or ever when it is refused.
    Revision {
        revision: u64,
        refusals: u64,
    },
}

/// Snapshots kept for pages in progress.
const PINNED_MAX: usize = 32;

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
            encodings: encodings.clone(),
        };
        Core {
            options,
            encodings,
            head: Mutex::new(head),
            work: Condvar::new(),
            drained: Condvar::new(),
            chores: Condvar::new(),
            closing: AtomicBool::new(false),
            published: RwLock::default(),
            revision: Arc::new(AtomicU64::new(revision)),
            publishing: RwLock::default(),
            progress: watch::Sender::new(Progress { revision, refused: (0, None), failed: None }),
            trouble: watch::Sender::new(None),
            times: Mutex::default(),
            compacted: AtomicU64::new(0),
            pinned: Mutex::default(),
        }
    }

    pub(crate) fn lock_head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head when everything in it is published, or never will be.
    pub(crate) fn lock_drained(&self) -> MutexGuard<'_, Head> {
        let mut head = self.lock_head();
        while head.failed.is_none() && head.revision != self.revision.load(Ordering::Acquire) {
            head = self.drained.wait(head).unwrap_or_else(PoisonError::into_inner);
        }
        head
    }

    fn lock_pinned(&self) -> MutexGuard<'_, VecDeque<Snapshot>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of the ops' bytes, for a store that keeps something. Outside of the lock: it takes a while.
    fn seal(&self, ops: &[Op]) -> Result<Vec<Option<Sealed>>, String> {
        let Some(at_rest) = &self.options.at_rest else { return Ok(Vec::new()) };
        let seal = |op: &Op| match op {
            Op::Put { key, bytes, .. } => at_rest.seal(key, key.as_bytes(), bytes),
            Op::Delete { .. } => Ok(None),
        };
        ops.iter().map(seal).collect()
    }

    /// Checks and orders a transaction. With a log, its outcome may be told when what it waits for has happened.
    pub(crate) fn submit(&self, ops: Vec<Op>) -> (Result<Committed, CommitError>, Pending) {
        let sealed = match self.seal(&ops) {
            Ok(sealed) => sealed,
            Err(why) => return (Err(CommitError::Unavailable(why.into())), Pending::Nothing),
        };
        let mut head = self.lock_head();
        let outcome = head.apply(ops, sealed, now_seconds());
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
            Err(CommitError::Conflict { .. }) if head.durable => {
                Pending::Revision { revision: head.revision, refusals: self.progress.borrow().refused.0 }
            }
            Err(_) => Pending::Nothing,
        };
        (outcome, pending)
    }

    /// Waits for a transaction of the store's own threads.
    pub(crate) fn wait_blocking(&self, pending: Pending) -> Result<(), CommitError> {
        match pending {
            Pending::Durable(told) => match told.blocking_recv() {
                Ok(told) => told.map_err(CommitError::Unavailable),
                Err(_) => Err(CommitError::Unavailable("the store is closed".into())),
            },
            Pending::Nothing | Pending::Revision { .. } => Ok(()),
        }
    }

    /// Takes back what is not durable, and never will be: the batch that there was no space for, and what came after it.
    pub(crate) fn refuse(&self, batch: Unpublished, why: &Arc<str>) {
        let mut head = self.lock_head();
        head.take_back(batch, self.revision.load(Ordering::Acquire));
        let waiters = std::mem::take(&mut head.waiters);
        // Under the lock: who finds a conflict from here on finds it with what is durable.
        self.progress.send_modify(|progress| progress.refused = (progress.refused.0 + 1, Some(why.clone())));
        drop(head);
        for waiter in waiters {
            // A waiter that went away does not mind.
            let _ = waiter.send(Err(why.clone()));
        }
        self.note_trouble(format!("no writes are accepted until there is space: {why}"));
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
        self.note_trouble(format!("no writes are accepted until this is repaired and the program restarted: {why}"));
        self.drained.notify_all();
    }

    /// The newest revision that readers see.
    pub(crate) fn newest_revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Tells whoever listens, once for each new text.
    pub(crate) fn note_trouble(&self, text: String) {
        self.trouble.send_if_modified(|told| {
            let is_new = told.as_deref() != Some(text.as_str());
            *told = Some(text.into());
            is_new
        });
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
            unpacked: Unpacked::starting_with(version.bytes),
            version: RwLock::new(version.clone()),
            feed: Arc::new(feed),
        });
        head.resources.insert(prefix.clone(), Working { published: published.clone(), version, events: Vec::new() });
        self.published.write().unwrap_or_else(PoisonError::into_inner).insert(prefix, published);
    }

    /// Puts a resource in the place of the one with its prefix, whose watches end with `Lost`. Readers see one or the
    /// other, at no time none.
    pub(crate) fn replace(&self, head: &mut Head, resource: Resource, version: Version, feed: Feed) {
        let prefix = resource.prefix.clone();
        let old = head.resources.get(&prefix).map(|working| working.published.clone());
        self.install(head, resource, version, feed);
        if let Some(old) = old {
            self.end_watches(&old);
        }
    }

    fn end_watches(&self, published: &Published) {
        published.feed.log.write().unwrap_or_else(PoisonError::into_inner).withdraw();
        published.feed.wake();
        self.lock_pinned().retain(|snapshot| snapshot.prefix != published.resource.prefix);
    }

    /// Moves a resource's objects to those that no resource claims. Everything is published.
    pub(crate) fn withdraw(&self, head: &mut Head, prefix: &str) {
        let Some(old) = head.resources.remove(prefix) else { return };
        self.published.write().unwrap_or_else(PoisonError::into_inner).remove(prefix);
        self.end_watches(&old.published);
        // After a failure the working version holds what was never durable.
        let version = old.published.newest();
        let objects = version.objects.iter();
        head.unclaimed.extend(objects.map(|(key, object)| (key.clone(), object.clone())));
        head.unclaimed_log = WatchLog::starting_after(version.revision.max(self.revision.load(Ordering::Acquire)));
    }

    /// The newest states of all resources, and the rest under "".
    pub(crate) fn all_published(&self) -> (u64, Vec<Arc<Published>>, Vec<Arc<Object>>) {
        let head = self.lock_head();
        let published = head.resources.values().map(|working| working.published.clone()).collect();
        (self.revision.load(Ordering::Acquire), published, head.unclaimed.values().cloned().collect())
    }

    /// The resource of a key or of a prefix that is at least as long as the resource's.
    pub(crate) fn resource(&self, key: &str) -> Option<Arc<Published>> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        resource_of(&published, key).cloned()
    }

    /// Returns when everything up to `seen` is visible. Whoever saw a resource's part of a batch waits for the other parts,
    /// some microseconds at most: what is read next must not be older.
    pub(crate) fn wait_published(&self, seen: u64) {
        if seen > self.revision.load(Ordering::Acquire) {
            drop(self.publishing.read().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Makes a durable batch visible: states, then events, then the revision, then the wake-ups.
    pub(crate) fn publish(&self, batch: Unpublished) {
        let mut changed = Vec::with_capacity(batch.changed.len());
        let publishing = self.publishing.write().unwrap_or_else(PoisonError::into_inner);
        for (published, version, events) in batch.changed {
            let touched = events.iter().map(|event| {
                event.object.bytes_len() + event.previous.as_ref().map_or(0, |previous| previous.bytes_len())
            });
            published.unpacked.note(touched.sum::<usize>() as u64);
            // One step for readers of the log: a snapshot's state is never ahead of the events that undo it.
            let mut log = published.feed.log.write().unwrap_or_else(PoisonError::into_inner);
            events.into_iter().for_each(|event| log.push(event, self.options.log_bytes_max));
            let old =
                std::mem::replace(&mut *published.version.write().unwrap_or_else(PoisonError::into_inner), version);
            drop(log);
            changed.push((published, old));
        }
        self.revision.store(batch.revision, Ordering::Release);
        drop(publishing);
        self.progress.send_modify(|progress| progress.revision = batch.revision);
        changed.iter().for_each(|(published, _)| published.feed.wake());
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

    /// Moves objects' bytes together, where that pays. Only one thread may do so.
    pub(crate) fn pack_when_due(&self) {
        let published: Vec<_> =
            self.published.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for published in published {
            let version = published.newest();
            if published.unpacked.take_due(version.bytes) {
                pack(version.objects.iter().map(|(_, object)| object), &|| self.is_closing());
            }
        }
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
    pub(crate) fn pinned_near(&self, prefix: &str, revision: u64) -> Option<Snapshot> {
        let pinned = self.lock_pinned();
        let usable = pinned.iter().filter(|snapshot| snapshot.prefix == prefix && snapshot.revision >= revision);
        usable.min_by_key(|snapshot| snapshot.revision).cloned()
    }

    pub(crate) fn pin(&self, snapshot: Snapshot) {
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
