//! Aggregated discovery: all groups, versions and resources in one document (apidiscovery.k8s.io/v2).

use crate::discovery::{set_names, verbs};
use crate::groups::{Group, Service};
use meta::{Gvk, Str, Value, value};
use resource::Descriptor;
use std::sync::Arc;

/// An APIGroupDiscoveryList of what this server serves itself and what others serve behind it.
pub(crate) fn group_discovery_list<'a>(
    descriptors: &[Arc<Descriptor>],
    services: &[Service],
    groups: impl Iterator<Item = &'a Group>,
) -> Value {
    let items: Vec<Value> = groups.filter_map(|g| group_discovery(descriptors, services, g)).collect();
    value!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn group_discovery(descriptors: &[Arc<Descriptor>], services: &[Service], group: &Group) -> Option<Value> {
    let of_service = |version: &Str| {
        let service = services.iter().find(|s| s.group == group.name && s.version == *version)?;
        Some(match &service.resources {
            Some(resources) => value!({"version": version, "freshness": "Current", "resources": (resources.clone())}),
            None => value!({"version": version, "freshness": "Stale"}),
        })
    };
    let versions =
        group.versions.iter().filter_map(|v| of_service(v).or_else(|| version_discovery(descriptors, group, v)));
    let versions: Vec<Value> = versions.collect();
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
    if !d.stored_as_json {
        subresources.sort_by(|a, b| a.name.cmp(&b.name));
    }
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

/// The resources of a plain APIResourceList in the form of aggregated discovery
/// (k8s.io/apiserver/pkg/endpoints: ConvertGroupVersionIntoToDiscovery).
pub fn discovery_of_list(list: &Value) -> Value {
    let entries = list["resources"].items();
    let kind =
        |e: &Value| value!({"group": (e["group"].str()), "version": (e["version"].str()), "kind": (e["kind"].str())});
    let of_resource = |entry: &Value| {
        let name = entry["name"].str();
        let mut out = value!({
            "resource": name, "responseKind": (kind(entry)),
            "scope": (if entry["namespaced"].bool() { "Namespaced" } else { "Cluster" }),
            "singularResource": (entry["singularName"].str()), "verbs": (entry["verbs"].clone()),
        });
        for field in ["shortNames", "categories"] {
            if !entry[field].items().is_empty() {
                out.set(field, entry[field].clone());
            }
        }
        let part = |e: &Value| {
            let part = e["name"].str().strip_prefix(name)?.strip_prefix('/')?;
            Some(value!({"subresource": part, "responseKind": (kind(e)), "verbs": (e["verbs"].clone())}))
        };
        let parts: Vec<Value> = entries.iter().filter_map(part).collect();
        if !parts.is_empty() {
            out.set("subresources", parts);
        }
        out
    };
    Value::Array(entries.iter().filter(|entry| !entry["name"].str().contains('/')).map(of_resource).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_other_servers_are_taken_over() {
        let verbs = value!(["get"]);
        let list = value!({"kind": "APIResourceList", "groupVersion": "g/v1", "resources": [
            {"name": "things", "singularName": "thing", "namespaced": true, "kind": "Thing", "verbs": (verbs.clone()), "shortNames": ["th"]},
            {"name": "things/status", "singularName": "", "namespaced": true, "kind": "Thing", "verbs": (verbs.clone())},
            {"name": "thingsets", "singularName": "thingset", "namespaced": false, "kind": "ThingSet", "verbs": (verbs.clone())},
        ]});
        let kind = |kind: &str| value!({"group": "", "version": "", "kind": kind});
        let want = value!([
            {
                "resource": "things", "responseKind": (kind("Thing")), "scope": "Namespaced", "singularResource": "thing",
                "verbs": (verbs.clone()), "shortNames": ["th"],
                "subresources": [{"subresource": "status", "responseKind": (kind("Thing")), "verbs": (verbs.clone())}],
            },
            {
                "resource": "thingsets", "responseKind": (kind("ThingSet")), "scope": "Cluster",
                "singularResource": "thingset", "verbs": (verbs.clone()),
            },
        ]);
        assert_eq!(discovery_of_list(&list), want);
    }

    #[test]
    fn groups_of_other_servers_are_current_or_stale() {
        let service = |version: &str, resources: Option<Value>| Service {
            group: "g.io".into(),
            version: version.into(),
            group_priority_min: 100,
            version_priority: 10,
            resources,
            openapi_v3: None,
        };
        let services = [service("v1", Some(value!([]))), service("v2", None)];
        let groups = crate::groups::groups(&[], &services);
        let list = group_discovery_list(&[], &services, groups.iter());
        let versions = &list["items"][0]["versions"];
        assert_eq!(versions[0], value!({"version": "v2", "freshness": "Stale"}));
        assert_eq!(versions[1], value!({"version": "v1", "freshness": "Current", "resources": []}));
    }
}
