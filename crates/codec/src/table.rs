//! The Table and PartialObjectMetadata forms of meta.k8s.io.

use crate::jsonpath::JsonPath;
use crate::list::ListMeta;
use meta::time::{Timestamp, human_duration};
use meta::{Gvk, Map, Status, Value, json, value};
use resource::{Column, Descriptor};

/// What a row carries besides its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IncludeObject {
    None,
    /// The object's metadata, as a PartialObjectMetadata.
    #[default]
    Metadata,
    /// The object in the served version.
    Object,
}

impl IncludeObject {
    /// From the query's `includeObject` ("" when it is missing). 400 for what is none of them.
    pub fn parse(text: &str) -> Result<IncludeObject, Status> {
        match text {
            "None" => Ok(IncludeObject::None),
            "" | "Metadata" => Ok(IncludeObject::Metadata),
            "Object" => Ok(IncludeObject::Object),
            other => {
                let shown = meta::field::quote(other);
                let text = format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {shown}: must be 'Metadata', 'Object', 'None', or empty"
                );
                Err(Status::bad_request(text))
            }
        }
    }
}

/// What a custom resource shows when its definition names no columns.
const AGE: (&str, &str, &str) = ("Age", "date", ".metadata.creationTimestamp");

/// Descriptions of the columns that every resource may have, as upstream publishes those fields.
pub const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
pub const CREATED_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// Makes the tables of one resource.
pub struct Tabler<'d> {
    descriptor: &'d Descriptor,
    /// "v1" or "v1beta1".
    version: &'static str,
    include: IncludeObject,
    /// Paths of the columns after the name, for resources without a function that makes cells.
    paths: Vec<(Column, Option<JsonPath>)>,
}

impl<'d> Tabler<'d> {
    pub fn new(descriptor: &'d Descriptor, version: &'static str, include: IncludeObject) -> Tabler<'d> {
        let mut paths = Vec::new();
        if descriptor.cells.is_none() {
            let age = Column {
                // upstream's default table of built-in kinds calls the same column otherwise
                name: if descriptor.stored_as_json { AGE.0.into() } else { "Created At".into() },
                kind: AGE.1.into(),
                format: "".into(),
                description: CREATED_DESCRIPTION.into(),
                priority: 0,
                json_path: AGE.2.into(),
            };
            let columns = if descriptor.columns.is_empty() { vec![age] } else { descriptor.columns.clone() };
            paths = columns.into_iter().map(|c| (JsonPath::parse(&c.json_path), c)).map(|(p, c)| (c, p)).collect();
        }
        Tabler { descriptor, version, include, paths }
    }

    /// The column definitions.
    fn columns(&self) -> Vec<Value> {
        let column = |name: &str, kind: &str, format: &str, description: &str, priority: i32| value!({"name": name, "type": kind, "format": format, "description": description, "priority": priority});
        if self.descriptor.cells.is_some() {
            let columns = self.descriptor.columns.iter();
            return columns.map(|c| column(&c.name, &c.kind, &c.format, &c.description, c.priority)).collect();
        }
        let mut columns = vec![column("Name", "string", "name", NAME_DESCRIPTION, 0)];
        for (c, _) in &self.paths {
            let path = format!("Custom resource definition column (in JSONPath format): {}", c.json_path);
            let description = if c.description.is_empty() { path.as_str() } else { c.description.as_str() };
            columns.push(column(&c.name, &c.kind, &c.format, description, c.priority));
        }
        columns
    }

    /// The row of an object in its storage version; `served` gives it in the served version, `now` is for ages.
    pub fn row(&self, object: &Value, served: impl FnOnce() -> Value, now: Timestamp) -> Value {
        let cells = match self.descriptor.cells {
            Some(cells) => cells(object, now.seconds),
            None => {
                let mut cells = vec![Value::from(object["metadata"]["name"].str())];
                cells.extend(self.paths.iter().map(|(column, path)| cell(column, path.as_ref(), object, now)));
                cells
            }
        };
        let object = match self.include {
            IncludeObject::None => Value::Null,
            IncludeObject::Metadata => partial(object, self.version),
            IncludeObject::Object => served(),
        };
        value!({"cells": cells, "object": object})
    }

    /// A table of rows. `headers` is false for the second and later events of a watch, and where the client wants none.
    pub fn table(&self, metadata: &ListMeta, rows: Vec<Value>, headers: bool) -> Value {
        let columns = if headers { Value::from(self.columns()) } else { Value::Null };
        value!({
            "kind": "Table",
            "apiVersion": (group_version(self.version)),
            "metadata": (metadata.to_value()),
            "columnDefinitions": columns,
            "rows": rows
        })
    }
}

/// "meta.k8s.io/v1".
fn group_version(version: &str) -> String {
    format!("meta.k8s.io/{version}")
}

/// The kind of partial objects in a version of meta.k8s.io.
pub fn partial_gvk(version: &str) -> Gvk {
    Gvk::new("meta.k8s.io", version, "PartialObjectMetadata")
}

/// An object's PartialObjectMetadata.
pub fn partial(object: &Value, version: &str) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(Value::object);
    value!({"kind": "PartialObjectMetadata", "apiVersion": (group_version(version)), "metadata": metadata})
}

/// The cell of a column that has a path.
fn cell(column: &Column, path: Option<&JsonPath>, object: &Value, now: Timestamp) -> Value {
    let found = path.map(|p| p.find(object)).unwrap_or_default();
    let Some(found) = found.first() else { return Value::Null };
    match (column.kind.as_str(), found) {
        ("string", Value::Null) => "<no value>".into(),
        ("string", Value::String(text)) => text.into(),
        ("string", other) => json::to_string(other).into(),
        ("integer", Value::Int(n)) => (*n).into(),
        ("integer", Value::Float(n)) => (*n as i64).into(),
        ("number", Value::Int(_) | Value::Float(_)) => (*found).clone(),
        ("boolean", Value::Bool(b)) => (*b).into(),
        ("date", Value::String(text)) => age(text, now).into(),
        _ => Value::Null,
    }
}

fn age(text: &str, now: Timestamp) -> String {
    if text.is_empty() || text == "null" {
        return "<unknown>".to_string();
    }
    match Timestamp::parse(text) {
        Ok(at) if at.is_zero() => "<unknown>".to_string(),
        Ok(at) => human_duration(now.seconds.saturating_sub(at.seconds)),
        Err(_) => "<invalid>".to_string(),
    }
}

impl ListMeta {
    /// The metadata of a list as a tree.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [("resourceVersion", &self.resource_version), ("continue", &self.continue_token)] {
            if !text.is_empty() {
                map.insert(key, text);
            }
        }
        if self.remaining_item_count != 0 {
            map.insert("remainingItemCount", self.remaining_item_count);
        }
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: &str, path: &str) -> Column {
        Column {
            name: "C".into(),
            kind: kind.into(),
            format: "".into(),
            description: "".into(),
            priority: 0,
            json_path: path.into(),
        }
    }

    #[test]
    fn cells_follow_their_columns_type() {
        let text = r#"{"a":"x","n":3,"f":2.5,"b":true,"l":[1,{"k":"v"}],"z":null,"at":"2024-01-01T00:00:00Z"}"#;
        let object = json::parse(text.as_bytes()).expect("well formed").value;
        let now = Timestamp::parse("2024-01-01T03:00:00Z").expect("a time");
        for (kind, path, want) in [
            ("string", ".a", "\"x\""),
            ("string", ".n", "\"3\""),
            ("string", ".l", r#""[1,{\"k\":\"v\"}]""#),
            ("string", ".nope", "null"),
            ("integer", ".f", "2"),
            ("integer", ".a", "null"),
            ("number", ".f", "2.5"),
            ("boolean", ".b", "true"),
            ("date", ".at", "\"3h\""),
            ("date", ".a", "\"\\u003cinvalid\\u003e\""),
            ("date", ".z", "null"),
        ] {
            let got = cell(&column(kind, path), JsonPath::parse(path).as_ref(), &object, now);
            assert_eq!(json::to_string(&got), want, "{kind} {path}");
        }
    }

    #[test]
    fn include_object_is_one_of_three() {
        assert_eq!(IncludeObject::parse(""), Ok(IncludeObject::Metadata));
        assert_eq!(IncludeObject::parse("None"), Ok(IncludeObject::None));
        assert_eq!(IncludeObject::parse("all").expect_err("no such form").code, 400);
    }
}
