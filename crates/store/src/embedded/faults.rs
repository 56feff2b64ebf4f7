//! The engine on a disk that loses what was not synced, tears writes, fails and fills up, under a seed ([`Disk`]).

use super::disk::{Disk, Fault, Random};
use super::files::Files;
use super::{LogPlan, checkpoint, open, prepare_segment};
use crate::commit::{CommitError, Expect, Op};
use crate::engine::Pending;
use crate::object::{Meta, Resource};
use crate::store::{Options, Store};
use crate::upkeep::checkpoint_when_due;
use crate::watch::Kind;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot::Receiver;

fn resources() -> Vec<Resource> {
    let extract = |_: &str, bytes: &[u8]| {
        let label = String::from_utf8_lossy(bytes.get(..1).unwrap_or_default()).as_ref().into();
        Ok(Meta { labels: vec![("first".into(), label)], ..Meta::default() })
    };
    let resource = |prefix: &str| Resource {
        prefix: prefix.into(),
        extract: Arc::new(extract),
        field_names: Vec::new(),
        canonical: None,
        in_etcd: None,
    };
    vec![resource("/registry/a/"), resource("/registry/b/")]
}

fn options() -> Options {
    Options { upkeep: false, segment_bytes: 8 << 10, ..Options::default() }
}

/// Everything that was asked of the store, by revision, and how far it was acknowledged.
#[derive(Default)]
struct History {
    asked: BTreeMap<u64, Arc<Vec<Op>>>,
    acknowledged: u64,
    /// Transactions that were refused because the disk was full.
    refused: u64,
}

impl History {
    fn state_at(&self, revision: u64) -> BTreeMap<String, Bytes> {
        let mut state = BTreeMap::new();
        for op in self.asked.range(..=revision).flat_map(|(_, ops)| ops.iter()) {
            match op {
                Op::Put { key, bytes, .. } => drop(state.insert(key.clone(), bytes.clone())),
                Op::Delete { key, .. } => drop(state.remove(key)),
            }
        }
        state
    }

    /// Takes in what became of a transaction.
    fn note(&mut self, revision: u64, ops: &Arc<Vec<Op>>, told: Result<(), Arc<str>>) {
        match told {
            Ok(()) => self.acknowledged = revision,
            Err(why) if why.contains("there is no space") => {
                self.refused += 1;
                // A later transaction may have its revision by now.
                if self.asked.get(&revision).is_some_and(|asked| Arc::ptr_eq(asked, ops)) {
                    self.asked.remove(&revision);
                }
            }
            Err(_) => {}
        }
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
            found.extend(snapshot.iter().map(|object| (object.key.to_string(), object.bytes())));
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
                assert_eq!(event.previous.map(|object| object.bytes()), previous, "{context}");
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
                let ops = Arc::new(ops);
                history.asked.insert(committed.revision, ops.clone());
                waiting.push((committed.revision, ops, told));
            }
            (Err(CommitError::Conflict { .. }), _) => {}
            (Err(CommitError::Unavailable(_)), _) => break,
            (outcome, _) => panic!("{outcome:?}"),
        }
        if random.below(3) == 0 {
            waiting.drain(..).for_each(|(revision, ops, told)| end(history, revision, &ops, told));
        }
    }
    waiting.into_iter().for_each(|(revision, ops, told)| end(history, revision, &ops, told));
}

/// Waits for what becomes of a transaction.
fn end(history: &mut History, revision: u64, ops: &Arc<Vec<Op>>, told: Receiver<Result<(), Arc<str>>>) {
    if let Ok(told) = told.blocking_recv() {
        history.note(revision, ops, told);
    }
}

/// One process after the other on one disk; each ends by a fault, or is killed, or the power fails.
#[test]
fn acknowledged_writes_survive_every_fault() {
    const FAULTS: [Fault; 6] =
        [Fault::End, Fault::End, Fault::EndBeforeNames, Fault::EndBeforeNames, Fault::Sync, Fault::Write];
    for seed in 1..=300u64 {
        let mut disk = Disk::new(seed);
        let mut history = History::default();
        for life in 0..5 {
            let context = format!("seed {seed}, life {life}");
            let mut random = Random::new(disk.random(u64::MAX));
            let after_max = random.pick(&[6, 40, 120]);
            disk.arm(random.below(after_max), random.pick(&FAULTS));
            // The fault may come while opening: then this life is short.
            if let Ok((store, plan)) = open(Arc::new(disk.clone()), resources(), options()) {
                history.check(&store, &context);
                let steps = random.pick(&[3, 30, 100]);
                work(&store, &plan, &mut history, &mut random, steps);
                // A checkpoint or a prepared file may fail without harm; the log may not.
                let why = store.failure();
                assert!(why.is_none_or(|why| why.starts_with("writing log-")), "{context}");
            }
            // A killed process is followed by others, that may fail to start, before the power fails.
            for ending in 0..4 {
                disk = if random.below(2) == 0 { disk.after_power_loss() } else { disk.after_kill() };
                if ending < 3 && random.below(2) == 0 {
                    disk.arm(random.below(6), Fault::Sync);
                }
                match open(Arc::new(disk.clone()), resources(), options()) {
                    Ok((store, _)) => history.check(&store, &format!("{context}, ending {ending}")),
                    Err(err) => assert!(
                        ending < 3 && err.to_string().contains("input/output error"),
                        "{context}, ending {ending}: {err}"
                    ),
                }
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_space() {
    for seed in 1..=40u64 {
        let mut disk = Disk::new(seed);
        let mut history = History::default();
        let mut random = Random::new(seed);
        for life in 0..4 {
            let context = format!("seed {seed}, life {life}");
            let (store, plan) = open(Arc::new(disk.clone()), resources(), options()).expect(&context);
            history.check(&store, &context);
            for _ in 0..4 {
                disk.set_capacity(disk.used_bytes() + random.below(10 << 10));
                work(&store, &plan, &mut history, &mut random, 60);
                assert!(store.failure().is_none(), "{context}: {:?}", store.failure());
                history.check(&store, &context);
            }
            disk.set_capacity(u64::MAX);
            let (before, refused) = (history.acknowledged, history.refused);
            work(&store, &plan, &mut history, &mut random, 20);
            assert!(history.acknowledged > before && history.refused == refused, "{context}: accepted again");
            // Sometimes with the refused end of the log.
            disk.set_capacity(disk.used_bytes());
            let steps = random.pick(&[0, 10]);
            work(&store, &plan, &mut history, &mut random, steps);
            disk = if random.below(2) == 0 { disk.after_power_loss() } else { disk.after_kill() };
            drop(store);
        }
        assert!(history.refused > 20, "seed {seed}: {} refused", history.refused);
    }
}

/// A sync that finds no space may have lost anything, so it is as every failed sync.
#[test]
fn faults_on_a_full_disk_still_end_acknowledging() {
    for seed in 1..=60u64 {
        let mut disk = Disk::new(seed);
        let mut history = History::default();
        let mut random = Random::new(seed);
        for life in 0..4 {
            let context = format!("seed {seed}, life {life}");
            let (store, plan) = open(Arc::new(disk.clone()), resources(), options()).expect(&context);
            history.check(&store, &context);
            disk.arm(random.below(60), random.pick(&[Fault::Sync, Fault::Write, Fault::End]));
            for _ in 0..6 {
                disk.set_capacity(disk.used_bytes() + random.below(6 << 10));
                work(&store, &plan, &mut history, &mut random, 30);
            }
            let why = store.failure();
            assert!(why.is_none_or(|why| why.starts_with("writing log-")), "{context}");
            disk = if random.below(2) == 0 { disk.after_power_loss() } else { disk.after_kill() };
        }
    }
}

/// What was refused has not happened in any respect: its expiry neither.
#[test]
fn what_is_refused_leaves_nothing_behind() {
    let disk = Disk::new(8);
    let (store, _) = open(Arc::new(disk.clone()), resources(), options()).unwrap();
    let put = |key: &str, bytes: &'static [u8], expires_at_seconds| {
        let meta = Meta { expires_at_seconds, ..Meta::default() };
        let (outcome, pending) = store.core.submit(vec![Op::Put {
            key: format!("/registry/a/{key}"),
            bytes: Bytes::from_static(bytes),
            meta,
            expect: Expect::Any,
        }]);
        store.core.wait_blocking(pending).and(outcome)
    };
    put("kept", b"1", None).unwrap();
    put("expires", b"1", Some(50)).unwrap();
    let before = store.revision();
    disk.set_capacity(disk.used_bytes());
    assert!(
        put("kept", b"2", Some(10)).is_err() && put("expires", b"2", None).is_err() && put("new", b"", None).is_err()
    );
    assert_eq!((store.revision(), store.core.lock_head().revision), (before, before));
    disk.set_capacity(u64::MAX);
    let due = |at| store.core.lock_head().due(at).len();
    assert_eq!((due(20), due(50)), (0, 1));
    assert_eq!(put("new", b"", None).unwrap().revision, before + 1);
    assert_eq!(store.get("/registry/a/kept").unwrap().bytes(), "1");
    assert!(store.failure().is_none());
}

#[test]
fn what_cannot_be_read_is_not_taken_for_empty() {
    for seed in 1..=40u64 {
        let disk = Disk::new(seed);
        let mut history = History::default();
        let (store, plan) = open(Arc::new(disk.clone()), resources(), options()).unwrap();
        work(&store, &plan, &mut history, &mut Random::new(seed), 60);
        drop(store);
        disk.arm(disk.random(10), Fault::Read);
        let opened = open(Arc::new(disk.clone()), resources(), options());
        match opened {
            Err(err) => assert!(err.to_string().contains("input/output error"), "seed {seed}: {err}"),
            Ok((store, _)) => {
                assert!(disk.is_armed(), "seed {seed}: a failed read was not noticed");
                history.check(&store, &format!("seed {seed}"));
            }
        }
        disk.arm(u64::MAX, Fault::Read);
        let (store, _) = open(Arc::new(disk.after_kill()), resources(), options()).unwrap();
        history.check(&store, &format!("seed {seed}"));
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
    let commit = |n: u32| {
        let (outcome, pending) = store.core.submit(put(n));
        store.core.wait_blocking(pending).and(outcome)
    };
    commit(1).unwrap();
    disk.arm(1, Fault::Sync);
    for n in 2..4 {
        match commit(n) {
            Err(CommitError::Unavailable(why)) => assert!(why.contains("input/output error"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(store.failure().is_some());
    let told = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.troubles().next());
    assert!(told.is_some_and(|why| why.contains("input/output error")), "also whoever listens later");
    assert!(store.get("/registry/a/1").is_some() && store.get("/registry/a/2").is_none(), "reading goes on");
}

#[test]
fn space_is_given_back_when_objects_are_deleted() {
    let disk = Disk::new(3);
    let (store, plan) = open(Arc::new(disk.clone()), resources(), options()).unwrap();
    let commit = |op| {
        let (outcome, pending) = store.core.submit(vec![op]);
        store.core.wait_blocking(pending).and(outcome).unwrap()
    };
    let key = |n: u32| format!("/registry/a/{n:03}");
    let keep_house = || {
        prepare_segment(&plan, &|| false).unwrap();
        checkpoint_when_due(&store.core, &plan).unwrap();
    };
    for round in 0..20 {
        for n in 0..100 {
            let bytes = Bytes::from(vec![round; 1000]);
            commit(Op::Put { key: key(n), bytes, meta: Meta::default(), expect: Expect::Any });
            keep_house();
        }
        store.compact(store.revision());
    }
    // 100 KB of objects, as much of a log and segments.
    assert!(disk.used_bytes() < 400_000, "{} after writing 2 MB", disk.used_bytes());
    let remembered = store.revision();
    (0..95).for_each(|n| drop(commit(Op::Delete { key: key(n), expect: Expect::Any })));
    keep_house();
    assert!(disk.used_bytes() > 100_000 && store.snapshot_at("/registry/a/", remembered).is_ok(), "still remembered");
    store.compact(store.revision());
    keep_house();
    assert!(disk.used_bytes() < 60_000, "{} for 5 KB of objects", disk.used_bytes());
    let used = disk.used_bytes();
    keep_house();
    assert_eq!(disk.used_bytes(), used, "nothing is written again and again");
}

/// A write may end anywhere, also within the zeros after a frame.
#[test]
fn a_write_that_ends_anywhere_is_gone_on_from() {
    let put = |n: usize| {
        let key = format!("/registry/a/{n}");
        vec![Op::Put { key, bytes: Bytes::from(vec![7; 100 + n]), meta: Meta::default(), expect: Expect::Any }]
    };
    for (cut, n) in (0..40).flat_map(|cut| (0..8).map(move |n| (cut, n))) {
        let context = format!("{cut} bytes short, object {n}");
        let mut disk = Disk::new(1);
        for life in 0..3 {
            let (store, _) = open(Arc::new(disk.clone()), resources(), options()).expect(&context);
            if life == 2 {
                assert!(store.get(&format!("/registry/a/{}", n + 1)).is_some(), "{context}");
                break;
            }
            let (outcome, pending) = store.core.submit(put(n + life));
            store.core.wait_blocking(pending).and(outcome).expect(&context);
            // Killed, so that there is no mark at the end.
            let killed = disk.after_kill();
            drop(store);
            disk = killed;
            if life == 0 {
                let file = disk.open("log-00000000000000000001").unwrap();
                file.truncate(file.len().unwrap() - cut).unwrap();
            }
        }
    }
}

#[test]
fn damage_is_refused() {
    let disk = Disk::new(9);
    let mut history = History::default();
    let (store, plan) = open(Arc::new(disk.clone()), resources(), options()).unwrap();
    let mut random = Random::new(77);
    work(&store, &plan, &mut history, &mut random, 150);
    checkpoint(&store.core, &plan, store.revision() - 20).unwrap();
    work(&store, &plan, &mut history, &mut random, 20);
    drop(store);
    let (mut refused, mut unharmed) = (0, 0);
    for _ in 0..400 {
        let copy = disk.after_power_loss();
        copy.damage(&mut random);
        match open(Arc::new(copy), resources(), options()) {
            Err(err) => {
                assert_eq!(err.kind(), io::ErrorKind::InvalidData, "{err}");
                refused += 1;
            }
            // In unused space, or in the mark at the end.
            Ok((store, _)) => {
                history.check(&store, "damaged");
                unharmed += 1;
            }
        }
    }
    assert!(refused > 200 && refused > unharmed, "{refused} refused, {unharmed} not");
    let foreign = disk.after_power_loss();
    foreign.create("log-00000000000000000099").unwrap().write_at(&[b'x'; 100], 0).unwrap();
    assert!(open(Arc::new(foreign), resources(), options()).is_err());
}
