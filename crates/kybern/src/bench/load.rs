//! Many calls at a time, timed one by one.

use super::process::Watched;
use super::report::Row;
use std::future::Future;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a worker brings home.
#[derive(Default)]
struct Taken {
    latencies: Vec<Duration>,
    bytes: u64,
    errors: u64,
    first_error: Option<String>,
}

/// Calls `work(worker, n)` for every n below `count`, `workers` at a time; it answers with the bytes it received. An
/// error when all calls failed; single failures are counted, and the first one is printed.
pub async fn run<W, F>(name: &str, watched: &Watched, workers: usize, count: usize, work: W) -> Result<Row, String>
where
    W: Fn(usize, usize) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<u64, String>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let bar = Bar::start(name, count, next.clone());
    watched.forget_peak();
    let before = watched.memory();
    let (cpu_before, begun) = (watched.cpu(), Instant::now());
    let tasks: Vec<_> = (0..workers.min(count))
        .map(|worker| {
            let (next, work) = (next.clone(), work.clone());
            tokio::spawn(async move {
                let mut taken = Taken::default();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return taken;
                    }
                    let begun = Instant::now();
                    match work(worker, n).await {
                        Ok(bytes) => {
                            taken.latencies.push(begun.elapsed());
                            taken.bytes += bytes;
                        }
                        Err(why) => {
                            taken.errors += 1;
                            taken.first_error.get_or_insert(why);
                        }
                    }
                }
            })
        })
        .collect();
    let mut row = Row { name: name.to_owned(), ..Row::default() };
    let mut first_error = None;
    for task in tasks {
        let taken = task.await.map_err(|why| why.to_string())?;
        row.latencies.extend(taken.latencies);
        row.bytes += taken.bytes;
        row.errors += taken.errors;
        first_error = first_error.or(taken.first_error);
    }
    row.elapsed = begun.elapsed();
    row.memory = before.zip(watched.memory());
    row.cpu = watched.cpu().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    drop(bar);
    row.calls = row.latencies.len() as u64;
    row.latencies.sort_unstable();
    if let Some(why) = first_error {
        eprintln!("{name}: {} of {count} calls failed: {why}", row.errors);
        if row.calls == 0 {
            return Err(format!("{name}: every call failed"));
        }
    }
    Ok(row)
}

/// A line on the terminal that shows how far a work is; nothing where there is no terminal.
struct Bar(Option<tokio::task::JoinHandle<()>>);

impl Bar {
    fn start(name: &str, count: usize, next: Arc<AtomicUsize>) -> Bar {
        if !std::io::stderr().is_terminal() {
            return Bar(None);
        }
        let name = name.to_owned();
        Bar(Some(tokio::spawn(async move {
            loop {
                let done = next.load(Ordering::Relaxed).min(count);
                let filled = done * 30 / count.max(1);
                eprint!("\r\x1b[K[{}{}] {done}/{count} {name}", "#".repeat(filled), " ".repeat(30 - filled));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
            eprint!("\r\x1b[K");
        }
    }
}
