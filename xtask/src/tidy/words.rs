//! Words and names that do not belong into the code, why, and what to write instead.

use super::{Finding, finding, line_of};
use crate::repo;

/// In Rust code: what, and why or what instead. This file is not checked.
const BANNED: &[(&str, &str)] = &[
    ("TODO", "do it, or say in an issue what is missing"),
    ("FIXME", "fix it, or say in an issue what is wrong"),
    ("XXX", "say what the reader should know"),
    ("unimplemented!(", "answer with an error that says so"),
    ("dbg!(", "tracing::debug!"),
];

/// In comments only: words of code that is not meant.
const HEDGES: &[(&str, &str)] = &[
    ("for now", "say what is, or make it right"),
    ("simplified", "say what is left out and why nobody misses it"),
    ("in a real implementation", "this is the real implementation"),
    ("hopefully", "find out"),
];

/// Names of files and folders that say nothing of what is in them.
const NAMES: &[(&str, &str)] = &[
    ("util", "name it after what it does"),
    ("utils", "name it after what it does"),
    ("common", "name it after what is common"),
    ("manager", "name the verb"),
    ("helper", "name it after what it does"),
    ("helpers", "name it after what it does"),
    ("misc", "name it after what it holds"),
];

/// `serve/` is a loop over descriptors: it names no resource. These are the ones that somebody might be tempted by.
const RESOURCES: &[&str] = &[
    "pods",
    "nodes",
    "services",
    "namespaces",
    "secrets",
    "configmaps",
    "serviceaccounts",
    "endpoints",
    "events",
    "persistentvolumes",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "limitranges",
    "bindings",
    "podtemplates",
    "componentstatuses",
    "deployments",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "controllerrevisions",
    "jobs",
    "cronjobs",
    "leases",
    "endpointslices",
    "ingresses",
    "ingressclasses",
    "networkpolicies",
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "customresourcedefinitions",
    "apiservices",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "certificatesigningrequests",
    "tokenreviews",
    "subjectaccessreviews",
    "selfsubjectreviews",
    "priorityclasses",
    "storageclasses",
    "flowschemas",
    "prioritylevelconfigurations",
    "ipaddresses",
    "servicecidrs",
    "runtimeclasses",
    "resourceclaims",
    "eviction",
    "Pod",
    "Node",
    "Service",
    "Namespace",
    "Secret",
    "ConfigMap",
    "Deployment",
    "Job",
    "Event",
];

/// Upstream treats the segment `namespaces` in a path unlike any other, so the file that reads paths may say it.
const ALLOWED: &[(&str, &str)] = &[("crates/serve/src/path.rs", "namespaces")];

pub fn check() -> Vec<Finding> {
    let mut findings = vec![];
    for path in repo::files(".", &[".rs"]) {
        let place = path.display().to_string();
        if place == file!() || place.ends_with("tidy/words.rs") {
            continue;
        }
        for segment in path.iter().filter_map(|segment| segment.to_str()) {
            let stem = segment.trim_end_matches(".rs");
            if let Some((name, why)) = NAMES.iter().find(|(name, _)| *name == stem) {
                findings.push(finding(&place, format!("is called {name}: {why}")));
            }
        }
        let text = repo::read(&path);
        findings.extend(check_words(&place, &text));
        if place.starts_with("crates/serve/src/") && !place.contains("test") {
            findings.extend(check_resources(&place, &text));
        }
        if !text.starts_with("//!") && !place.contains("test") && !place.ends_with("build.rs") {
            findings.push(finding(&place, "begins with no //! line that says what is in it"));
        }
    }
    findings
}

fn check_words(place: &str, text: &str) -> Vec<Finding> {
    let mut findings = vec![];
    for (number, line) in (1..).zip(text.lines()) {
        for (word, why) in BANNED {
            if line.contains(word) {
                findings.push(finding(format!("{place}:{number}"), format!("{word}: {why}")));
            }
        }
        let comment = line.trim_start().strip_prefix("//").unwrap_or_default().to_lowercase();
        for (word, why) in HEDGES {
            if comment.contains(word) {
                findings.push(finding(format!("{place}:{number}"), format!("{word:?}: {why}")));
            }
        }
    }
    findings
}

/// String literals of the code before the tests that are the name of a resource.
fn check_resources(place: &str, text: &str) -> Vec<Finding> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut findings = vec![];
    for name in RESOURCES {
        let allowed = ALLOWED.iter().any(|(path, word)| place == *path && word == name);
        for (at, _) in code.match_indices(&format!("\"{name}\"")).filter(|_| !allowed) {
            let line = line_of(code, at);
            findings.push(finding(
                format!("{place}:{line}"),
                format!("serve/ names no resource, but {name:?}: put what is special about it into its descriptor"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_matter() {
        let text = "let a = \"for now\";\n// Only for now.\n// TODO: x\n";
        let places: Vec<String> = check_words("a.rs", text).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["a.rs:2", "a.rs:3"]);
    }

    #[test]
    fn resources_are_found_in_code_only() {
        let text = "let a = \"pods\";\n// pods\n#[cfg(test)]\nlet b = \"nodes\";\n";
        assert_eq!(check_resources("crates/serve/src/a.rs", text).len(), 1);
    }
}
