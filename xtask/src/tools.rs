//! Programs that tests need beside cargo, and the servers that tests start.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::repo;

/// A program and the Debian package that brings it.
const NEEDED: &[(&str, &str)] = &[("kubectl", "kubernetes-client"), ("etcd", "etcd-server"), ("python3", "python3")];

/// Installs what is missing where that is possible; says what is missing where it is not. Tests that need an absent
/// program skip themselves with a line that says so.
pub fn install_missing() {
    for (program, package) in NEEDED {
        if on_path(program) {
            continue;
        }
        println!("{program} is missing: installing the package {package}");
        let installed = run(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends", package]));
        if installed.is_err() {
            println!("{program} could not be installed: tests that need it are skipped");
        }
    }
}

pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs a command in the repository; the error is the command line.
pub fn run(command: &mut Command) -> Result<(), String> {
    let line = format!("{command:?}");
    match command.current_dir(repo::root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{line}: {status}")),
        Err(why) => Err(format!("{line}: {why}")),
    }
}

/// A kybern of its own: a free port, a fresh directory, one token with full rights. Ends when dropped.
pub struct Server {
    pub url: String,
    pub token: &'static str,
    /// From exec to ready.
    pub ready_after: Duration,
    child: Child,
    folder: PathBuf,
}

impl Server {
    pub fn start(release: bool) -> Result<Server, String> {
        let program = build(release)?;
        let folder = std::env::temp_dir().join(format!("kybern-xtask-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let tokens = folder.join("tokens.csv");
        std::fs::write(&tokens, "admin-token,admin,admin,\"system:masters\"\n").map_err(|why| why.to_string())?;
        let port = free_port()?;
        let began = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--service-cluster-ip-range=10.0.0.0/16"])
            .arg(format!("--secure-port={port}"))
            .arg(format!("--data-dir={}", folder.join("data").display()))
            .arg(format!("--token-auth-file={}", tokens.display()))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|why| why.to_string())?;
        let url = format!("https://127.0.0.1:{port}");
        let mut server = Server { url, token: "admin-token", ready_after: Duration::ZERO, child, folder };
        server.wait_until_ready(port)?;
        server.ready_after = began.elapsed();
        Ok(server)
    }

    /// The kubeconfig is written before ports open, and a port that accepts is ready.
    fn wait_until_ready(&mut self, port: u16) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("kybern ended: {status}"));
            }
            if Instant::now() > deadline {
                return Err("kybern does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("data/admin.kubeconfig")
    }

    /// Resident memory in KiB, where /proc says it.
    pub fn memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of this server is kept, so it need not stop in order.
        let ended = self.child.kill().and_then(|()| self.child.wait().map(drop));
        if let Err(why) = ended.and_then(|()| std::fs::remove_dir_all(&self.folder)) {
            eprintln!("cleaning up: {why}");
        }
    }
}

/// Builds the program; its path.
pub fn build(release: bool) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--package", "kybern"]);
    if release {
        cargo.arg("--release");
    }
    run(&mut cargo)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo::root().join("target"), PathBuf::from);
    Ok(target.join(Path::new(if release { "release" } else { "debug" })).join("kybern"))
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|why| why.to_string())?;
    Ok(listener.local_addr().map_err(|why| why.to_string())?.port())
}
