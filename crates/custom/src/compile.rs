//! A structural schema (OpenAPI v3 as a [`Value`]) compiled into [`schema::Type`]s.
//!
//! Only structure is compiled: what is an object, a list, a map. Scalars are [`Shape::Any`], since a wrong scalar in
//! a custom resource is not a decoding error but a validation error (422), found by the hooks.

use meta::{Str, Value};
use schema::{Field, ListType, Presence, Rules, Schema, Shape, Type, TypeId};

/// Where upstream's metadata type lives in the built-in schema.
pub const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Compiles the schema of a version's whole object. `object_meta` is the type of metadata in `into`.
pub fn object(into: &mut Schema, name: &str, node: &Value, object_meta: TypeId) -> TypeId {
    let mut compiler = Compiler { into, object_meta };
    compiler.ty(name, node, true)
}

struct Compiler<'a> {
    into: &'a mut Schema,
    object_meta: TypeId,
}

impl Compiler<'_> {
    /// The type of an object node. Whole objects and embedded ones have apiVersion, kind and metadata besides.
    fn ty(&mut self, name: &str, node: &Value, embedded: bool) -> TypeId {
        let mut fields = Vec::new();
        if embedded {
            fields.push(plain_field("apiVersion", Shape::Any));
            fields.push(plain_field("kind", Shape::Any));
            fields.push(plain_field("metadata", Shape::Object(self.object_meta)));
        }
        let required: Vec<&str> = node["required"].items().iter().map(Value::str).collect();
        for (key, property) in node["properties"].entries() {
            if embedded && matches!(key, "apiVersion" | "kind" | "metadata") {
                continue;
            }
            let mut field = plain_field(key, self.shape(&format!("{name}.{key}"), property));
            field.required = required.contains(&key);
            field.list_type = list_type(property);
            field.map_atomic = property["x-kubernetes-map-type"].str() == "atomic";
            field.nullable = property["nullable"].bool();
            field.default = property.get("default").cloned();
            field.rules = Some(rules(property));
            fields.push(field);
        }
        self.into.add(Type {
            name: name.into(),
            go_name: name.rsplit('.').next().unwrap_or(name).into(),
            fields,
            atomic: node["x-kubernetes-map-type"].str() == "atomic",
            preserve_unknown: preserves_unknown(node),
            rules: Some(rules(node)),
            ..Type::default()
        })
    }

    fn shape(&mut self, name: &str, node: &Value) -> Shape {
        let embedded = node["x-kubernetes-embedded-resource"].bool();
        match node["type"].str() {
            "array" => Shape::List(Box::new(self.shape(&format!("{name}[]"), &node["items"]))),
            "object" if node["additionalProperties"].as_object().is_some() => {
                Shape::Map(Box::new(self.shape(&format!("{name}{{}}"), &node["additionalProperties"])))
            }
            "object" if embedded || node.get("properties").is_some() || !preserves_unknown(node) => {
                Shape::Object(self.ty(name, node, embedded))
            }
            _ => Shape::Any,
        }
    }
}

fn preserves_unknown(node: &Value) -> bool {
    // `additionalProperties: true` is not allowed in new definitions, but stored ones may have it.
    node["x-kubernetes-preserve-unknown-fields"].bool() || node["additionalProperties"].bool()
}

fn rules(node: &Value) -> Box<Rules> {
    Box::new(Rules { source: node.clone(), embedded: node["x-kubernetes-embedded-resource"].bool() })
}

fn list_type(node: &Value) -> Option<ListType> {
    match node["x-kubernetes-list-type"].str() {
        "atomic" => Some(ListType::Atomic),
        "set" => Some(ListType::Set),
        "map" => {
            Some(ListType::Map(node["x-kubernetes-list-map-keys"].items().iter().map(|k| Str::from(k.str())).collect()))
        }
        _ => None,
    }
}

/// A field with no rules of its own, in no protobuf message, written whenever it is there.
pub fn plain_field(name: &str, shape: Shape) -> Field {
    Field {
        name: name.into(),
        number: 0,
        inline: 0,
        wrapped: false,
        shape,
        required: false,
        presence: Presence::Pointer,
        default: None,
        enums: Vec::new(),
        list_type: None,
        map_atomic: false,
        patch_strategies: Vec::new(),
        patch_merge_key: None,
        go_type: None,
        nullable: false,
        rules: None,
    }
}
