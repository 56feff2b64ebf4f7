//! A real etcd for a test, with a directory and ports of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use store::EtcdOptions;

/// Ends, and leaves nothing behind, when it is dropped.
pub struct EtcdServer {
    folder: PathBuf,
    pub port: u16,
    peer_port: u16,
    flags: Vec<String>,
    child: Option<Child>,
}

impl EtcdServer {
    /// `None`, with a line that says so, when there is no etcd on this machine. `KYBERN_TEST_ETCD` names another one.
    pub fn start(name: &str) -> Option<EtcdServer> {
        EtcdServer::start_with(name, &[])
    }

    /// With further flags.
    pub fn start_with(name: &str, flags: &[String]) -> Option<EtcdServer> {
        if program().is_none() {
            println!("skipped: etcd is not installed");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("kybern-etcd-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let [port, peer_port] = free_ports();
        let mut server = EtcdServer { folder, port, peer_port, flags: flags.to_vec(), child: None };
        server.run();
        Some(server)
    }

    /// Runs it, again after a [`EtcdServer::stop`] on what it had.
    pub fn run(&mut self) {
        let scheme = if self.flags.is_empty() { "http" } else { "https" };
        let client = format!("{scheme}://127.0.0.1:{}", self.port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let child = Command::new(program().unwrap())
            .arg("--data-dir")
            .arg(self.folder.join("data"))
            .args(["--name", "one", "--initial-cluster", &format!("one={peer}")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(&self.flags)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// As if the machine had lost power.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[allow(dead_code)]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn options(&self) -> EtcdOptions {
        options_at(&format!("http://127.0.0.1:{}", self.port))
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Nothing is compacted.
pub fn options_at(url: &str) -> EtcdOptions {
    let client = etcd::Config { endpoints: vec![url.to_owned()], ..etcd::Config::default() };
    EtcdOptions { client, compaction_interval: std::time::Duration::ZERO, ..EtcdOptions::default() }
}

pub fn program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("KYBERN_TEST_ETCD") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("etcd")).find(|file| file.is_file())
}

/// Free when they were looked for; held together, so that they differ.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
