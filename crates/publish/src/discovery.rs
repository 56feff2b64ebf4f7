//! Discovery as it always was: a list of versions, of groups, and of the resources of each group version.

use crate::groups::Group;
use meta::{Gvk, Str, Value, gvk, value};
use resource::{Descriptor, Verb};
use std::sync::Arc;

/// Every document of the core group lacks `apiVersion`, as upstream's do for old clients.
pub(crate) fn api_versions(server_address: &str) -> Value {
    let address = value!({"clientCIDR": "0.0.0.0/0", "serverAddress": server_address});
    value!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]})
}

pub(crate) fn group_list(groups: &[Group]) -> Value {
    let groups = groups.iter().filter(|g| !g.name.is_empty()).map(group_entry).collect();
    value!({"kind": "APIGroupList", "apiVersion": "v1", "groups": (Value::Array(groups))})
}

pub(crate) fn group(group: &Group) -> Value {
    let mut out = group_entry(group);
    out.set("kind", "APIGroup");
    out.set("apiVersion", "v1");
    out
}

fn group_entry(group: &Group) -> Value {
    let entry = |version: &Str| value!({"groupVersion": (group.api_version(version)), "version": version});
    let versions: Vec<Value> = group.versions.iter().map(entry).collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    value!({"name": (&group.name), "versions": versions, "preferredVersion": preferred})
}

pub(crate) fn resource_list(descriptors: &[Arc<Descriptor>], group: &str, version: &str) -> Option<Value> {
    // Upstream sorts the subresources of built-ins and not those of custom resources.
    let mut entries: Vec<(String, Value)> = Vec::new();
    for d in descriptors.iter().filter(|d| d.group == group && d.version == version) {
        entries.push((d.plural.to_string(), resource(d)));
        for sub in &d.subresources {
            let name = format!("{}/{}", d.plural, sub.name);
            let mut entry = value!({"name": (&name), "singularName": "", "namespaced": (d.namespaced), "verbs": (verbs(&sub.verbs))});
            set_kind(&mut entry, d, &sub.kind);
            let key = if d.stored_as_json { d.plural.to_string() } else { name };
            entries.push((key, entry));
        }
    }
    if entries.is_empty() {
        return None;
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let resources = entries.into_iter().map(|(_, entry)| entry).collect();
    let group_version = gvk::api_version(group, version);
    let mut out =
        value!({"kind": "APIResourceList", "groupVersion": group_version, "resources": (Value::Array(resources))});
    if !group.is_empty() {
        out.set("apiVersion", "v1");
    }
    Some(out)
}

fn resource(d: &Descriptor) -> Value {
    let mut entry = value!({
        "name": (&d.plural), "singularName": (&d.singular), "namespaced": (d.namespaced), "kind": (&d.kind), "verbs": (verbs(&d.verbs)),
    });
    set_names(&mut entry, d);
    if !d.storage_version_hash.is_empty() {
        entry.set("storageVersionHash", &d.storage_version_hash);
    }
    entry
}

/// The kind; group and version only where they are not the list's own.
fn set_kind(entry: &mut Value, d: &Descriptor, kind: &Gvk) {
    entry.set("kind", &kind.kind);
    if kind.group != d.group || kind.version != d.version {
        entry.set("group", &kind.group);
        entry.set("version", &kind.version);
    }
}

/// Short names and categories, where there are any.
pub(crate) fn set_names(entry: &mut Value, d: &Descriptor) {
    for (field, names) in [("shortNames", &d.short_names), ("categories", &d.categories)] {
        if !names.is_empty() {
            entry.set(field, names.iter().map(Value::from).collect::<Vec<_>>());
        }
    }
}

/// In the descriptor's order: upstream sorts built-ins' verbs and not custom resources'.
pub(crate) fn verbs(verbs: &[Verb]) -> Value {
    Value::Array(verbs.iter().map(|v| Value::from(verb(*v))).collect())
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Delete => "delete",
        Verb::DeleteCollection => "deletecollection",
        Verb::Get => "get",
        Verb::List => "list",
        Verb::Patch => "patch",
        Verb::Update => "update",
        Verb::Watch => "watch",
    }
}
