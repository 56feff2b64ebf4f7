//! Backups of a store that is written and compacted meanwhile, and stores made of them.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Attachment, Compacted, Expect, Meta, Op, Options, Resource, Store};

const PREFIXES: [&str; 2] = ["/registry/a/", "/registry/b/"];

fn open(directory: &Path) -> Store {
    let resource = |prefix: &str| Resource {
        prefix: prefix.into(),
        extract: Arc::new(|_, _| Ok(Meta::default())),
        field_names: Vec::new(),
        canonical: None,
        in_etcd: None,
    };
    // A checkpoint every few hundred writes.
    let options = Options { segment_bytes: 32 << 10, disk_log_bytes_max: 64 << 10, ..Options::default() };
    Store::open_embedded(directory, PREFIXES.map(resource).to_vec(), options).unwrap()
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("kybern-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn put(n: u64, prefix: &str) -> Op {
    let bytes = Bytes::from(format!("{n} {}", "x".repeat(300)));
    Op::Put { key: format!("{prefix}{}", n % 40), bytes, meta: Meta::default(), expect: Expect::Any }
}

type State = BTreeMap<String, (u64, Bytes)>;

fn state(store: &Store) -> State {
    let snapshots = PREFIXES.map(|prefix| store.snapshot(prefix));
    let objects = snapshots.iter().flat_map(|snapshot| snapshot.iter());
    objects.map(|object| (object.key.to_string(), (object.revision, object.bytes()))).collect()
}

#[test]
fn a_backup_is_one_state_of_a_store_that_goes_on() {
    let scratch = Scratch::new("backup");
    let store = open(&scratch.path("store"));
    let done = AtomicBool::new(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut backups = Vec::new();
    // What was written, by revision.
    let mut log: BTreeMap<u64, Vec<Op>> = BTreeMap::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2u64)
            .map(|writer| {
                let (store, done, runtime) = (&store, &done, runtime.handle());
                scope.spawn(move || {
                    let mut log = Vec::new();
                    for n in 0.. {
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        // Whole or not at all.
                        let mut ops = vec![put(n * 2 + writer, PREFIXES[0]), put(n * 2 + writer, PREFIXES[1])];
                        if n % 7 == 6 {
                            let Op::Put { key, .. } = put((n - 5) * 2 + writer, PREFIXES[0]) else { unreachable!() };
                            ops[0] = Op::Delete { key, expect: Expect::Any };
                        }
                        if let Ok(committed) = runtime.block_on(store.commit(ops.clone())) {
                            log.push((committed.revision, ops));
                        }
                    }
                    log
                })
            })
            .collect();
        let mut revision = 0;
        for number in 0..25 {
            // Some writes between any two.
            while store.revision() < revision + 60 {
                std::thread::yield_now();
            }
            let before = store.revision();
            let target = scratch.path(&format!("backup-{number}"));
            let attachment = Attachment { name: "pki/ca.crt".into(), bytes: Bytes::from(vec![number; 3000]) };
            let backup = store::backup(&scratch.path("store"), &target, &[attachment]).unwrap();
            assert!(backup.revision >= before, "{backup:?} misses what was acknowledged before: {before}");
            revision = backup.revision;
            backups.push((target, backup));
        }
        done.store(true, Ordering::Relaxed);
        log.extend(writers.into_iter().flat_map(|writer| writer.join().unwrap()));
    });
    for (number, (target, backup)) in backups.into_iter().enumerate() {
        let directory = scratch.path(&format!("restored-{number}"));
        let restored = store::restore(&target, &directory).unwrap();
        assert_eq!((restored.revision, restored.objects), (backup.revision, backup.objects));
        assert_eq!(restored.attachments[0].bytes, vec![number as u8; 3000]);
        let mut wanted = State::new();
        for (revision, ops) in log.range(..=backup.revision) {
            for op in ops {
                match op {
                    Op::Put { key, bytes, .. } => drop(wanted.insert(key.clone(), (*revision, bytes.clone()))),
                    Op::Delete { key, .. } => drop(wanted.remove(key)),
                }
            }
        }
        assert!(state(&open(&directory)) == wanted, "backup {number} at {}", backup.revision);
    }
    let names = std::fs::read_dir(scratch.path("store")).unwrap();
    assert!(names.count() < 20, "it was compacted all the time");
}

#[test]
fn a_restored_store_begins_after_everything_that_clients_have_seen() {
    let scratch = Scratch::new("restored");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = open(&scratch.path("store"));
    for n in 0..10 {
        runtime.block_on(store.commit(vec![put(n, PREFIXES[0])])).unwrap();
    }
    let backup = store::backup(&scratch.path("store"), &scratch.path("backup"), &[]).unwrap();
    let known = store.revision();
    assert_eq!((backup.revision, backup.objects), (known, 10));
    // Clients see more after the backup.
    let seen = (0..500).map(|n| runtime.block_on(store.commit(vec![put(n, PREFIXES[0])])).unwrap().revision).max();
    let seen = seen.unwrap();
    let kept = state(&store);
    drop(store);
    let restored = store::restore(&scratch.path("backup"), &scratch.path("new")).unwrap();
    for restart in 0..2 {
        let store = open(&scratch.path("new"));
        assert_eq!(store.revision(), restored.newest + restart, "nothing is lost by a restart");
        for asked in [0, known, seen] {
            let refused = Compacted { oldest: restored.newest };
            assert_eq!(store.watch(PREFIXES[0], asked).unwrap_err(), refused, "history begins here");
        }
        assert_eq!(store.get("/registry/a/3").unwrap().revision, 5, "objects have the revisions that they had");
        assert_ne!(state(&store), kept);
        let next = runtime.block_on(store.commit(vec![put(restart + 50, PREFIXES[1])])).unwrap();
        assert!(next.revision > seen && next.revision == restored.newest + restart + 1);
        let mut cursor = store.watch(PREFIXES[1], restored.newest + restart).unwrap();
        assert_eq!(cursor.try_next().unwrap().unwrap().revision, next.revision);
    }
}

#[test]
fn what_is_no_backup_is_refused_and_nothing_is_overwritten() {
    let scratch = Scratch::new("refused");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = open(&scratch.path("store"));
    for n in 0..30 {
        runtime.block_on(store.commit(vec![put(n, PREFIXES[0])])).unwrap();
    }
    let (source, target) = (scratch.path("store"), scratch.path("backup"));
    store::backup(&source, &target, &[]).unwrap();
    assert_eq!(store::backup(&source, &target, &[]).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert!(store::backup(&scratch.path("nothing"), &scratch.path("x"), &[]).is_err());
    assert!(store::restore(&target, &source).unwrap_err().to_string().ends_with("is not empty"));
    let whole = std::fs::read(&target).unwrap();
    let refuses = |bytes: &[u8], what: &str| {
        let (damaged, directory) = (scratch.path("damaged"), scratch.path("new"));
        std::fs::write(&damaged, bytes).unwrap();
        let refused = store::restore(&damaged, &directory).unwrap_err();
        assert!(refused.to_string().starts_with("damaged "), "{what}: {refused}");
        assert!(!directory.exists(), "{what}: nothing is written");
    };
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        // Between frames there may be up to seven bytes that nobody reads.
        if whole[at] != 0 {
            refuses(&bytes, &format!("byte {at}"));
        }
        refuses(&whole[..at], &format!("cut at {at}"));
    }
    drop(store);
    for file in std::fs::read_dir(&source).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap() != "LOCK" {
            refuses(&std::fs::read(&path).unwrap(), &format!("{} is no backup", path.display()));
        }
    }
}
