//! Aggregated discovery: all groups, versions and resources in one document (apidiscovery.k8s.io/v2).

use crate::discovery::{set_names, verbs};
use crate::groups::Group;
use meta::{Gvk, Str, Value, value};
use resource::Descriptor;
use std::sync::Arc;

/// An APIGroupDiscoveryList of the groups that this server serves itself.
pub(crate) fn group_discovery_list<'a>(
    descriptors: &[Arc<Descriptor>],
    groups: impl Iterator<Item = &'a Group>,
) -> Value {
    let items: Vec<Value> = groups.filter_map(|g| group_discovery(descriptors, g)).collect();
    value!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn group_discovery(descriptors: &[Arc<Descriptor>], group: &Group) -> Option<Value> {
    let versions: Vec<Value> = group.versions.iter().filter_map(|v| version_discovery(descriptors, group, v)).collect();
    if versions.is_empty() {
        return None;
    }
    let mut metadata = Value::object();
    if !group.name.is_empty() {
        metadata.set("name", &group.name);
    }
    Some(value!({"metadata": metadata, "versions": versions}))
}

fn version_discovery(descriptors: &[Arc<Descriptor>], group: &Group, version: &Str) -> Option<Value> {
    let mut served: Vec<&Descriptor> =
        descriptors.iter().map(AsRef::as_ref).filter(|d| d.group == group.name && d.version == *version).collect();
    if served.is_empty() {
        return None;
    }
    served.sort_by(|a, b| a.plural.cmp(&b.plural));
    let resources: Vec<Value> = served.into_iter().map(resource_discovery).collect();
    Some(value!({"version": version, "freshness": "Current", "resources": resources}))
}

fn resource_discovery(d: &Descriptor) -> Value {
    let mut out = value!({
        "resource": (&d.plural),
        "responseKind": (response_kind(d, &d.gvk())),
        "scope": (if d.namespaced { "Namespaced" } else { "Cluster" }),
        "singularResource": (&d.singular),
        "verbs": (verbs(&d.verbs)),
    });
    set_names(&mut out, d);
    let mut subresources: Vec<_> = d.subresources.iter().collect();
    subresources.sort_by(|a, b| a.name.cmp(&b.name));
    let entry = |s: &&resource::Subresource| value!({"subresource": (&s.name), "responseKind": (response_kind(d, &s.kind)), "verbs": (verbs(&s.verbs))});
    let subresources: Vec<Value> = subresources.iter().map(entry).collect();
    if !subresources.is_empty() {
        out.set("subresources", subresources);
    }
    out
}

/// Group and version are "" where they are those of the resource, as upstream leaves them.
fn response_kind(d: &Descriptor, kind: &Gvk) -> Value {
    let same = kind.group == d.group && kind.version == d.version;
    let (group, version) = if same { ("", "") } else { (kind.group.as_str(), kind.version.as_str()) };
    value!({"group": group, "version": version, "kind": (&kind.kind)})
}
