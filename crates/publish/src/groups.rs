//! Which groups and versions are served, in the order in which clients should prefer them.

use meta::{Str, Value, gvk};
use resource::Descriptor;
use std::cmp::Reverse;
use std::sync::Arc;

/// A group version that another server serves behind this one: what its APIService says.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub group: Str,
    pub version: Str,
    /// `spec.groupPriorityMinimum`.
    pub group_priority_min: i64,
    /// `spec.versionPriority`.
    pub version_priority: i64,
    /// Its resources as aggregated discovery has them; `None` while the server does not tell.
    pub resources: Option<Value>,
    /// Where its OpenAPI document is: path and query.
    pub openapi_v3: Option<Str>,
}

/// A served group with its versions, the preferred first. The core group's name is "".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub name: Str,
    pub versions: Vec<Str>,
}

/// Upstream's priorities of groups that are not custom, from kube-apiserver's table of APIServices.
const GROUP_PRIORITIES: &[(&str, i64)] = &[
    ("", 18000),
    // Of the aggregator itself, so before everything else in the list of groups.
    ("apiregistration.k8s.io", 18000),
    ("apps", 17800),
    ("events.k8s.io", 17750),
    ("authentication.k8s.io", 17700),
    ("authorization.k8s.io", 17600),
    ("autoscaling", 17500),
    ("batch", 17400),
    ("certificates.k8s.io", 17300),
    ("networking.k8s.io", 17200),
    ("policy", 17100),
    ("rbac.authorization.k8s.io", 17000),
    ("storage.k8s.io", 16800),
    ("admissionregistration.k8s.io", 16700),
    ("apiextensions.k8s.io", 16700),
    ("scheduling.k8s.io", 16600),
    ("coordination.k8s.io", 16500),
    ("node.k8s.io", 16300),
    ("discovery.k8s.io", 16200),
    ("resource.k8s.io", 16200),
    ("flowcontrol.apiserver.k8s.io", 16100),
    ("internal.apiserver.k8s.io", 16000),
    ("storagemigration.k8s.io", 15800),
];

/// The priority of a custom resource's group.
const CUSTOM_GROUP_PRIORITY: i64 = 1000;

/// The groups of the resources and services, by descending priority, then by name.
pub(crate) fn groups(descriptors: &[Arc<Descriptor>], services: &[Service]) -> Vec<Group> {
    let mut found: Vec<(Group, i64)> = Vec::new();
    let mut note = |group: &Str, version: &Str, priority: i64| {
        let at = found.iter().position(|(g, _)| g.name == *group).unwrap_or_else(|| {
            found.push((Group { name: group.clone(), versions: Vec::new() }, priority));
            found.len() - 1
        });
        let (entry, known) = &mut found[at];
        *known = priority.max(*known);
        if !entry.versions.contains(version) {
            entry.versions.push(version.clone());
        }
    };
    for d in descriptors {
        note(&d.group, &d.version, group_priority(&d.group));
    }
    for s in services {
        note(&s.group, &s.version, s.group_priority_min);
    }
    found.sort_by(|(a, p), (b, q)| (Reverse(p), &a.name).cmp(&(Reverse(q), &b.name)));
    let mut groups: Vec<Group> = found.into_iter().map(|(group, _)| group).collect();
    for group in &mut groups {
        let name = group.name.clone();
        let priority = |version: &Str| {
            let service = services.iter().find(|s| s.group == name && s.version == *version);
            Reverse(service.map_or(0, |s| s.version_priority))
        };
        group.versions.sort_by_key(|v| (priority(v), version_order(v)));
    }
    groups
}

/// The priority of a group; that of custom resources for one that is not built in.
pub fn group_priority(group: &str) -> i64 {
    GROUP_PRIORITIES.iter().find(|(name, _)| *name == group).map_or(CUSTOM_GROUP_PRIORITY, |(_, priority)| *priority)
}

/// A key that sorts versions as upstream does: v2, v1, v1beta2, v1beta1, v1alpha1, then all others by name.
pub(crate) fn version_order(version: &str) -> impl Ord + use<> {
    match parse_version(version) {
        Some((stage, major, minor)) => (0, Reverse((stage, major, minor)), String::new()),
        None => (1, Reverse((0, 0, 0)), version.to_string()),
    }
}

/// Stage (3 stable, 2 beta, 1 alpha), major and minor number of a version that is named as Kubernetes names them.
fn parse_version(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let major = number(rest.get(..digits)?)?;
    let rest = rest.get(digits..)?;
    if rest.is_empty() {
        return Some((3, major, 0));
    }
    let (stage, minor) = match rest.strip_prefix("beta") {
        Some(minor) => (2, minor),
        None => (1, rest.strip_prefix("alpha")?),
    };
    Some((stage, major, number(minor)?))
}

/// A positive number without leading zeros.
fn number(text: &str) -> Option<u64> {
    if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

impl Group {
    /// "v1" or "group/version".
    pub fn api_version(&self, version: &str) -> Str {
        gvk::api_version(&self.name, version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_stage_then_number() {
        let mut versions = ["v1alpha1", "foo10", "v2", "v1beta1", "v10", "foo1", "v1beta2", "v1", "v01"];
        versions.sort_by_key(|v| version_order(v));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo1", "foo10", "v01"]);
    }
}
