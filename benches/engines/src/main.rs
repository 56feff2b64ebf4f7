//! The engines that the embedded store was chosen among, on the work that a Kubernetes API server has: objects of 8 KB,
//! 32 writers who each wait for a sync, everything in memory after a start, the same objects written again and again.
//!
//! `cargo run --release` runs all and prints a table; `-- NAME` runs one. redb and fjall have no group commit of their own:
//! here a thread gives them what has gathered as one durable batch, as kybern's does. surrealkv has its own.
//! The own log is measured as the whole store that it is: with objects, indexes and the history of watches in memory.

mod engines;

use engines::{ENGINES, Engine};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WRITERS: usize = 32;
const OBJECTS: usize = 20_000;
const UPDATES: usize = 40_000;
const VALUE_BYTES: usize = 8 << 10;

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else { return run_all() };
    let dir = std::env::temp_dir().join(format!("kybern-engines-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    let (_, open) = ENGINES.iter().find(|(known, _)| *known == name).expect("an engine's name");
    println!("| {name} | {} |", measure(&dir, *open).join(" | "));
    let _ = std::fs::remove_dir_all(&dir);
}

/// Each in a process of its own, so that memory and CPU are its own.
fn run_all() {
    println!(
        "| engine | puts | CPU per put | p99 | start with {OBJECTS} | RSS then | disk after {UPDATES} updates | after deleting 90 % |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, _) in ENGINES {
        let itself = std::env::current_exe().expect("this program");
        std::process::Command::new(itself).arg(name).status().expect("it runs");
    }
}

fn measure(dir: &Path, open: fn(&Path) -> Box<dyn Engine>) -> Vec<String> {
    let mut cells = Vec::new();
    let engine = open(dir);
    let (before, began) = (cpu_seconds(), Instant::now());
    let mut latencies = write(&*engine, OBJECTS, |n| (n, Some(value(n))));
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - before);
    latencies.sort_unstable();
    cells.push(format!("{:.0}/s", OBJECTS as f64 / seconds));
    cells.push(format!("{:.0} µs", cpu / OBJECTS as f64 * 1e6));
    cells.push(format!("{:.1} ms", latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3));
    drop(engine);

    let (before, began) = (cpu_seconds(), Instant::now());
    let engine = open(dir);
    let loaded = engine.load();
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - before);
    cells.push(format!("{seconds:.2} s, {cpu:.2} s of CPU"));
    assert_eq!(loaded.len(), OBJECTS);
    cells.push(format!("{} MiB", rss_mib()));
    drop(loaded);

    write(&*engine, UPDATES, |n| (n * 7 % OBJECTS, Some(value(n + 1))));
    cells.push(format!("{:.0} MiB", settled_mib(dir)));
    write(&*engine, OBJECTS / 10 * 9, |n| (n, None));
    cells.push(format!("{:.0} MiB", settled_mib(dir)));
    cells
}

/// Each of the writers waits for its write before it makes the next.
fn write(engine: &dyn Engine, count: usize, what: impl Fn(usize) -> (usize, Option<Vec<u8>>) + Sync) -> Vec<Duration> {
    let next = AtomicUsize::new(0);
    let writer = || {
        let mut latencies = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return latencies;
            }
            let (key, value) = what(n);
            let began = Instant::now();
            engine.write(key_of(key), value);
            latencies.push(began.elapsed());
        }
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("it wrote")).collect()
    })
}

fn key_of(n: usize) -> String {
    format!("/registry/pods/default/pod-{n:08}")
}

/// Bytes that do not compress.
fn value(n: usize) -> Vec<u8> {
    let mut state = n as u64 * 0x9E37_79B9_7F4A_7C15 + 1;
    let words = (0..VALUE_BYTES / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}

/// What the files take when the engine has had a while to tidy up.
fn settled_mib(dir: &Path) -> f64 {
    let mut least = f64::MAX;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        std::thread::sleep(Duration::from_millis(200));
        least = least.min(disk_mib(dir));
    }
    least
}

/// Blocks, not lengths: a file may be larger than what it takes.
fn disk_mib(dir: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => disk_mib(&entry.path()),
            // It may be gone by now.
            data => data.map_or(0.0, |data| data.blocks() as f64 * 512.0 / f64::from(1 << 20)),
        })
        .sum()
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    (fields[11].parse::<f64>().expect("ticks") + fields[12].parse::<f64>().expect("ticks")) / 100.0
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
