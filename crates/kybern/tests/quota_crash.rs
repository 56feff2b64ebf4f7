//! A quota is never exceeded, whenever the server dies: what is used, what there is and what was acknowledged agree after
//! each new start.

mod process;

use meta::Value;
use process::Process;
use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const COUNT: &str = "count/leases.coordination.k8s.io";
const HARD: usize = 60;
const WRITERS: usize = 8;
const CRASHES: usize = 4;
/// How long the server may take to count again what went away. (Nobody waits as long when all is well.)
const COUNTED_TIME_MAX: Duration = Duration::from_secs(60);

fn random_below(below: usize) -> usize {
    RandomState::new().hash_one(0) as usize % below.max(1)
}

fn names(server: &Process) -> BTreeSet<String> {
    let (code, list) = server.call("GET", LEASES, "");
    assert_eq!(code, 200);
    list["items"].items().iter().map(|item| item["metadata"]["name"].str().to_owned()).collect()
}

fn used(server: &Process) -> usize {
    let (code, quota) = server.call("GET", &format!("{QUOTAS}/q"), "");
    assert_eq!(code, 200);
    quota["status"]["used"][COUNT].str().parse().expect("a number")
}

/// Many writers make leases until the server is killed, after some of them were acknowledged. Returns those.
fn write_and_crash(server: &Process, cycle: usize, acknowledged_max: usize) -> BTreeSet<String> {
    let (tell, told) = mpsc::channel::<String>();
    let write = |writer: usize, tell: mpsc::Sender<String>| {
        for n in 0.. {
            let name = format!("c{cycle}-w{writer}-{n}");
            let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
            match server.ask("POST", LEASES, &body) {
                Ok((201, _)) => drop(tell.send(name)),
                Ok((403, why)) => {
                    let refused = meta::json::parse(why.as_bytes()).map(|parsed| parsed.value).unwrap_or_default();
                    assert!(refused["message"].str().contains("exceeded quota: q"), "{refused:?}");
                    return;
                }
                Ok((code, why)) => panic!("{code} {why}"),
                // It is dead; who is not answered knows nothing.
                Err(_) => return,
            }
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let tell = tell.clone();
            scope.spawn(move || write(writer, tell));
        }
        drop(tell);
        let mut made: BTreeSet<String> = told.iter().take(acknowledged_max).collect();
        let killed = Command::new("kill").args(["-KILL", &server.child.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        made.extend(told.iter());
        made
    })
}

/// What must agree, right after a start.
fn check(server: &Process, before: &BTreeSet<String>, made: &BTreeSet<String>, what: &str) -> BTreeSet<String> {
    let there = names(server);
    assert_eq!(used(server), there.len(), "{what}: used is what there is");
    assert!(there.len() <= HARD, "{what}: {} of {HARD}", there.len());
    assert!(made.is_subset(&there) && before.is_subset(&there), "{what}: what was acknowledged is there");
    there
}

fn start(data: &Path) -> (Process, BTreeSet<String>) {
    let server = Process::start(data);
    let quota = format!(r#"{{"metadata":{{"name":"q"}},"spec":{{"hard":{{"{COUNT}":"{HARD}"}}}}}}"#);
    assert_eq!(server.call("POST", QUOTAS, &quota).0, 201);
    let status =
        format!(r#"{{"metadata":{{"name":"q"}},"status":{{"hard":{{"{COUNT}":"{HARD}"}},"used":{{"{COUNT}":"0"}}}}}}"#);
    let (code, why): (u16, Value) = server.call("PUT", &format!("{QUOTAS}/q/status"), &status);
    assert_eq!(code, 200, "{why:?}");
    let there = names(&server);
    (server, there)
}

#[test]
fn a_quota_survives_crashes() {
    let data = tempfile::tempdir().expect("a directory");
    let (mut server, mut there) = start(data.path());
    for cycle in 0..CRASHES {
        let acknowledged = 1 + random_below(HARD / 2);
        let what = format!("crash {cycle} after {acknowledged} writes");
        let made = write_and_crash(&server, cycle, acknowledged);
        drop(server);
        server = Process::start(data.path());
        there = check(&server, &there, &made, &what);
    }
    // What goes away is counted again, and then there is room for exactly as much.
    let gone: Vec<String> = there.iter().take(there.len() / 2).cloned().collect();
    for name in &gone {
        assert_eq!(server.call("DELETE", &format!("{LEASES}/{name}"), "").0, 200);
    }
    let deadline = Instant::now() + COUNTED_TIME_MAX;
    while used(&server) != there.len() - gone.len() {
        assert!(Instant::now() < deadline, "{} are counted, {} there", used(&server), names(&server).len());
    }
    let made = write_and_crash(&server, CRASHES, usize::MAX);
    assert_eq!(made.len(), HARD - (there.len() - gone.len()));
    drop(server);
    server = Process::start(data.path());
    assert_eq!(check(&server, &BTreeSet::new(), &made, "all is used").len(), HARD);
}
