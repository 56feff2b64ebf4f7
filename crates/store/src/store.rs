//! The store: what the request path uses.

use crate::at_rest::AtRest;
use crate::commit::{CommitError, Committed, Op};
use crate::engine::{Core, Pending, Progress, Threads};
use crate::etcd::Remote;
use crate::object::{Object, Resource};
use crate::snapshot::Snapshot;
use crate::upkeep;
use crate::version::Version;
use crate::watch::{Compacted, Cursor, Interest};
use crate::watch_log::{Feed, WatchLog};
use std::ops::Bound;
use std::sync::{Arc, PoisonError};
use tokio::sync::watch;

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
    /// How objects are sealed where they are kept; `None`: not at all.
    pub at_rest: Option<Arc<dyn AtRest>>,
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
            at_rest: None,
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
    /// Where writes go and reads are confirmed, when that is not this process.
    pub(crate) remote: Option<Arc<Remote>>,
}

/// The revision is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfRange {
    /// Older than what is kept.
    Compacted { oldest: u64 },
    /// Newer than the newest.
    Future { newest: u64 },
}

/// Waits for what goes wrong in a store.
#[derive(Debug)]
pub struct Troubles(watch::Receiver<Option<Arc<str>>>);

impl Troubles {
    /// The next thing, in words; `None` when the store is closed.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        self.0.changed().await.ok()?;
        self.0.borrow_and_update().clone()
    }
}

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
        let store = Store { core: core.clone(), _threads: Arc::new(Threads::new(core, running)), remote: None };
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
        if let Some(known) = head.resources.get(&resource.prefix) {
            let objects = known.version.objects.iter().map(|(_, object)| object.claimed_by(&resource)).collect();
            let version = Version::from_sorted(objects, head.revision);
            let feed = Feed::of(WatchLog::starting_after(head.revision));
            return self.core.replace(&mut head, resource, version, feed);
        }
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

    /// Why nothing is acknowledged: for good, or as long as a backend is away. `None` while all is well.
    pub fn failure(&self) -> Option<Arc<str>> {
        match &self.remote {
            Some(remote) => remote.etcd.failure(),
            None => self.core.progress.borrow().failed.clone(),
        }
    }

    /// What goes wrong, for people: a failure for good, or housekeeping that fails and is tried again. Holds nothing of the
    /// store open.
    pub fn troubles(&self) -> Troubles {
        let mut troubles = self.core.trouble.subscribe();
        if troubles.borrow().is_some() {
            troubles.mark_changed();
        }
        Troubles(troubles)
    }

    /// The newest revision that readers see.
    pub fn revision(&self) -> u64 {
        self.core.newest_revision()
    }

    /// The newest durable state of an object.
    pub fn get(&self, key: &str) -> Option<Arc<Object>> {
        let published = self.core.resource(key)?;
        let version = published.version.read().unwrap_or_else(PoisonError::into_inner);
        let (object, seen) = (version.objects.get(key).cloned(), version.revision);
        drop(version);
        self.core.wait_published(seen);
        object
    }

    /// The objects under a prefix: a resource's, or a longer one (a namespace's part). Empty when nothing is registered there.
    pub fn snapshot(&self, prefix: &str) -> Snapshot {
        // Read first: the version read afterwards holds all of this revision, and no more than its own revision says.
        let revision = self.revision();
        let version = match self.core.resource(prefix) {
            Some(published) => published.version.read().unwrap_or_else(PoisonError::into_inner).clone(),
            None => Version::default(),
        };
        self.core.wait_published(version.revision);
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

    /// Whether an object is kept otherwise than it would be now (another key, or none): an update that changes nothing
    /// should write it all the same.
    pub fn is_stale(&self, object: &Object) -> bool {
        self.core.options.at_rest.as_ref().is_some_and(|at_rest| at_rest.mark(&object.key) != object.mark)
    }

    /// Does all of `ops` or nothing, under one revision. Returns when it is durable and visible to readers.
    /// Dropping the future does not undo what was begun.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<Committed, CommitError> {
        if let Some(remote) = &self.remote {
            return remote.etcd.commit(ops).await;
        }
        let (outcome, pending) = self.core.submit(ops);
        match pending {
            Pending::Nothing => {}
            Pending::Durable(told) => match told.await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(CommitError::Unavailable(why)),
                Err(_) => return Err(CommitError::Unavailable("the store is closed".into())),
            },
            Pending::Revision { revision, refusals } => self.wait_unrefused(revision, refusals).await?,
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
        if let Some(remote) = &self.remote {
            return remote.etcd.wait_for(revision).await;
        }
        let mut progress = self.core.progress.subscribe();
        let reached = |progress: &Progress| progress.revision >= revision || progress.failed.is_some();
        // The sender lives as long as this store, so the wait itself cannot fail.
        match progress.wait_for(reached).await.map(|progress| progress.clone()) {
            Ok(Progress { revision: newest, failed: Some(why), .. }) if newest < revision => {
                Err(CommitError::Unavailable(why))
            }
            _ => Ok(()),
        }
    }

    /// Returns when readers see `revision`, or with an error when what waited with it was refused since.
    async fn wait_unrefused(&self, revision: u64, refusals: u64) -> Result<(), CommitError> {
        let mut progress = self.core.progress.subscribe();
        let told = |progress: &Progress| {
            progress.revision >= revision || progress.failed.is_some() || progress.refused.0 != refusals
        };
        match progress.wait_for(told).await.map(|progress| progress.clone()) {
            // Another transaction may have its revision now.
            Ok(Progress { refused: (count, Some(why)), .. }) if count != refusals => Err(CommitError::Unavailable(why)),
            Ok(Progress { revision: newest, failed: Some(why), .. }) if newest < revision => {
                Err(CommitError::Unavailable(why))
            }
            _ => Ok(()),
        }
    }

    /// Returns when readers see everything that was acknowledged before this call, by this server or another one on the
    /// same backend; gives a revision that they see.
    pub async fn read_barrier(&self) -> Result<u64, CommitError> {
        match &self.remote {
            Some(remote) => remote.etcd.read_barrier().await,
            None => Ok(self.revision()),
        }
    }

    /// Whether a decision made when `revision` was the newest may lack something that was acknowledged before this call:
    /// another server on the same backend may have written it. Readers see it afterwards.
    pub async fn is_outdated(&self, revision: u64) -> Result<bool, CommitError> {
        match &self.remote {
            Some(remote) => Ok(remote.etcd.read_barrier().await? > revision),
            None => Ok(false),
        }
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
