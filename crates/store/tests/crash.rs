//! A process under load is killed at random moments, 500 times; what it acknowledged is there afterwards.
//!
//! What the system had not written yet survives a killed process. Lost power is played in `src/embedded/faults.rs`.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use store::{Expect, Meta, Op, Options, Resource, Store};

const DIRECTORY: &str = "KYBERN_STORE_CRASH_DIRECTORY";
const WRITERS: u64 = 8;
const LIVES: u64 = 500;
/// One test at a time: a process that another thread is just starting has all open files of this one, locks too.
static ALONE: Mutex<()> = Mutex::new(());

/// Small files and a short history: segments change and checkpoints are written many times in every life.
fn open(directory: &Path, upkeep: bool) -> std::io::Result<Store> {
    let pods = Resource {
        prefix: "/registry/pods/".into(),
        extract: Arc::new(|_, _| Ok(Meta::default())),
        field_names: Vec::new(),
        canonical: None,
        in_etcd: None,
    };
    let options = Options { segment_bytes: 32 << 10, disk_log_bytes_max: 64 << 10, upkeep, ..Options::default() };
    Store::open_embedded(directory, vec![pods], options)
}

/// Not a test by itself: the process that is killed. Prints "key number revision" for each acknowledged write.
#[test]
fn child_writes() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    writeln!(std::io::stdout(), "opening").unwrap();
    let store = open(directory.as_ref(), true).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            runtime.spawn(async move {
                for round in 0u64.. {
                    let key = format!("/registry/pods/ns/{writer}-{}", round % 10);
                    let before = store.get(&key).map(|object| number(&object.bytes()));
                    let next = before.map_or(1, |number| number + 1);
                    let bytes = Bytes::from(format!("{next} {}", "x".repeat(400)));
                    let op = Op::Put { key: key.clone(), bytes, meta: Meta::default(), expect: Expect::Any };
                    let revision = store.commit(vec![op]).await.unwrap().revision;
                    writeln!(std::io::stdout(), "acknowledged {key} {next} {revision}").unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        runtime.block_on(writer).unwrap();
    }
}

fn number(bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn spawn(directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child_writes", "--exact", "--nocapture"]).env(DIRECTORY, directory);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// A directory that is made by the test and goes away with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("kybern-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was acknowledged: numbers and revisions by key.
type Acknowledged = BTreeMap<String, (u64, u64)>;

/// Runs a process until so many writes are acknowledged, then kills it. With 0 it is killed while it opens.
fn live_and_die(directory: &Path, lines_max: u64, acknowledged: &mut Acknowledged) {
    let mut child = spawn(directory);
    let mut count = 0;
    // After the kill the pipe still holds what was acknowledged before. Its last line may be cut off.
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ').skip_while(|word| !word.ends_with("acknowledged")).skip(1);
        let mut next = || words.next();
        if let (Some(key), Some(Ok(number)), Some(Ok(revision))) =
            (next(), next().map(str::parse), next().map(str::parse))
        {
            let known = acknowledged.entry(key.to_owned()).or_default();
            *known = (*known).max((number, revision));
            count += 1;
        }
        if count >= lines_max && (count > 0 || line.contains("opening")) {
            // Again for each line that follows; it makes no difference.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(count >= lines_max, "the child ended by itself");
}

/// What is found is known from then on: it must not go away in a later life.
fn check(store: &Store, acknowledged: &mut Acknowledged, context: &str) {
    for (key, (wanted, revision)) in acknowledged.iter_mut() {
        let object = store.get(key).unwrap_or_else(|| panic!("{context}: {key} is gone"));
        let found = number(&object.bytes());
        // The write after the last one that was acknowledged may have happened.
        assert!(found == *wanted || found == *wanted + 1, "{context}: {key} is {found}, {wanted} was acknowledged");
        assert_eq!(found == *wanted, object.revision == *revision, "{context}: {key} at {}", object.revision);
        assert!(object.revision >= *revision && store.revision() >= *revision, "{context}: {key}");
        (*wanted, *revision) = (found, object.revision);
    }
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = Scratch::new("crash");
    let seed = u64::from(std::process::id());
    let mut acknowledged = Acknowledged::new();
    let mut random = seed;
    for life in 0..LIVES {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lines_max = match (random >> 33) % 10 {
            0 => 0,
            1..8 => (random >> 40) % 60,
            _ => (random >> 40) % 400,
        };
        live_and_die(&directory.0, lines_max, &mut acknowledged);
        let store = open(&directory.0, false).unwrap_or_else(|err| panic!("seed {seed}, life {life}: {err}"));
        check(&store, &mut acknowledged, &format!("seed {seed}, life {life}"));
    }
    let files = std::fs::read_dir(&directory.0).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: Vec<String> = files.collect();
    assert!(files.len() < 60 && files.iter().any(|name| name.starts_with("checkpoint-")), "{files:?}");
}

#[test]
fn a_directory_belongs_to_one_process_until_it_ends() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = Scratch::new("lock");
    let mut child = spawn(&directory.0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("acknowledged")));
    let refused = open(&directory.0, false).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
    assert!(refused.to_string().ends_with("is in use by another process"), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(&directory.0, false).unwrap();
    assert!(open(&directory.0, false).is_err(), "nor twice by one process");
    drop(store);
    open(&directory.0, false).unwrap();
}
