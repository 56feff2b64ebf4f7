//! A server is backed up while it is written to, and another one made of the backup.

mod process;

use process::{Process, config_map};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

const PATH: &str = "/api/v1/namespaces/default/configmaps";

/// Exit code and what was said.
fn kybern(subcommand: &str, data: &Path, file: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kybern"));
    let output = command.arg(subcommand).arg("--data-dir").arg(data).arg(file).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Creates objects until `done`; returns names and revisions of those that were acknowledged.
fn load(server: &Process, writer: usize, done: &AtomicBool) -> BTreeMap<String, u64> {
    let mut made = BTreeMap::new();
    for n in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("w{writer}-{n}");
        let (code, object) = server.call("POST", PATH, &config_map(&name, &"x".repeat(200)));
        assert_eq!(code, 201, "{name}");
        made.insert(name, revision(&object));
    }
    made
}

fn revision(object: &meta::Value) -> u64 {
    object["metadata"]["resourceVersion"].str().parse().expect("a number")
}

fn listed(server: &Process) -> BTreeMap<String, u64> {
    let (code, list) = server.call("GET", PATH, "");
    assert_eq!(code, 200);
    let items = list["items"]
        .as_array()
        .unwrap_or_default()
        .iter()
        .map(|item| (item["metadata"]["name"].str().to_owned(), revision(item)));
    items.filter(|(name, _)| name.starts_with('w')).collect()
}

#[test]
fn a_backup_during_writes_is_one_state_and_makes_a_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("backup"));
    let server = Process::start(&old);
    let done = AtomicBool::new(false);
    let (mut made, mut known_before, mut said) = (BTreeMap::new(), BTreeMap::new(), String::new());
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (server, done) = (&server, &done);
                scope.spawn(move || load(server, writer, done))
            })
            .collect();
        while known_before.len() < 100 {
            known_before = listed(&server);
        }
        let (fine, text) = kybern("backup", &old, &file);
        assert!(fine, "{text}");
        said = text;
        let so_far = listed(&server).len();
        while listed(&server).len() < so_far + 20 {}
        done.store(true, Ordering::Relaxed);
        made.extend(writers.into_iter().flat_map(|writer| writer.join().expect("it wrote")));
    });
    let seen = *made.values().max().expect("some");
    let certificate = std::fs::read(old.join("pki/ca.crt")).expect("a certificate");
    drop(server);

    let revision_of_backup: u64 =
        said.split_whitespace().nth(5).and_then(|word| word.trim_matches(',').parse().ok()).expect(&said);
    assert!(kybern("restore", &old, &file).1.contains("is not empty"));
    let (fine, text) = kybern("restore", &new, &file);
    assert!(fine, "{text}");
    assert_eq!(std::fs::read(new.join("pki/ca.crt")).expect("a certificate"), certificate);
    let server = Process::start(&new);
    let restored = listed(&server);
    let wanted: BTreeMap<_, _> = made.iter().filter(|(_, at)| **at <= revision_of_backup).collect();
    assert!(restored.iter().eq(wanted), "not the state at {revision_of_backup}");
    assert!(known_before.keys().all(|name| restored.contains_key(name)), "what was acknowledged before is in it");

    let (_, next) = server.call("POST", PATH, &config_map("w-next", ""));
    assert!(revision(&next) > seen, "later than everything that clients have seen");
    let (_, gone) = server.call("GET", &format!("{PATH}?watch=1&resourceVersion={seen}"), "");
    assert_eq!((gone["type"].str(), gone["object"]["code"].int()), ("ERROR", 410), "clients list again");
}

#[test]
fn a_damaged_backup_is_refused_and_an_unfinished_restore_is_not_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("backup"));
    drop(Process::start(&old));
    assert!(kybern("backup", &new, &file).1.contains("No such file"), "there is nothing");
    let (fine, text) = kybern("backup", &old, &file);
    assert!(fine, "a server that does not run can be backed up too: {text}");
    assert!(kybern("backup", &old, &file).1.contains("exists"), "nothing is overwritten");
    let mut bytes = std::fs::read(&file).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = dir.path().join("damaged");
    std::fs::write(&damaged, bytes).expect("a file");
    let (fine, text) = kybern("restore", &new, &damaged);
    assert!(!fine && text.contains("damaged is damaged"), "{text}");
    assert!(std::fs::read_dir(&new).map_or(0, Iterator::count) == 0, "nothing is left");
    std::fs::create_dir_all(new.join("restoring/store")).expect("a directory");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_kybern"));
    let output = serve.args(["serve", "--secure-port=0", "--data-dir"]).arg(&new).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("a restore did not finish"));
}
