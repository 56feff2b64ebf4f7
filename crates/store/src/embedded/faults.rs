//! The engine on a disk that loses what was not synced, tears writes, fails and fills up, under a seed.

use super::files::{File, Files};
use super::{LogPlan, checkpoint, open, prepare_segment};
use crate::commit::{CommitError, Expect, Op};
use crate::engine::Pending;
use crate::object::{Meta, Resource};
use crate::store::{Options, Store};
use crate::watch::Kind;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// The same numbers for the same seed.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Truncate(len) => bytes.resize(*len as usize, 0),
            Change::Write(offset, written) => {
                let end = *offset as usize + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset as usize..end].copy_from_slice(written);
            }
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Inode {
    durable: Vec<u8>,
    current: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Link(name, inode) => drop(names.insert(name.clone(), *inode)),
            NameChange::Remove(name) => drop(names.remove(name)),
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Power is lost: this and every later operation fails.
    Power,
    /// One sync fails; what it covered is lost, as Linux does, though it reads back.
    Sync,
    /// One write fails halfway for want of space.
    Full,
}

#[derive(Debug)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    /// After so many operations.
    fault: Option<(u64, Fault)>,
    random: Random,
}

impl State {
    /// Counts an operation; says which fault it meets.
    fn step(&mut self) -> io::Result<Option<Fault>> {
        match &mut self.fault {
            None => Ok(None),
            Some((0, Fault::Power)) => Err(io::Error::other("power is lost")),
            Some((0, fault)) => {
                let fault = *fault;
                self.fault = None;
                Ok(Some(fault))
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(None)
            }
        }
    }

    fn change(&mut self, inode: usize, change: Change) {
        change.apply(&mut self.inodes[inode].current);
        self.inodes[inode].unsynced.push(change);
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }
}

#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct Handle(Arc<Mutex<State>>, usize);

impl Disk {
    fn new(seed: u64) -> Disk {
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (names, durable_names) = Default::default();
        let (inodes, unsynced_names) = Default::default();
        Disk(Arc::new(Mutex::new(State { inodes, names, durable_names, unsynced_names, fault: None, random })))
    }

    fn random(&self, bound: u64) -> u64 {
        self.0.lock().unwrap().random.below(bound)
    }

    fn arm(&self, after: u64, fault: Fault) {
        self.0.lock().unwrap().fault = Some((after, fault));
    }

    /// The disk after the power came back: of what was not synced, any part may be there, by sectors.
    fn survivor(&self) -> Disk {
        let state = self.0.lock().unwrap();
        let mut random = state.random.clone();
        let mut names = state.durable_names.clone();
        let kept = random.below(state.unsynced_names.len() as u64 + 1) as usize;
        state.unsynced_names[..kept].iter().for_each(|change| change.apply(&mut names));
        let inodes = state.inodes.iter().map(|inode| {
            let mut bytes = inode.durable.clone();
            for change in &inode.unsynced {
                match (random.below(3), change) {
                    (0, _) => {}
                    (1, _) | (_, Change::Truncate(_)) => change.apply(&mut bytes),
                    (_, Change::Write(offset, written)) => {
                        for (at, sector) in written.chunks(512).enumerate() {
                            if random.below(2) == 0 {
                                Change::Write(offset + at as u64 * 512, sector.to_vec()).apply(&mut bytes);
                            }
                        }
                    }
                }
            }
            Inode { durable: bytes.clone(), current: bytes, unsynced: Vec::new() }
        });
        let inodes = inodes.collect();
        let durable_names = names.clone();
        Disk(Arc::new(Mutex::new(State {
            inodes,
            names,
            durable_names,
            unsynced_names: Vec::new(),
            fault: None,
            random,
        })))
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let state = self.0.lock().unwrap();
        let inode = state.names.get(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(Handle(self.0.clone(), *inode)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.rename(NameChange::Link(name.to_owned(), inode));
        Ok(Box::new(Handle(self.0.clone(), inode)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.rename(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.durable_names = state.names.clone();
        state.unsynced_names.clear();
        Ok(())
    }
}

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().inodes[self.1].current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.0.lock().unwrap();
        let rest = state.inodes[self.1].current.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.step()? == Some(Fault::Full) {
            state.change(self.1, Change::Write(offset, bytes[..bytes.len() / 2].to_vec()));
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.change(self.1, Change::Write(offset, bytes.to_vec()));
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.change(self.1, Change::Truncate(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let fault = state.step()?;
        let inode = &mut state.inodes[self.1];
        if fault == Some(Fault::Sync) {
            inode.unsynced.clear();
            return Err(io::Error::other("input/output error"));
        }
        inode.durable = inode.current.clone();
        inode.unsynced.clear();
        Ok(())
    }
}

fn resources() -> Vec<Resource> {
    let extract = |_: &str, bytes: &[u8]| {
        let label = String::from_utf8_lossy(bytes.get(..1).unwrap_or_default()).as_ref().into();
        Ok(Meta { labels: vec![("first".into(), label)], ..Meta::default() })
    };
    let resource =
        |prefix: &str| Resource { prefix: prefix.into(), extract: Arc::new(extract), field_names: Vec::new() };
    vec![resource("/registry/a/"), resource("/registry/b/")]
}

fn options() -> Options {
    Options { upkeep: false, segment_bytes: 8 << 10, ..Options::default() }
}

/// Everything that was asked of the store, by revision, and how far it was acknowledged.
#[derive(Default)]
struct History {
    asked: BTreeMap<u64, Vec<Op>>,
    acknowledged: u64,
}

impl History {
    fn state_at(&self, revision: u64) -> BTreeMap<String, Bytes> {
        let mut state = BTreeMap::new();
        for op in self.asked.range(..=revision).flat_map(|(_, ops)| ops) {
            match op {
                Op::Put { key, bytes, .. } => drop(state.insert(key.clone(), bytes.clone())),
                Op::Delete { key, .. } => drop(state.remove(key)),
            }
        }
        state
    }

    /// The store has everything that was acknowledged, nothing that was never asked, and each transaction whole.
    fn check(&mut self, store: &Store, context: &str) {
        let revision = store.revision();
        assert!(
            revision >= self.acknowledged,
            "{context}: {} was acknowledged, {revision} is there",
            self.acknowledged
        );
        self.asked.split_off(&(revision + 1));
        let wanted = self.state_at(revision);
        let mut found = BTreeMap::new();
        for prefix in ["/registry/a/", "/registry/b/"] {
            let snapshot = store.snapshot(prefix);
            found.extend(snapshot.iter().map(|object| (object.key.to_string(), object.bytes.clone())));
            self.check_watch(store, prefix, context);
        }
        assert!(found == wanted, "{context}: another state at {revision}");
    }

    /// What is left of the history is complete and right.
    fn check_watch(&self, store: &Store, prefix: &str, context: &str) {
        let oldest = match store.watch(prefix, 0) {
            Ok(_) => 0,
            Err(compacted) => compacted.oldest,
        };
        let mut cursor = store.watch(prefix, oldest).unwrap();
        let mut before = self.state_at(oldest);
        for (revision, op) in self.asked.range(oldest + 1..).flat_map(|(at, ops)| ops.iter().map(move |op| (*at, op))) {
            let (key, kind, after) = match op {
                Op::Put { key, bytes, .. } => (key, Kind::Put, Some(bytes.clone())),
                Op::Delete { key, .. } => (key, Kind::Delete, None),
            };
            let previous = before.remove(key);
            before.extend(after.map(|bytes| (key.clone(), bytes)));
            if key.starts_with(prefix) {
                let event = cursor.try_next().unwrap().unwrap_or_else(|| panic!("{context}: {revision} is missing"));
                assert_eq!(
                    (event.revision, &*event.object.key, event.kind),
                    (revision, key.as_str(), kind),
                    "{context}"
                );
                assert_eq!(event.previous.map(|object| object.bytes.clone()), previous, "{context}");
            }
        }
        assert!(cursor.try_next().unwrap().is_none(), "{context}");
    }
}

/// Transactions of one to three ops, some waiting together, until the store fails or `steps` are done.
fn work(store: &Store, plan: &LogPlan, history: &mut History, random: &mut Random, steps: u64) {
    let mut waiting = Vec::new();
    for _ in 0..steps {
        match random.below(40) {
            0 => store.compact(store.revision().saturating_sub(random.below(30))),
            1 => drop(checkpoint(&store.core, plan, store.core.compacted())),
            2 => drop(prepare_segment(plan, &|| false)),
            _ => {}
        }
        let mut ops = BTreeMap::new();
        for _ in 0..=random.below(3) {
            let key = format!("/registry/{}/k{}", ["a", "b"][random.below(2) as usize], random.below(12));
            let bytes = Bytes::from(format!("{}", random.below(1 << 40)).repeat(random.below(120) as usize));
            let op = match random.below(4) {
                0 => Op::Delete { key: key.clone(), expect: Expect::Any },
                _ => Op::Put { key: key.clone(), bytes, meta: Meta::default(), expect: Expect::Any },
            };
            ops.insert(key, op);
        }
        let ops: Vec<Op> = ops.into_values().collect();
        let (outcome, pending) = store.core.submit(ops.clone());
        match (outcome, pending) {
            (Ok(committed), Pending::Durable(told)) => {
                history.asked.insert(committed.revision, ops);
                waiting.push((committed.revision, told));
            }
            (Err(CommitError::Conflict { .. }), _) => {}
            (Err(CommitError::Unavailable(_)), _) => break,
            (outcome, _) => panic!("{outcome:?}"),
        }
        if random.below(3) == 0 {
            for (revision, told) in waiting.drain(..) {
                if let Ok(Ok(())) = told.blocking_recv() {
                    history.acknowledged = revision;
                }
            }
        }
    }
    for (revision, told) in waiting {
        if let Ok(Ok(())) = told.blocking_recv() {
            history.acknowledged = revision;
        }
    }
}

#[test]
fn acknowledged_writes_survive_every_fault() {
    for seed in 1..=60u64 {
        let mut disk = Disk::new(seed);
        let mut history = History::default();
        for life in 0..5 {
            let context = format!("seed {seed}, life {life}");
            let fault = [Fault::Power, Fault::Power, Fault::Sync, Fault::Full][disk.random(4) as usize];
            let mut random = Random(disk.random(u64::MAX) | 1);
            disk.arm(random.below(120), fault);
            // The fault may come while opening: then this life is short.
            if let Ok((store, plan)) = open(Arc::new(disk.clone()), resources(), options()) {
                history.check(&store, &context);
                work(&store, &plan, &mut history, &mut random, 100);
                if disk.0.lock().unwrap().fault.is_none() && fault == Fault::Sync {
                    assert!(store.failure().is_none_or(|why| why.contains("failed")), "{context}");
                }
            }
            disk = disk.survivor();
            match open(Arc::new(disk.clone()), resources(), options()) {
                Ok((store, _)) => history.check(&store, &context),
                Err(err) => panic!("{context}: {err}"),
            }
        }
    }
}

#[test]
fn a_failed_sync_ends_acknowledging_and_says_why() {
    let disk = Disk::new(5);
    let (store, _) = open(Arc::new(disk.clone()), resources(), options()).unwrap();
    let put = |n: u32| {
        vec![Op::Put {
            key: format!("/registry/a/{n}"),
            bytes: Bytes::new(),
            meta: Meta::default(),
            expect: Expect::Any,
        }]
    };
    store.core.commit_blocking(put(1)).unwrap();
    disk.arm(1, Fault::Sync);
    for n in 2..4 {
        match store.core.commit_blocking(put(n)) {
            Err(CommitError::Unavailable(why)) => assert!(why.contains("input/output error"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(store.failure().is_some());
    assert!(store.get("/registry/a/1").is_some() && store.get("/registry/a/2").is_none(), "reading goes on");
}

#[test]
fn damage_is_refused() {
    let disk = Disk::new(9);
    let mut history = History::default();
    let (store, plan) = open(Arc::new(disk.clone()), resources(), options()).unwrap();
    let mut random = Random(77);
    work(&store, &plan, &mut history, &mut random, 150);
    checkpoint(&store.core, &plan, store.revision() - 20).unwrap();
    work(&store, &plan, &mut history, &mut random, 20);
    drop(store);
    let (mut refused, mut unharmed) = (0, 0);
    for _ in 0..400 {
        let copy = disk.survivor();
        {
            let mut state = copy.0.lock().unwrap();
            let names: Vec<usize> = state.names.values().copied().collect();
            let inode = names[random.below(names.len() as u64) as usize];
            let bytes = &mut state.inodes[inode].current;
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
        match open(Arc::new(copy), resources(), options()) {
            Err(err) => {
                assert_eq!(err.kind(), io::ErrorKind::InvalidData, "{err}");
                refused += 1;
            }
            // In unused space, or in the last batch: that looks like a write that a crash interrupted.
            Ok((store, _)) => {
                assert!(store.revision() + 3 >= history.acknowledged);
                unharmed += 1;
            }
        }
    }
    assert!(refused > 200 && refused > unharmed, "{refused} refused, {unharmed} not");
    let foreign = disk.survivor();
    foreign.create("log-00000000000000000099").unwrap().write_at(&[b'x'; 100], 0).unwrap();
    assert!(open(Arc::new(foreign), resources(), options()).is_err());
}
