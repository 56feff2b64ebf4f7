//! Reading a directory back: the checkpoint, then the log after it.

use super::checkpoint::{Checkpoint, open_checkpoint};
use super::files::{File, Files};
use super::frame::{self, FILE_HEADER_BYTES, FileHeader, FileKind, Found};
use super::log::{Closed, Log, Segments};
use super::record::{self, Malformed, Reader, Stored, Transaction};
use super::refuse;
use crate::at_rest::{self, AtRest};
use crate::commit::resource_of;
use crate::object::{EncodingCache, Object, Resource};
use crate::packing::Kept;
use crate::watch::{Event, Kind};
use crate::watch_log::WatchLog;
use meta::Str;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a directory held.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) log: Log,
    pub(crate) revision: u64,
    pub(crate) objects: BTreeMap<Arc<str>, Arc<Object>>,
    /// By prefix of the registered resources.
    pub(crate) histories: BTreeMap<Str, WatchLog>,
    /// When which revision was the newest, oldest first.
    pub(crate) times: Vec<(i64, u64)>,
    pub(crate) encodings: Arc<EncodingCache>,
}

/// How to read.
pub(crate) struct Recovery<'a> {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) resources: &'a BTreeMap<Str, Resource>,
    pub(crate) segment_bytes: u64,
    pub(crate) log_bytes_max: usize,
    pub(crate) at_rest: Option<&'a Arc<dyn AtRest>>,
}

impl Recovery<'_> {
    pub(crate) fn run(&self) -> io::Result<Recovered> {
        let names = self.files.list()?;
        for name in names.iter().filter(|name| name.ends_with(".tmp")) {
            self.files.remove(name)?;
        }
        let named = |prefix: &str| -> Vec<String> {
            let named = names.iter().filter(|name| name.starts_with(prefix) && !name.ends_with(".tmp"));
            named.cloned().collect()
        };
        let (mut checkpoints, logs) = (named("checkpoint-"), named("log-"));
        let checkpoint =
            checkpoints.pop().map(|name| open_checkpoint(&*self.files, &name, FileKind::Checkpoint)).transpose()?;
        let mut state = State::new(self.resources);
        if let Some(checkpoint) = &checkpoint {
            self.load_checkpoint(checkpoint, &mut state)?;
        }
        let log = self.load_log(checkpoint.as_ref(), &logs, &mut state)?;
        if let Some(checkpoint) = &checkpoint
            && state.replayed.unwrap_or(checkpoint.summary.log_after) < checkpoint.summary.newest
        {
            return Err(refuse(&log.name, "ends before the checkpoint was made: log files are missing"));
        }
        if let Some(why) = state.unreadable.into_values().next() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if let Some(checkpoint) = &checkpoint {
            log.segments.checkpoint_bytes.store(checkpoint.file.len()?, Ordering::Relaxed);
        }
        // The process before this one may have ended between giving files their names and making those durable.
        self.files.sync()?;
        // Left over when the process ended between a new checkpoint and the removal of the old one.
        for name in checkpoints {
            self.files.remove(&name)?;
        }
        Ok(Recovered {
            log,
            revision: state.revision,
            objects: state.objects,
            histories: state.histories,
            times: state.times,
            encodings: state.encodings,
        })
    }

    fn load_checkpoint(&self, checkpoint: &Checkpoint, state: &mut State) -> io::Result<()> {
        let encodings = state.encodings.clone();
        let portions = in_parallel(checkpoint.portions(), |number| {
            let portion = checkpoint.read_portion(number)?;
            let objects = portion.objects.into_iter().map(|stored| self.object(stored, &encodings));
            Ok((portion.prefix, portion.revision, objects.collect::<Vec<_>>()))
        })?;
        for (prefix, revision, objects) in portions {
            state.sections.insert(prefix, revision);
            for object in objects {
                match object {
                    Ok(object) => drop(state.objects.insert(object.key.clone(), object)),
                    Err(Unreadable { key, why }) => drop(state.unreadable.insert(key, why)),
                }
            }
        }
        state.revision = checkpoint.summary.newest;
        state.log_after = checkpoint.summary.log_after;
        for (prefix, log) in &mut state.histories {
            *log = WatchLog::starting_after(section_revision(&state.sections, prefix));
        }
        Ok(())
    }

    fn object(&self, stored: Stored, encodings: &Arc<EncodingCache>) -> Result<Arc<Object>, Unreadable> {
        let opened = at_rest::open(self.at_rest, &stored.key, stored.key.as_bytes(), stored.bytes.clone());
        let opened = opened.map_err(|why| Unreadable { key: stored.key.clone(), why })?;
        let object = Object { kept: Kept::of(opened.bytes), mark: opened.mark, ..stored.into_object(encodings) };
        let object = Arc::new(object);
        Ok(match resource_of(self.resources, &object.key) {
            Some(resource) => object.claimed_by(resource),
            None => object,
        })
    }

    /// Replays the log and opens its end for writing.
    fn load_log(&self, checkpoint: Option<&Checkpoint>, logs: &[String], state: &mut State) -> io::Result<Log> {
        let mut store_id = checkpoint.map(|checkpoint| checkpoint.store_id);
        let mut opened = open_segments(&*self.files, logs, &mut store_id)?;
        let store_id = store_id.unwrap_or_else(new_store_id);
        if opened.is_empty() {
            let log = Log::create(self.files.clone(), store_id, 1, self.segment_bytes, state.revision)?;
            return Ok(log);
        }
        let segments = Arc::<Segments>::default();
        let mut end = End::default();
        let waves = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        for (wave_at, wave) in opened.chunks(waves).enumerate() {
            let read = in_parallel(wave.len(), |at| {
                let last = wave_at * waves + at + 1 == opened.len();
                let segment = &wave[at];
                segment.read(store_id, last, |stored| self.object(stored, &state.encodings))
            })?;
            for (segment, contents) in wave.iter().zip(read) {
                if end.next_sequence != 0 && segment.first != end.next_sequence {
                    return Err(refuse(&segment.name, "does not continue the log before it"));
                }
                for transaction in contents.transactions {
                    state.replay(transaction, self.log_bytes_max).map_err(|why| refuse(&segment.name, why))?;
                }
                end = contents.end;
                let name = segment.name.clone();
                let closed = Closed { name, last_revision: state.revision, bytes: end.end };
                segments.closed.lock().unwrap_or_else(PoisonError::into_inner).push(closed);
            }
        }
        segments.closed.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(last) = opened.pop() else { return Err(refuse("log", "is gone")) };
        let (files, segment_bytes) = (self.files.clone(), self.segment_bytes);
        let (name, file, last_revision) = (last.name, last.file, state.revision);
        let (offset, next_sequence) = (end.end, end.next_sequence);
        let mut log =
            Log { files, segments, store_id, segment_bytes, name, file, offset, next_sequence, last_revision };
        log.settle(end.last_frame_bytes)?;
        Ok(log)
    }
}

/// The state while it is put together.
struct State {
    revision: u64,
    log_after: u64,
    /// The checkpoint's revision of each resource; its log is replayed after that.
    sections: BTreeMap<Str, u64>,
    objects: BTreeMap<Arc<str>, Arc<Object>>,
    histories: BTreeMap<Str, WatchLog>,
    times: Vec<(i64, u64)>,
    encodings: Arc<EncodingCache>,
    replayed: Option<u64>,
    /// By key, and why. What is written or deleted later does not matter: a key that is not in use any more may be missing.
    unreadable: BTreeMap<Arc<str>, String>,
}

/// An object that is kept under a key that nobody has.
struct Unreadable {
    key: Arc<str>,
    why: String,
}

enum Change {
    Put(Arc<Object>),
    Unreadable(Unreadable),
    Delete(Arc<str>),
}

/// A transaction with its objects' metadata.
struct Decoded {
    revision: u64,
    time_seconds: i64,
    changes: Vec<Change>,
}

impl State {
    fn new(resources: &BTreeMap<Str, Resource>) -> State {
        let prefixes = resources.keys().cloned().chain([Str::default()]);
        State {
            revision: 1,
            log_after: 1,
            sections: BTreeMap::new(),
            objects: BTreeMap::new(),
            // Under "": what no registered resource claims.
            histories: prefixes.map(|prefix| (prefix, WatchLog::starting_after(1))).collect(),
            times: Vec::new(),
            encodings: Arc::default(),
            replayed: None,
            unreadable: BTreeMap::new(),
        }
    }

    fn replay(&mut self, transaction: Decoded, log_bytes_max: usize) -> Result<(), &'static str> {
        let revision = transaction.revision;
        let continues = match self.replayed {
            Some(last) => revision == last + 1,
            None => revision <= self.log_after + 1,
        };
        if !continues {
            return Err("does not continue the revisions before it");
        }
        self.replayed = Some(revision);
        self.revision = self.revision.max(revision);
        match self.times.last_mut() {
            Some(last) if last.0 >= transaction.time_seconds => last.1 = revision,
            _ => self.times.push((transaction.time_seconds, revision)),
        }
        for change in transaction.changes {
            let key = match &change {
                Change::Put(object) => &object.key,
                Change::Unreadable(Unreadable { key, .. }) | Change::Delete(key) => key,
            };
            if revision <= section_revision(&self.sections, key) {
                continue;
            }
            let history = history_of(&mut self.histories, key);
            let was_unreadable = self.unreadable.remove(key).is_some();
            let event = match change {
                Change::Unreadable(Unreadable { key, why }) => {
                    self.objects.remove(&key);
                    self.unreadable.insert(key, why);
                    forget(history, revision);
                    continue;
                }
                Change::Delete(_) if was_unreadable => {
                    forget(history, revision);
                    continue;
                }
                Change::Put(object) => {
                    let previous = self.objects.insert(object.key.clone(), object.clone());
                    Event { kind: Kind::Put, object, previous, revision }
                }
                Change::Delete(key) => {
                    let Some(last) = self.objects.remove(&key) else { return Err("deletes what is not there") };
                    let object = Arc::new(last.deleted_at(revision));
                    Event { kind: Kind::Delete, object, previous: Some(last), revision }
                }
            };
            if let Some(history) = history {
                history.push(event, log_bytes_max);
            }
        }
        Ok(())
    }
}

/// Nobody can be told what has happened up to `revision`.
fn forget(history: Option<&mut WatchLog>, revision: u64) {
    if let Some(history) = history {
        *history = WatchLog::starting_after(revision);
    }
}

fn history_of<'a>(histories: &'a mut BTreeMap<Str, WatchLog>, key: &str) -> Option<&'a mut WatchLog> {
    let until = (std::ops::Bound::Unbounded, std::ops::Bound::Included(key));
    let (nearest, _) = histories.range::<str, _>(until).next_back()?;
    let prefix = if key.starts_with(nearest.as_str()) { nearest.clone() } else { Str::default() };
    histories.get_mut(&prefix)
}

/// The revision that the checkpoint has for a key or prefix; 0 without a checkpoint.
pub(crate) fn section_revision(sections: &BTreeMap<Str, u64>, key: &str) -> u64 {
    resource_of(sections, key).or_else(|| sections.get("")).copied().unwrap_or(0)
}

/// Opens the files of a log and checks that they are of one store: `store_id`, when it is known.
pub(crate) fn open_segments(
    files: &dyn Files,
    names: &[String],
    store_id: &mut Option<u64>,
) -> io::Result<Vec<Segment>> {
    let open = |name: &String| {
        let file = files.open(name)?;
        let mut bytes = [0; FILE_HEADER_BYTES];
        let count = file.read_at(&mut bytes, 0)?;
        let header = FileHeader::decode(&bytes[..count]).map_err(|why| refuse(name, why))?;
        if header.kind != FileKind::Log || *store_id.get_or_insert(header.store_id) != header.store_id {
            return Err(refuse(name, "belongs to another store"));
        }
        Ok(Segment { name: name.clone(), file, first: header.first })
    };
    names.iter().map(open).collect()
}

/// One file of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    file: Box<dyn File>,
    /// The sequence of its first frame.
    pub(crate) first: u64,
}

struct Contents {
    transactions: Vec<Decoded>,
    end: End,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// The sequence that the next frame has.
    pub(crate) next_sequence: u64,
    /// Where the next frame goes.
    end: u64,
    /// 0 when there is none.
    last_frame_bytes: usize,
}

impl Segment {
    fn read(&self, store_id: u64, last: bool, object: impl Fn(Stored) -> Read) -> io::Result<Contents> {
        let mut transactions = Vec::new();
        let end = self.read_each(store_id, last, |transaction| {
            transactions.push(decode(transaction, &object));
            Ok(())
        })?;
        Ok(Contents { transactions, end })
    }

    /// Reads all frames. What follows them in the last segment may be a batch that a crash interrupted; anything whole
    /// that comes later means that acknowledged data is damaged.
    pub(crate) fn read_each(
        &self,
        store_id: u64,
        last: bool,
        mut each: impl FnMut(Transaction) -> io::Result<()>,
    ) -> io::Result<End> {
        let mut bytes = vec![0; usize::try_from(self.file.len()?).map_err(|_| refuse(&self.name, "is too large"))?];
        let count = self.file.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        let (mut at, mut next_sequence) = (FILE_HEADER_BYTES, self.first);
        let mut last_frame_bytes = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match frame::find(rest, store_id) {
                Found::Frame { sequence, payload, bytes } if sequence == next_sequence => {
                    let mut reader = Reader::new(payload);
                    while !reader.is_empty() {
                        let read = reader.transaction();
                        let transaction = read.map_err(|Malformed| refuse(&self.name, "has a malformed frame"))?;
                        each(transaction)?;
                    }
                    at += bytes;
                    last_frame_bytes = bytes;
                    next_sequence += 1;
                }
                Found::Nothing | Found::Broken | Found::Frame { .. } => {
                    let later = frame::find_any(rest, store_id);
                    if later.is_some() || (!last && frame::find(rest, store_id) == Found::Broken) {
                        return Err(refuse(&self.name, &format!("is damaged at byte {at}, before data that is whole")));
                    }
                    return Ok(End { next_sequence, end: at as u64, last_frame_bytes });
                }
            }
        }
    }
}

type Read = Result<Arc<Object>, Unreadable>;

fn decode(transaction: Transaction, object: impl Fn(Stored) -> Read) -> Decoded {
    let changes = transaction.changes.into_iter().map(|change| match change {
        record::Change::Put(stored) => object(stored).map_or_else(Change::Unreadable, Change::Put),
        record::Change::Delete(key) => Change::Delete(key),
    });
    let changes = changes.collect();
    Decoded { revision: transaction.revision, time_seconds: transaction.time_seconds, changes }
}

/// Differs between stores with near certainty; secret enough that no client can write frames into its objects.
pub(crate) fn new_store_id() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u128(std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()));
    hasher.finish()
}

/// `work(0..count)` on all cores, results in order.
fn in_parallel<R: Send>(count: usize, work: impl Fn(usize) -> io::Result<R> + Sync) -> io::Result<Vec<R>> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let result = work(at);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
        (1..threads).for_each(|_| drop(scope.spawn(worker)));
        worker();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
