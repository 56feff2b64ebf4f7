//! Definitions of custom resources: their own schema, with what every object has, as upstream publishes it.

use super::definitions::Version;
use crate::descriptions::Descriptions;
use meta::{Value, value};
use resource::Descriptor;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
/// Types whose descriptions every object and list shares.
const POD: &str = "io.k8s.api.core.v1.Pod";
const POD_LIST: &str = "io.k8s.api.core.v1.PodList";

/// Definitions that custom ones refer to.
pub const NEEDED: &[&str] = &[OBJECT_META, LIST_META];

/// The name of the definition of a custom resource's list.
pub fn list_name(d: &Descriptor) -> String {
    let name = &d.schema.ty(d.type_id).name;
    let package = name.rsplit_once('.').map_or("", |(package, _)| package);
    format!("{package}.{}", d.list_kind)
}

/// The definition of the kind.
pub fn object(d: &Descriptor, version: Version, descriptions: &Descriptions) -> Value {
    let none = Value::Null;
    let source = d.schema.ty(d.type_id).rules.as_ref().map_or(&none, |r| &r.source);
    let mut out = value!({"type": "object"});
    let open = version == Version::V2 && source["x-kubernetes-preserve-unknown-fields"].bool();
    // Clients would take the few properties of a schema that says nothing as all that there are.
    if source.get("type").is_some() && !open {
        out = source.clone();
        prepare_node(&mut out, version);
        add_embedded(&mut out, version, descriptions);
        add_common(&mut out, POD, OBJECT_META, version, descriptions);
    }
    set_kind(&mut out, d, &d.kind);
    let selectable: Vec<Value> = d.select_fields.iter().map(|f| value!({"fieldPath": (&f.name)})).collect();
    if !selectable.is_empty() {
        out.set("x-kubernetes-selectable-fields", selectable);
    }
    out
}

/// The definition of the list kind.
pub fn list(d: &Descriptor, version: Version, descriptions: &Descriptions) -> Value {
    let mut items = value!({"type": "array", "items": (version.reference(&d.schema.ty(d.type_id).name))});
    let conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
    items.set("description", format!("List of {}. More info: {conventions}", d.plural));
    let mut out = value!({
        "type": "object", "required": ["items"], "properties": {"items": items},
        "description": (format!("{} is a list of {}", d.list_kind, d.kind)),
    });
    add_common(&mut out, POD_LIST, LIST_META, version, descriptions);
    set_kind(&mut out, d, &d.list_kind);
    out
}

fn set_kind(out: &mut Value, d: &Descriptor, kind: &str) {
    let kind = value!({"group": (&d.group), "version": (&d.version), "kind": kind});
    out.set("x-kubernetes-group-version-kind", vec![kind]);
}

/// `apiVersion`, `kind` and `metadata`, described as those of a built-in type.
fn add_common(out: &mut Value, like: &str, metadata: &str, version: Version, descriptions: &Descriptions) {
    let described = |mut property: Value, field: &str| {
        if let Some(text) = descriptions.field(like, field) {
            property.set("description", text);
        }
        property
    };
    let properties = out.entry("properties");
    for field in ["apiVersion", "kind"] {
        properties.set(field, described(value!({"type": "string"}), field));
    }
    let reference = version.reference(metadata);
    let reference = if version == Version::V3 { value!({"allOf": [reference]}) } else { reference };
    properties.set("metadata", described(reference, "metadata"));
}

/// The nodes directly below a node.
fn children(node: &mut Value) -> impl Iterator<Item = &mut Value> {
    let Value::Object(map) = node else { return Vec::new().into_iter() };
    let mut found: Vec<&mut Value> = Vec::new();
    for (key, child) in map.iter_mut() {
        match (key, child) {
            ("properties", child) => found.extend(child.entries_mut().map(|(_, property)| property)),
            ("items" | "additionalProperties", child @ Value::Object(_)) => found.push(child),
            _ => {}
        }
    }
    found.into_iter()
}

/// Rewrites a structural schema as upstream does before it is published: says integer or string in so many words, and
/// for version 2 leaves out what that version or its oldest readers do not understand.
fn prepare_node(node: &mut Value, version: Version) {
    if node["x-kubernetes-int-or-string"].bool() {
        let either = value!([{"type": "integer"}, {"type": "string"}]);
        let said = node["anyOf"] == either || node["allOf"][0]["anyOf"] == either;
        if node["anyOf"].is_null() {
            if !said {
                node.set("anyOf", either);
            }
        } else if !said {
            node.entry("allOf").array_mut().insert(0, value!({"anyOf": either}));
        }
    }
    if version == Version::V2 {
        prepare_node_v2(node);
    }
    children(node).for_each(|child| prepare_node(child, version));
}

fn prepare_node_v2(node: &mut Value) {
    ["allOf", "oneOf", "anyOf", "not"].iter().for_each(|key| drop(node.remove(key)));
    let nullable = node.remove("nullable").is_some_and(|n| n.bool());
    let open = node["x-kubernetes-preserve-unknown-fields"].bool();
    if nullable || open {
        node.remove("items");
        node.remove("properties");
    }
    let untyped = match node["type"].str() {
        "array" => node.get("items").is_none(),
        "object" => open,
        _ => false,
    };
    if nullable || untyped {
        node.remove("type");
    }
    let nullables: Vec<String> =
        node["properties"].entries().filter(|(_, p)| p["nullable"].bool()).map(|(name, _)| name.to_string()).collect();
    if let Some(Value::Array(required)) = node.get_mut("required") {
        required.retain(|name| !nullables.iter().any(|n| n == name.str()));
        if required.is_empty() {
            node.remove("required");
        }
    }
}

/// Embedded resources have what every object has, and must say what they are.
fn add_embedded(node: &mut Value, version: Version, descriptions: &Descriptions) {
    children(node).for_each(|child| add_embedded(child, version, descriptions));
    let open = version == Version::V2 && node["x-kubernetes-preserve-unknown-fields"].bool();
    if open || !node["x-kubernetes-embedded-resource"].bool() {
        return;
    }
    add_common(node, POD, OBJECT_META, version, descriptions);
    let required = node.entry("required").array_mut();
    for field in ["kind", "apiVersion"] {
        if !required.iter().any(|r| r.str() == field) {
            required.push(field.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_loses_what_it_cannot_say() {
        let mut node = value!({
            "type": "object", "required": ["a", "b"], "anyOf": [{}],
            "properties": {
                "a": {"type": "object", "nullable": true, "properties": {"x": {"type": "string"}}},
                "b": {"x-kubernetes-int-or-string": true},
                "c": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            },
        });
        prepare_node(&mut node, Version::V2);
        let want = value!({
            "type": "object", "required": ["b"],
            "properties": {
                "a": {},
                "b": {"x-kubernetes-int-or-string": true},
                "c": {"x-kubernetes-preserve-unknown-fields": true},
            },
        });
        assert_eq!(node, want);
    }

    #[test]
    fn version_3_spells_out_integer_or_string() {
        let mut node = value!({"x-kubernetes-int-or-string": true, "anyOf": [{"minimum": 3}]});
        prepare_node(&mut node, Version::V3);
        assert_eq!(node["allOf"], value!([{"anyOf": [{"type": "integer"}, {"type": "string"}]}]));
    }
}
