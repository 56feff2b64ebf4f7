//! Where the sources of the pinned crates are on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The source directory of a package of this workspace's lock file. `manifest` is a manifest of the workspace.
/// Cargo is asked, so vendored and mirrored registries work too.
pub fn package(name: &str, manifest: &Path) -> Result<PathBuf, String> {
    metadata(manifest, true).and_then(|text| find(&text, name)).or_else(|_| find(&metadata(manifest, false)?, name))
}

fn metadata(manifest: &Path, offline: bool) -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--locked", "--manifest-path"]).arg(manifest);
    if offline {
        command.arg("--offline");
    }
    let output = command.output().map_err(|why| format!("cargo metadata: {why}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|why| why.to_string())
}

/// The directory of the manifest whose directory is called `name-VERSION` (or `name`, as vendoring calls it).
fn find(metadata: &str, name: &str) -> Result<PathBuf, String> {
    for rest in metadata.split("\"manifest_path\":\"").skip(1) {
        let path = rest.split('"').next().unwrap_or_default().replace("\\\\", "\\");
        let Some(dir) = Path::new(&path).parent() else { continue };
        let folder = dir.file_name().and_then(|f| f.to_str()).unwrap_or_default();
        let version = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        if folder == name || version.is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit())) {
            return Ok(dir.to_path_buf());
        }
    }
    Err(format!("cargo metadata names no package {name}"))
}

/// All files below a directory whose names end in `ending`, sorted.
pub fn files(dir: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.to_str().is_some_and(|p| p.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
