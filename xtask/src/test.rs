//! `cargo xtask test` and `cargo xtask bench`.

use std::process::Command;

use crate::tools::{self, Server};
use crate::{clients, repo, schema, wire};

/// Everything that shows whether the project works.
pub fn run(args: &[String]) -> Result<(), String> {
    if !args.iter().any(|arg| arg == "--no-install") {
        tools::install_missing();
    }
    let mut test = Command::new("cargo");
    // All that fails is told at once.
    test.args(["test", "--workspace", "--no-fail-fast"]);
    if let Some(path) = schema::fetch() {
        test.env("KYBERN_DEFINITIONS", path);
    }
    tools::run(&mut test)?;
    if repo::root().join("tests/kube-rs/Cargo.toml").exists() {
        tools::run(Command::new("cargo").args(["test", "--manifest-path", "tests/kube-rs/Cargo.toml"]))?;
    }
    clients::run(&[])?;
    wire::run(&["--floors".to_owned()])
}

/// How many times a server is started to find its usual start time.
const STARTS: usize = 5;

/// What a short run of the load generator does: enough to see that nothing has become many times slower.
const SHORT: &[&str] = &["--pods", "500", "--calls", "1000", "--watchers", "50", "--watched-changes", "50"];

/// Start time and memory of the release build, then its load generator: shortly, or as the arguments say.
pub fn bench(args: &[String]) -> Result<(), String> {
    let release = !args.iter().any(|arg| arg == "--debug");
    let mut starts = vec![];
    let mut memory = None;
    for _ in 0..STARTS {
        let server = Server::start(release)?;
        starts.push(server.ready_after.as_millis());
        std::thread::sleep(std::time::Duration::from_millis(500));
        memory = server.memory_kib();
    }
    starts.sort_unstable();
    println!("ready on an empty directory after {:?} ms", starts);
    println!("idle memory {} KiB", memory.map_or("unknown".into(), |kib| kib.to_string()));
    let given: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--debug").collect();
    tools::run(Command::new(tools::build(release)?).arg("bench").args(if given.is_empty() { SHORT } else { &given }))
}
