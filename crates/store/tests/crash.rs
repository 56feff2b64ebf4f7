//! A process under load is killed at random moments; what it acknowledged is there afterwards.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use store::{Expect, Meta, Op, Options, Resource, Store};

const DIRECTORY: &str = "KYBERN_STORE_CRASH_DIRECTORY";
const WRITERS: u64 = 8;

fn open(directory: &Path) -> Store {
    let pods = Resource {
        prefix: "/registry/pods/".into(),
        extract: Arc::new(|_, _| Ok(Meta::default())),
        field_names: Vec::new(),
    };
    let options = Options { segment_bytes: 256 << 10, ..Options::default() };
    Store::open_embedded(directory, vec![pods], options).unwrap()
}

/// Not a test by itself: the process that is killed. Prints "key number" for each acknowledged write.
#[test]
fn child_writes() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let store = open(directory.as_ref());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            runtime.spawn(async move {
                for round in 0u64.. {
                    let key = format!("/registry/pods/ns/{writer}-{}", round % 50);
                    let before = store.get(&key).map(|object| number(&object.bytes));
                    let next = before.map_or(1, |number| number + 1);
                    let bytes = Bytes::from(format!("{next} {}", "x".repeat(500)));
                    let op = Op::Put { key: key.clone(), bytes, meta: Meta::default(), expect: Expect::Any };
                    store.commit(vec![op]).await.unwrap();
                    writeln!(std::io::stdout(), "acknowledged {key} {next}").unwrap();
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

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    let directory = std::env::temp_dir().join(format!("kybern-store-crash-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    let mut random = u64::from(std::process::id()) * 2_654_435_761 + 1;
    for life in 0..12 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let lines_max = 20 + (random >> 33) % 600;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_writes", "--exact", "--nocapture"])
            .env(DIRECTORY, &directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut count = 0;
        // After the kill the pipe still holds what was acknowledged before.
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let mut words = line.split(' ').skip_while(|word| !word.ends_with("acknowledged")).skip(1);
            if let (Some(key), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) {
                acknowledged.insert(key.to_owned(), number);
                count += 1;
            }
            if count == lines_max {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(count >= lines_max, "the child ended by itself");
        let store = open(&directory);
        for (key, wanted) in &acknowledged {
            let found = store.get(key).map_or(0, |object| number(&object.bytes));
            assert!(
                found == *wanted || found == wanted + 1,
                "life {life}: {key} is {found}, {wanted} was acknowledged"
            );
        }
    }
    let _ = std::fs::remove_dir_all(&directory);
}
