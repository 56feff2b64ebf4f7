//! Where things are kept: `DIR/pki/*.{crt,key}`, `DIR/admin.kubeconfig`, `DIR/store/`.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct DataDir {
    pub root: PathBuf,
}

impl DataDir {
    /// Makes the directory, readable by its owner only, when it does not exist.
    pub fn open(root: PathBuf) -> io::Result<DataDir> {
        let dir = DataDir { root };
        if dir.restoring().exists() {
            return Err(io::Error::other("a restore did not finish; delete the directory and restore again"));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.pki(""))?;
        fs::File::open(&dir.root)?.sync_all()?;
        Ok(dir)
    }

    /// `/var/lib/kybern` for root, else `$XDG_DATA_HOME/kybern`, else `$HOME/.local/share/kybern`.
    pub fn default_root() -> PathBuf {
        if rustix::process::geteuid().is_root() {
            return PathBuf::from("/var/lib/kybern");
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        base.unwrap_or_else(std::env::temp_dir).join("kybern")
    }

    pub fn pki(&self, name: &str) -> PathBuf {
        self.root.join("pki").join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// What `kybern restore` fills.
    pub fn restoring(&self) -> PathBuf {
        self.root.join("restoring")
    }

    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.root.join("admin.kubeconfig")
    }
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq)]
pub enum Secrecy {
    Secret,
    Public,
}

/// Writes a file whole or not at all: a reader, or a start after a crash, never sees half of one. Durable when it returns:
/// what is signed with a new key outlives a crash, and so must the key.
pub fn write(path: &Path, content: &str, secrecy: Secrecy) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mode = if secrecy == Secrecy::Secret { 0o600 } else { 0o644 };
    match fs::remove_file(&new) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

/// The file's text, or `None` when there is none.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(io::Error::new(why.kind(), format!("{}: {why}", path.display()))),
    }
}
