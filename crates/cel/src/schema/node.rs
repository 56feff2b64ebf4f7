//! A schema compiled into types.

use super::escape::escape;
use crate::estimate::{self, Size, Sizes};
use crate::types::{Objects, Type};
use meta::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What upstream reckons with: a request's size in bytes, and the lengths of literals as JSON.
const REQUEST_BYTES_MAX: u64 = 3 * 1024 * 1024;
const DURATION_LENGTH: u64 = 32;
const DATE_LENGTH: u64 = 12;
const DATE_TIME_LENGTH: u64 = 32;
const DURATION_MIN: u64 = 3;
const DATE_TIME_MIN: u64 = 21;

/// A part of a schema that expressions can see.
#[derive(Debug)]
pub struct Node {
    of: Type,
    pub(super) kind: Kind,
    /// Upstream's guess of how many characters, items or entries there may be; 0 for all else.
    max: u64,
    /// The bytes of the shortest JSON.
    min: u64,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Known at run time only.
    Dyn,
    Bool,
    Int,
    Double,
    String,
    Bytes,
    Duration,
    Date,
    Timestamp,
    List(Box<Node>, Listed),
    Map(Box<Node>),
    Object(Object),
}

/// What `x-kubernetes-list-type` says.
#[derive(Debug)]
pub(super) enum Listed {
    Atomic,
    Set,
    /// By these fields, named as expressions name them.
    Map(Box<[Box<str>]>),
}

/// The fields of an object.
#[derive(Debug)]
pub struct Object {
    name: Arc<str>,
    /// By the name expressions call it.
    fields: BTreeMap<Box<str>, Field>,
    /// That name by the property's.
    names: HashMap<Box<str>, Box<str>>,
}

#[derive(Debug)]
struct Field {
    property: Box<str>,
    node: Node,
}

impl Object {
    pub(crate) fn type_name(&self) -> &str {
        &self.name
    }

    /// The property and the schema of a field.
    pub(crate) fn field(&self, name: &str) -> Option<(&str, &Node)> {
        let field = self.fields.get(name)?;
        Some((&field.property, &field.node))
    }

    /// The name and the schema of the field for a property.
    pub(crate) fn member(&self, property: &str) -> Option<(&str, &Node)> {
        let name = self.names.get(property)?;
        Some((name, &self.fields.get(name)?.node))
    }
}

impl Node {
    pub fn type_of(&self) -> &Type {
        &self.of
    }

    /// How many characters, items or entries upstream reckons with; 0 for what has none.
    pub fn elements_max(&self) -> u64 {
        self.max
    }

    /// The bytes of the shortest JSON of such a value.
    pub fn bytes_min(&self) -> u64 {
        self.min
    }

    /// The part for a property, for the items of a list (`@items`), or the values of a map (`@values`).
    pub fn part(&self, step: &str) -> Option<&Node> {
        match (&self.kind, step) {
            (Kind::List(items, _), "@items") => Some(items),
            (Kind::Map(values), "@values") => Some(values),
            (Kind::Object(object), name) => object.field(name).map(|(_, node)| node),
            _ => None,
        }
    }
}

/// A compiled schema: the types of all objects in it, and the sizes that its parts may have.
#[derive(Debug)]
pub struct Schema {
    root: Node,
}

impl Schema {
    /// The schema whose root object, if it is one, is called `name`; its parts are called `name.part`. The root of a
    /// resource has `apiVersion`, `kind` and names whether or not the schema says so. `None` when the schema is of nothing
    /// that expressions can see.
    pub fn new(schema: &Value, name: &str, is_resource: bool) -> Option<Schema> {
        node(schema, name, is_resource).map(|root| Schema { root })
    }

    pub fn root(&self) -> &Node {
        &self.root
    }

    fn object(&self, name: &str) -> Option<&Object> {
        find_object(&self.root, name)
    }
}

fn find_object<'n>(node: &'n Node, name: &str) -> Option<&'n Object> {
    match &node.kind {
        Kind::List(inner, _) | Kind::Map(inner) => find_object(inner, name),
        Kind::Object(object) if &*object.name == name => Some(object),
        // Parts are called after the whole, so only one of them can be meant.
        Kind::Object(object) if name.starts_with(&*object.name) => {
            object.fields.values().find_map(|field| find_object(&field.node, name))
        }
        _ => None,
    }
}

impl Objects for Schema {
    fn is_object(&self, name: &str) -> bool {
        self.object(name).is_some()
    }

    fn field(&self, object: &str, field: &str) -> Option<Type> {
        let (_, node) = self.object(object)?.field(field)?;
        Some(node.of.clone())
    }
}

impl Sizes for Schema {
    /// The first step of a path is the variable, which is the root whatever it is called.
    fn size(&self, node: &estimate::Node) -> Option<Size> {
        let (_, steps) = node.path?.split_first()?;
        let mut current = &self.root;
        for (at, step) in steps.iter().enumerate() {
            if &**step == "@keys" && matches!(current.kind, Kind::Map(_)) {
                return (at + 1 == steps.len()).then_some(Size { min: 0, max: 0 });
            }
            current = current.part(step)?;
        }
        Some(Size { min: 0, max: current.max })
    }
}

fn simple(of: Type, kind: Kind, min: u64, max: u64) -> Option<Node> {
    Some(Node { of, kind, max, min })
}

fn natural(value: &Value) -> Option<u64> {
    value.as_int().map(|n| u64::try_from(n).unwrap_or(0))
}

fn node(schema: &Value, name: &str, is_resource: bool) -> Option<Node> {
    if schema["x-kubernetes-int-or-string"].bool() {
        let max = natural(&schema["maxLength"]).map_or(REQUEST_BYTES_MAX - 2, |length| length.saturating_mul(4));
        return simple(Type::Dyn, Kind::Dyn, 1, max);
    }
    match schema["type"].str() {
        "array" => list(schema, name),
        // The root of a resource is an object even where nobody says so.
        "object" | "" if is_resource => object(schema, name, true),
        "object" => object(schema, name, false),
        "string" => string(schema),
        "boolean" => simple(Type::Bool, Kind::Bool, 4, 0),
        "number" => simple(Type::Double, Kind::Double, 1, 0),
        "integer" => simple(Type::Int, Kind::Int, 1, 0),
        _ => None,
    }
}

fn part(schema: &Value, name: &str) -> Option<Node> {
    node(schema, name, schema["x-kubernetes-embedded-resource"].bool())
}

fn string(schema: &Value) -> Option<Node> {
    let length = natural(&schema["maxLength"]);
    match schema["format"].str() {
        "byte" => simple(Type::Bytes, Kind::Bytes, 2, length.unwrap_or(REQUEST_BYTES_MAX - 2)),
        "duration" => simple(Type::Duration, Kind::Duration, DURATION_MIN, DURATION_LENGTH),
        "date" => simple(Type::Timestamp, Kind::Date, DATE_LENGTH, DATE_LENGTH),
        "date-time" => simple(Type::Timestamp, Kind::Timestamp, DATE_TIME_MIN, DATE_TIME_LENGTH),
        _ => {
            let longest = schema["enum"].items().iter().filter_map(Value::as_str).map(|text| text.len() as u64).max();
            let max = match length {
                // Characters, of which each may be four bytes.
                Some(length) => length.saturating_mul(4),
                None if !schema["enum"].items().is_empty() => longest.unwrap_or(0),
                None => REQUEST_BYTES_MAX - 2,
            };
            simple(Type::String, Kind::String, 2, max)
        }
    }
}

fn list(schema: &Value, name: &str) -> Option<Node> {
    let items = part(schema.get("items")?, &format!("{name}.@idx"))?;
    let max = natural(&schema["maxItems"]).unwrap_or((REQUEST_BYTES_MAX - 2) / (items.min + 1));
    let listed = match schema["x-kubernetes-list-type"].str() {
        "set" => Listed::Set,
        "map" => {
            let keys = schema["x-kubernetes-list-map-keys"].items().iter().map(Value::str);
            Listed::Map(keys.map(|key| escape(key).unwrap_or_else(|| key.to_owned()).into()).collect())
        }
        _ => Listed::Atomic,
    };
    let of = Type::list(items.of.clone());
    Some(Node { of, kind: Kind::List(Box::new(items), listed), max, min: 2 })
}

fn object(schema: &Value, name: &str, is_resource: bool) -> Option<Node> {
    let values = &schema["additionalProperties"];
    if values.as_object().is_some() && !is_resource {
        let values = part(values, &format!("{name}.@elem"))?;
        // Two bytes of a key, its quotes, colon and comma.
        let max = natural(&schema["maxProperties"]).unwrap_or((REQUEST_BYTES_MAX - 2) / (values.min + 6));
        let of = Type::map(Type::String, values.of.clone());
        return Some(Node { of, kind: Kind::Map(Box::new(values)), max, min: 2 });
    }
    let mut object = Object { name: name.into(), fields: BTreeMap::new(), names: HashMap::new() };
    let mut min = 2;
    let resource = resource_properties();
    let known = schema["properties"].entries().filter(|(property, _)| !is_resource || resource.get(property).is_none());
    let added = resource.entries().filter(|_| is_resource);
    for (property, schema_of) in known.chain(added) {
        let Some(found) =
            escape(property).and_then(|field| Some((part(schema_of, &format!("{name}.{field}"))?, field)))
        else {
            continue;
        };
        let (node, field) = found;
        let required = schema["required"].items().iter().any(|wanted| wanted.str() == property);
        if required && schema_of.get("default").is_none() {
            min += property.len() as u64 + node.min + 4;
        }
        object.names.insert(property.into(), field.as_str().into());
        object.fields.insert(field.into(), Field { property: property.into(), node });
    }
    Some(Node { of: Type::object(name), kind: Kind::Object(object), max: 0, min })
}

/// What every resource has.
fn resource_properties() -> Value {
    let text = meta::value!({"type": "string"});
    let metadata = meta::value!({"type": "object", "properties": {"name": (&text), "generateName": (&text)}});
    meta::value!({"apiVersion": (&text), "kind": (&text), "metadata": metadata})
}
