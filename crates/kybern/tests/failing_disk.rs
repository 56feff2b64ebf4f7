//! A disk that fails: nothing more is acknowledged, everybody is told why, reading goes on, and nothing is lost.

mod process;

use process::{Process, config_map};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const PATH: &str = "/api/v1/namespaces/default/configmaps";

/// Writes until it is refused; returns what was acknowledged, and the refusal.
fn write_until_refused(server: &Process) -> (BTreeSet<String>, meta::Value) {
    let mut made = BTreeSet::new();
    for n in 0..10_000 {
        let name = format!("w{n}");
        match server.call("POST", PATH, &config_map(&name, &"x".repeat(20_000))) {
            (201, _) => drop(made.insert(name)),
            (503, refused) => return (made, refused),
            (code, other) => panic!("{code} {}", meta::json::to_string(&other)),
        }
    }
    panic!("it was never refused");
}

fn listed(server: &Process) -> BTreeSet<String> {
    let (code, list) = server.call("GET", PATH, "");
    assert_eq!(code, 200);
    let items = list["items"].as_array().unwrap_or_default().iter();
    items.map(|item| item["metadata"]["name"].str().to_owned()).filter(|name| name.starts_with('w')).collect()
}

/// A directory with what the first start writes: how often that is synced depends on the machine.
fn prepared(data: &Path) {
    drop(Process::start(data));
}

/// `said` is a part of what the system says of the failure.
fn check(server: Process, data: &Path, said: &str) {
    let (made, refused) = write_until_refused(&server);
    let text = refused["message"].str();
    assert!(text.contains("the store is unavailable: writing log-") && text.contains(said), "{text}");
    assert_eq!(refused["reason"].str(), "ServiceUnavailable");
    assert_eq!(server.call("POST", PATH, &config_map("later", "")).0, 503, "for good");
    assert_eq!(server.call("DELETE", &format!("{PATH}/w0"), "").0, 503);
    assert_eq!(server.call("GET", &format!("{PATH}/w0"), "").0, 200);
    assert_eq!(listed(&server), made, "what was not acknowledged is not seen");
    for (path, wanted) in [
        ("/readyz", "[-]informer-sync failed"),
        ("/livez", "[-]etcd failed"),
        ("/livez/etcd", said),
        ("/readyz/poststarthook/storage-readiness", said),
    ] {
        let (code, body) = server.ask("GET", path, "").expect("an answer");
        assert!(code == 500 && body.contains(wanted), "{path}: {code} {body}");
    }
    let log = server.end();
    assert!(log.contains("no writes are accepted until") && log.contains(said), "{log}");
    let server = Process::start(data);
    let there = listed(&server);
    // The write that failed may have reached the disk.
    assert!(
        there.is_superset(&made) && there.len() <= made.len() + 1,
        "{} were made, {} there",
        made.len(),
        there.len()
    );
    assert_eq!(server.call("POST", PATH, &config_map("later", "")).0, 201);
}

#[test]
fn a_write_that_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    // The log may grow to 2 MiB; beyond that, writes fail instead of ending the process.
    prepared(&data);
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "bash"]);
    check(Process::start_by(limited, &data), &data, "File too large");
}

#[test]
fn a_sync_that_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    // As a grandchild (-D), so that the process that is started is the server.
    let injects = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e"];
    let works = Command::new("strace").args(injects).args(["inject=fdatasync:error=EIO:when=1", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("strace cannot inject faults here: nothing is tested");
        return;
    }
    prepared(&data);
    let mut failing = Command::new("strace");
    failing.args(injects).arg("inject=fdatasync:error=EIO:when=100+");
    check(Process::start_by(failing, &data), &data, "Input/output error");
}
