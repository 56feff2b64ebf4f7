//! The server's process: its CPU and memory, and one of our own.

use super::report::Row;
use super::target::{Access, Call, Target};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Processes whose CPU and memory are read.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pids: Vec<u32>,
}

/// Of all processes together, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub now_kib: u64,
    pub peak_kib: u64,
}

impl Watched {
    pub fn of(pids: Vec<u32>) -> Watched {
        Watched { pids }
    }

    /// User and system time; `None` when there is nothing to read.
    pub fn cpu(&self) -> Option<Duration> {
        let ticks: Option<u64> = self.pids.iter().map(|pid| cpu_ticks(*pid)).sum();
        let per_second = rustix::param::clock_ticks_per_second();
        ticks.filter(|_| !self.pids.is_empty()).map(|ticks| Duration::from_micros(ticks * 1_000_000 / per_second))
    }

    /// Begins to look for the peak anew, where that is allowed: elsewhere it is the peak so far.
    pub fn forget_peak(&self) {
        for pid in &self.pids {
            let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    pub fn memory(&self) -> Option<Memory> {
        let mut sum = Memory::default();
        for pid in &self.pids {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let kib = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().next()?.parse::<u64>().ok()
            };
            sum.now_kib += kib("VmRSS:")?;
            sum.peak_kib += kib("VmHWM:")?;
        }
        (!self.pids.is_empty()).then_some(sum)
    }
}

fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, in parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// A server of our own on a directory of its own; both go away with this.
pub struct Child {
    process: std::process::Child,
    directory: PathBuf,
    port: u16,
    ready_after: Duration,
}

/// Longer than any start should take.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl Child {
    pub async fn start() -> Result<Child, String> {
        let directory = std::env::temp_dir().join(format!("kybern-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|why| why.to_string())?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|why| why.to_string())?.port();
        let (process, ready_after) = spawn(&directory, port).await?;
        Ok(Child { process, directory, port, ready_after })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn access(&self) -> Result<Access, String> {
        read_access(&self.directory)
    }

    /// The last start, as a row of the report.
    pub fn started(&self, name: &str) -> Row {
        Row::once(name, self.ready_after, Watched::of(vec![self.pid()]).cpu())
    }

    /// Stops the server as an operator does, and starts it again.
    pub async fn restart(&mut self) -> Result<(), String> {
        self.stop();
        (self.process, self.ready_after) = spawn(&self.directory, self.port).await?;
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // It may be gone already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn read_access(directory: &std::path::Path) -> Result<Access, String> {
    let path = directory.join("admin.kubeconfig");
    Access::from_kubeconfig(&std::fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?)
}

async fn spawn(directory: &std::path::Path, port: u16) -> Result<(std::process::Child, Duration), String> {
    let program = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = Command::new(program);
    command.arg("serve").arg(format!("--secure-port={port}")).arg(format!("--data-dir={}", directory.display()));
    let begun = Instant::now();
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|why| why.to_string())?;
    loop {
        if let Ok(access) = read_access(directory)
            && let Ok(target) = Target::connect(&access, 1).await
            && target.count(0, Call::get("/readyz")).await.is_ok()
        {
            return Ok((process, begun.elapsed()));
        }
        if let Ok(Some(status)) = process.try_wait() {
            return Err(format!("the server ended: {status}"));
        }
        if begun.elapsed() > READY_TIMEOUT {
            let _ = process.kill();
            return Err("the server did not become ready".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
