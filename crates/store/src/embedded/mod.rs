//! The embedded engine: everything in memory, made durable by a log of transactions in one directory.
//!
//! One thread takes what has gathered since its last write, writes it as one frame, syncs once, publishes and
//! acknowledges. A second thread keeps house: it prepares the next log file, writes checkpoints from snapshots
//! (writers are not held up) and removes what they replace.

mod backup;
mod checkpoint;
#[cfg(test)]
pub(crate) mod disk;
#[cfg(test)]
mod faults;
mod files;
mod frame;
mod log;
mod record;
mod recover;

pub use backup::{Attachment, Backup, Restored, backup, restore};
pub(crate) use frame::begin as begin_batch;
pub(crate) use log::{LogPlan, prepare_segment};
pub(crate) use record::{write_delete, write_put, write_transaction};

use crate::commit::resource_of;
use crate::engine::{Core, Threads};
use crate::object::{Object, Resource};
use crate::store::{Options, Store};
use crate::upkeep;
use crate::version::Version;
use crate::watch_log::{Feed, WatchLog};
use checkpoint::{Section, Summary, checkpoint_name, write_checkpoint};
use files::{Directory, Files};
use log::{Log, Unappended};
use meta::Str;
use recover::{Recovered, Recovery};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// An error that names the file.
fn refuse(name: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name} {why}"))
}

impl Store {
    /// Opens the store in a directory, which is made when it is missing, and locks it.
    ///
    /// # Errors
    /// When another process has the directory, and when a file is damaged or is not one of this store's. An unfinished
    /// last write (a crash) is no damage: it was never acknowledged.
    pub fn open_embedded(directory: &Path, resources: Vec<Resource>, options: Options) -> io::Result<Store> {
        Ok(open(Arc::new(Directory::lock(directory)?), resources, options)?.0)
    }
}

/// A state that is being written.
struct State {
    /// The newest revision in it.
    newest: u64,
    /// The oldest revision of a resource in it.
    oldest: u64,
    versions: Vec<(Str, u64, Version)>,
    unclaimed: Vec<Arc<Object>>,
}

impl State {
    /// The state of every resource at `revision`, or as soon after as its history allows.
    fn of(core: &Core, revision: u64) -> State {
        let (newest, published, unclaimed) = core.all_published();
        let versions: Vec<(Str, u64, Version)> = published
            .iter()
            .map(|published| {
                let (version, at) = published.version_from(revision.min(newest));
                (published.resource.prefix.clone(), at, version)
            })
            .collect();
        let revisions = || versions.iter().map(|(_, at, _)| *at).chain([newest]);
        let (oldest, newest) = (revisions().min().unwrap_or(newest), revisions().max().unwrap_or(newest));
        State { newest, oldest, versions, unclaimed }
    }

    fn sections(&self) -> Vec<Section<'_>> {
        let unclaimed: Box<dyn Iterator<Item = Arc<Object>>> = Box::new(self.unclaimed.iter().cloned());
        let mut sections = vec![Section { prefix: Str::default(), revision: self.newest, objects: unclaimed }];
        sections.extend(self.versions.iter().map(|(prefix, revision, version)| Section {
            prefix: prefix.clone(),
            revision: *revision,
            objects: Box::new(version.objects.iter().map(|(_, object)| object.clone())),
        }));
        sections
    }
}

/// Writes a checkpoint as of `revision` and removes what it replaces.
pub(crate) fn checkpoint(core: &Core, plan: &LogPlan, revision: u64) -> io::Result<()> {
    let state = State::of(core, revision);
    let summary = Summary { newest: state.newest, log_after: state.oldest };
    let file = plan.files.create("checkpoint.tmp")?;
    let at_rest = core.options.at_rest.as_deref();
    write_checkpoint(&*file, plan.store_id, summary, state.sections(), at_rest, &|| core.is_closing())
        // What does not fit whole must not take the last space from the log.
        .inspect_err(|_| drop(plan.files.remove("checkpoint.tmp")))?;
    // An earlier file of the name, that failed, must not be what is renamed.
    plan.files.sync()?;
    let name = checkpoint_name(state.newest);
    plan.files.rename("checkpoint.tmp", &name)?;
    plan.files.sync()?;
    plan.segments.checkpoint_bytes.store(file.len()?, Ordering::Relaxed);
    plan.segments.shrinks_after.store(0, Ordering::Relaxed);
    for old in plan.files.list()?.iter().filter(|old| old.starts_with("checkpoint-") && **old < name) {
        plan.files.remove(old)?;
    }
    // The lock is not held while files are removed: the log waits for it when it begins a new one.
    let closed = || plan.segments.closed.lock().unwrap_or_else(PoisonError::into_inner);
    let removable =
        closed().iter().take_while(|segment| segment.last_revision <= state.oldest).cloned().collect::<Vec<_>>();
    for segment in removable {
        match plan.files.remove(&segment.name) {
            // Removed before, when it could not be made durable.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        // One after the other: a log with a hole in it would be refused.
        plan.files.sync()?;
        closed().remove(0);
    }
    Ok(())
}

pub(crate) fn open(files: Arc<dyn Files>, resources: Vec<Resource>, options: Options) -> io::Result<(Store, LogPlan)> {
    let Loaded { core, mut writer, plan } = load(files, resources, options)?;
    let thread = |name: &str| std::thread::Builder::new().name(name.into());
    let mut running = Vec::new();
    running.push(thread("store-log").spawn({
        let core = core.clone();
        move || write_batches(&core, &mut writer)
    })?);
    if core.options.upkeep {
        let (core, plan) = (core.clone(), plan.clone());
        running.push(thread("store-upkeep").spawn(move || upkeep::run(&core, Some(&plan)))?);
    }
    Ok((Store { core: core.clone(), _threads: Arc::new(Threads::new(core, running)), remote: None }, plan))
}

/// A store whose threads do not run yet.
pub(crate) struct Loaded {
    pub(crate) core: Arc<Core>,
    pub(crate) writer: Writer,
    pub(crate) plan: LogPlan,
}

pub(crate) fn load(files: Arc<dyn Files>, resources: Vec<Resource>, options: Options) -> io::Result<Loaded> {
    let resources: BTreeMap<Str, Resource> = resources.into_iter().map(|r| (r.prefix.clone(), r)).collect();
    let (segment_bytes, log_bytes_max) = (options.segment_bytes, options.log_bytes_max);
    let at_rest = options.at_rest.as_ref();
    let recovered = Recovery { files, resources: &resources, segment_bytes, log_bytes_max, at_rest }.run()?;
    let plan = recovered.log.plan();
    let (core, log) = core_of(recovered, resources, options);
    Ok(Loaded { core: Arc::new(core), writer: Writer { log, buffer: Vec::new() }, plan })
}

/// What was recovered, as the state of a running store.
fn core_of(recovered: Recovered, resources: BTreeMap<Str, Resource>, options: Options) -> (Core, Log) {
    let Recovered { log, revision, objects, mut histories, times, encodings } = recovered;
    let core = Core::starting_at(revision, true, encodings, options);
    core.remember_times(times);
    let mut head = core.lock_head();
    // In key order, as the objects are.
    let mut own: BTreeMap<&str, Vec<Arc<Object>>> = BTreeMap::new();
    let mut unclaimed = BTreeMap::new();
    for (key, object) in objects {
        match resource_of(&resources, &key) {
            Some(resource) => {
                head.note_expiry(&object);
                own.entry(&resource.prefix).or_default().push(object);
            }
            None => drop(unclaimed.insert(key, object)),
        }
    }
    for (prefix, resource) in &resources {
        let version = Version::from_sorted(own.remove(prefix.as_str()).unwrap_or_default(), revision);
        let history = histories.remove(prefix).unwrap_or_else(|| WatchLog::starting_after(revision));
        core.install(&mut head, resource.clone(), version, Feed::of(history));
    }
    head.unclaimed = unclaimed;
    head.unclaimed_log = histories.remove("").unwrap_or_else(|| WatchLog::starting_after(revision));
    drop(head);
    (core, log)
}

/// What the batch buffers keep between batches.
const BATCH_BYTES_KEPT: usize = 1 << 20;

/// The log thread: group commit.
fn write_batches(core: &Core, writer: &mut Writer) {
    let _guard = FailedByPanic(core);
    loop {
        let mut head = core.lock_head();
        while head.batch.is_empty() {
            if core.is_closing() {
                drop(head);
                writer.close(core);
                return;
            }
            head = core.work.wait(head).unwrap_or_else(PoisonError::into_inner);
        }
        drop(head);
        if writer.write_batch(core).is_err() {
            return;
        }
    }
}

/// Without the log's thread nothing would ever be answered.
struct FailedByPanic<'a>(&'a Core);

impl Drop for FailedByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&"the thread that writes the log panicked".into());
        }
    }
}

/// What the log's thread does.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Log,
    buffer: Vec<u8>,
}

impl Writer {
    /// Writes what has gathered, publishes it and tells those who wait: also when there is no space for it, and then it
    /// has not happened. After an error nothing can be written any more.
    pub(crate) fn write_batch(&mut self, core: &Core) -> Result<(), Arc<str>> {
        let mut head = core.lock_head();
        let waiters = std::mem::take(&mut head.waiters);
        let unpublished = head.take_unpublished();
        self.buffer.clear();
        std::mem::swap(&mut self.buffer, &mut head.batch);
        drop(head);
        let (outcome, told) = match self.log.append(&mut self.buffer, unpublished.revision) {
            Ok(()) => {
                core.publish(unpublished);
                if self.log.wants_next() {
                    core.chores.notify_one();
                }
                (Ok(()), Ok(()))
            }
            Err(Unappended::Full(err)) => {
                let why: Arc<str> = format!("there is no space for {}: {err}", self.log.name).into();
                core.refuse(unpublished, &why);
                (Ok(()), Err(why))
            }
            Err(Unappended::Unknown(err)) => {
                let why: Arc<str> = format!("writing {} failed: {err}", self.log.name).into();
                core.fail(&why);
                (Err(why.clone()), Err(why))
            }
        };
        for waiter in waiters {
            // A waiter that went away does not mind.
            let _ = waiter.send(told.clone());
        }
        core.drained.notify_all();
        // A batch of one huge transaction must not stay for ever.
        self.buffer.shrink_to(BATCH_BYTES_KEPT);
        outcome
    }

    /// Says that everything was written. When that fails the next start only knows less of damage.
    pub(crate) fn close(&mut self, core: &Core) {
        // After a failure it is not known what follows what.
        if core.progress.borrow().failed.is_some() {
            return;
        }
        let _ = self.log.mark_whole();
    }
}
