//! The OpenAPI definitions that the Python package `kubernetes-validate` publishes: a second opinion on the facts.

use std::path::PathBuf;
use std::process::Command;

use crate::repo;

const PACKAGE: &str = "kubernetes-validate==1.37.0";

/// Downloads the wheel into a folder and takes the one file out of it.
const SCRIPT: &str = r#"
import glob, subprocess, sys, zipfile
package, folder = sys.argv[1:]
subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package], check=True)
wheel = zipfile.ZipFile(glob.glob(folder + "/kubernetes_validate-*.whl")[0])
name = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local/_definitions.json"
open(folder + "/definitions.json", "wb").write(wheel.read(name))
"#;

/// The file with the definitions, fetched once; `None`, with a printed line, where Python or the network is missing.
pub fn fetch() -> Option<PathBuf> {
    let folder = repo::root().join("target/definitions");
    let file = folder.join("definitions.json");
    if file.exists() {
        return Some(file);
    }
    let status = Command::new("python3").args(["-c", SCRIPT, PACKAGE]).arg(&folder).status();
    if !status.is_ok_and(|status| status.success()) {
        println!("{PACKAGE} could not be fetched: the facts are not compared with its definitions");
        return None;
    }
    Some(file)
}
