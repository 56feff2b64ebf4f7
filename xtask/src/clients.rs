//! Clients in other languages against a fresh server. What cannot be installed is skipped with a line that says so.

use std::path::Path;
use std::process::Command;

use crate::repo;
use crate::tools::{self, Server};

pub fn run(_: &[String]) -> Result<(), String> {
    let folder = repo::root().join("target/clients");
    std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
    let server = Server::start(false)?;
    let python = install_python(&folder).map(|()| (folder.join("venv/bin/python"), "smoke.py"));
    let node = install_node(&folder).map(|()| ("node".into(), "smoke.mjs"));
    let mut failed = vec![];
    for (language, installed) in [("Python", python), ("Node", node)] {
        let (program, script) = match installed {
            Ok(installed) => installed,
            Err(why) => {
                println!("the {language} client is not tested: {why}");
                continue;
            }
        };
        // Node looks for packages from where the script lies.
        let copy = folder.join(script);
        std::fs::copy(repo::root().join("tests/clients").join(script), &copy).map_err(|why| why.to_string())?;
        let mut command = Command::new(program);
        command.arg(copy).env("KUBECONFIG", server.kubeconfig());
        failed.extend(tools::run(&mut command).err());
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

fn install_python(folder: &Path) -> Result<(), String> {
    let venv = folder.join("venv");
    if !venv.join("bin/python").exists() {
        tools::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    tools::run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "kubernetes"]))
}

/// Version 1 runs on Node 20, later ones do not.
fn install_node(folder: &Path) -> Result<(), String> {
    let mut npm = Command::new("npm");
    tools::run(
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder)
            .arg("@kubernetes/client-node@^1"),
    )
}
