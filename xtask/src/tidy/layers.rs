//! Which crate may use which, and that the map names them all.

use super::{Finding, finding};
use crate::repo;

/// From the bottom up: a crate may use those of lower ranks only. Crates of one rank do not know each other.
const RANKS: &[&[&str]] = &[
    &["meta", "grpc"],
    &["etcd", "cel"],
    &["schema", "auth", "store", "upstream"],
    &["patch", "resource", "encryption"],
    &["codec"],
    &["custom", "admission", "audit", "fairness", "publish", "outbound"],
    &["resources"],
    &["serve"],
    &["kybern"],
];

/// Crates that decide and do no input or output, and what would let them.
const PURE: &[&str] = &[
    "meta",
    "cel",
    "schema",
    "codec",
    "patch",
    "resource",
    "resources",
    "custom",
    "admission",
    "audit",
    "auth",
    "fairness",
    "publish",
];
const IMPURE: &[&str] =
    &["tokio", "hyper", "hyper-util", "rustls", "grpc", "etcd", "store", "outbound", "serve", "socket2"];

pub fn check() -> Vec<Finding> {
    let mut findings = vec![];
    let crates = repo::crates();
    let map = repo::read("ARCHITECTURE.md");
    for name in &crates {
        let manifest = format!("crates/{name}/Cargo.toml");
        let Some(own) = rank(name) else {
            findings.push(finding(&manifest, "is in no rank: give it a place in xtask/src/tidy/layers.rs"));
            continue;
        };
        if !map.contains(&format!("`{name}`")) {
            findings.push(finding("ARCHITECTURE.md", format!("does not mention the crate `{name}`")));
        }
        for used in dependencies(&repo::read(&manifest)) {
            if rank(&used).is_some_and(|other| other >= own) {
                findings.push(finding(&manifest, format!("{name} may not use {used}, which is no lower layer")));
            }
            if PURE.contains(&name.as_str()) && IMPURE.contains(&used.as_str()) {
                findings.push(finding(&manifest, format!("{name} decides and does no I/O, so it may not use {used}")));
            }
        }
    }
    for name in RANKS.iter().flat_map(|rank| rank.iter()) {
        if !crates.iter().any(|other| other == name) {
            findings.push(finding("xtask/src/tidy/layers.rs", format!("{name} is no crate any more")));
        }
    }
    findings
}

fn rank(name: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&name))
}

/// The names in `[dependencies]`; those that only tests and builds need are free.
fn dependencies(manifest: &str) -> Vec<String> {
    let after = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let section = after.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dependencies_count() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n# why\nb.workspace = true\nc = { version = \"1\" }\n\n[dev-dependencies]\nd = \"1\"\n";
        assert_eq!(dependencies(manifest), ["b", "c"]);
        assert!(rank("meta") < rank("serve"));
    }
}
