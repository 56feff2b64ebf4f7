//! What the checks share: walking a pod's containers, and wording who set what.

use super::checks::Violation;
use meta::Value;
use std::collections::BTreeSet;

pub fn violation(reason: &str, detail: String) -> Option<Violation> {
    Some(Violation { reason: reason.to_string(), detail })
}

/// Init containers, containers, ephemeral containers.
pub fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|field| spec[field].items())
}

/// The names of the containers that a test picks.
pub fn names_of<'a>(spec: &'a Value, mut test: impl FnMut(&'a Value) -> bool) -> Vec<&'a str> {
    containers(spec).filter(|container| test(container)).map(|container| container["name"].str()).collect()
}

pub fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `"a", "b"`: names go in unescaped, as upstream writes them.
pub fn quoted<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("\"{item}\"")).collect();
    items.join(", ")
}

/// `container "a"` or `containers "a", "b"`
pub fn containers_named(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names.iter().copied()))
}

/// Who set a field to something forbidden: the pod, containers, or both; and what they set.
#[derive(Default)]
pub struct Setters<'a> {
    pub pod: bool,
    pub containers: Vec<&'a str>,
    pub values: BTreeSet<&'a str>,
}

impl<'a> Setters<'a> {
    /// Asks `bad` about the security context of the pod and of each container. `bad` may note values.
    pub fn find(spec: &'a Value, mut bad: impl FnMut(&'a Value, &mut BTreeSet<&'a str>) -> bool) -> Setters<'a> {
        let mut values = BTreeSet::new();
        let pod = bad(&spec["securityContext"], &mut values);
        let containers = names_of(spec, |container| bad(&container["securityContext"], &mut values));
        Setters { pod, containers, values }
    }

    pub fn any(&self) -> bool {
        self.pod || !self.containers.is_empty()
    }

    /// `pod and container "a"`
    pub fn words(&self) -> Vec<String> {
        let pod = self.pod.then(|| "pod".to_string());
        let containers = (!self.containers.is_empty()).then(|| containers_named(&self.containers));
        pod.into_iter().chain(containers).collect()
    }
}

/// The user namespace of its own takes the edge off some settings.
pub fn has_user_namespace(spec: &Value) -> bool {
    spec["hostUsers"].as_bool() == Some(false)
}

pub fn is_windows(spec: &Value) -> bool {
    spec["os"]["name"].str() == "windows"
}
