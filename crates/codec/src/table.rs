//! The Table and PartialObjectMetadata forms of meta.k8s.io.

use crate::json::encode_json;
use crate::jsonpath::JsonPath;
use crate::list::{JsonList, ListMeta};
use crate::proto::{self, Mask};
use meta::time::{Timestamp, human_duration};
use meta::{Gvk, Status, Value, json, value};
use resource::{Cells, Column, Descriptor};

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

/// OpenAPI's name of a column's type.
const COLUMN_DEFINITION: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.TableColumnDefinition";

/// Descriptions of the columns that every resource may have, as upstream publishes those fields.
pub const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
pub const CREATED_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// Makes the tables of one resource.
pub struct Tabler {
    /// "v1" or "v1beta1".
    version: &'static str,
    include: IncludeObject,
    cells: Option<Cells>,
    /// Of the cells; the name's is added where there is no function that makes cells.
    columns: Vec<Column>,
    /// Paths of the columns, for resources without such a function.
    paths: Vec<Option<JsonPath>>,
    mask: Mask,
    /// What of a message the cells need, of one row after the other.
    cut: Vec<u8>,
}

impl Tabler {
    pub fn new(descriptor: &Descriptor, version: &'static str, include: IncludeObject) -> Tabler {
        let (schema, ty) = (&descriptor.schema, descriptor.storage_type_id);
        let mut columns = descriptor.columns.clone();
        let (mut paths, mut read) = (Vec::new(), descriptor.cell_fields);
        let mut cells = descriptor.cells;
        if cells.is_none() && columns.is_empty() {
            read = &["metadata.name", "metadata.creationTimestamp"];
            let column = |name: &str, kind: &str, format: &str, description: &str, json_path: &str| Column {
                name: name.into(),
                kind: kind.into(),
                format: format.into(),
                description: description.into(),
                priority: 0,
                json_path: json_path.into(),
            };
            if descriptor.stored_as_json {
                columns.push(column(AGE.0, AGE.1, "", CREATED_DESCRIPTION, AGE.2));
            } else {
                // Upstream's default table of built-in kinds shows the time itself.
                columns.push(column("Name", "string", "name", NAME_DESCRIPTION, ""));
                columns.push(column("Created At", "date", "", CREATED_DESCRIPTION, ""));
                cells = Some(|object, _| {
                    let metadata = &object["metadata"];
                    vec![metadata["name"].clone(), metadata["creationTimestamp"].clone()]
                });
            }
        }
        if cells.is_none() {
            paths = columns.iter().map(|column| JsonPath::parse(&column.json_path)).collect();
        }
        let mask = if read.is_empty() { Mask::without_managed_fields() } else { Mask::of(schema, ty, read) };
        Tabler { version, include, cells, columns, paths, mask, cut: Vec::new() }
    }

    /// What rows carry besides their cells.
    pub fn include(&self) -> IncludeObject {
        self.include
    }

    /// The kind of the metadata that rows carry.
    pub fn partial_gvk(&self) -> Gvk {
        partial_gvk(self.version)
    }

    /// The column definitions.
    fn definitions(&self) -> Vec<Value> {
        let column = |name: &str, kind: &str, format: &str, description: &str, priority: i32| value!({"name": name, "type": kind, "format": format, "description": description, "priority": priority});
        if self.cells.is_some() {
            let columns = self.columns.iter();
            return columns.map(|c| column(&c.name, &c.kind, &c.format, &c.description, c.priority)).collect();
        }
        let mut columns = vec![column("Name", "string", "name", NAME_DESCRIPTION, 0)];
        for c in &self.columns {
            let path = format!("Custom resource definition column (in JSONPath format): {}", c.json_path);
            let description = if c.description.is_empty() { path.as_str() } else { c.description.as_str() };
            columns.push(column(&c.name, &c.kind, &c.format, description, c.priority));
        }
        columns
    }

    /// The cells of an object in its storage version; `now` is for ages.
    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        if let Some(cells) = self.cells {
            return cells(object, now.seconds);
        }
        let mut cells = vec![Value::from(object["metadata"]["name"].str())];
        cells.extend(
            self.columns.iter().zip(&self.paths).map(|(column, path)| cell(column, path.as_ref(), object, now)),
        );
        cells
    }

    /// Appends the row of an object in its storage version, up to the object that it carries, which is to follow with a `}`.
    pub fn open_row(&self, object: &Value, now: Timestamp, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"cells\":[");
        for (i, cell) in self.cells(object, now).iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::write(cell, out);
        }
        out.extend_from_slice(b"],\"object\":");
    }

    /// As [`Tabler::open_row`], from the message (without envelope) of an object that is stored in protobuf. Decodes no more than the
    /// cells need. The error is for the log.
    pub fn open_stored_row(
        &mut self,
        descriptor: &Descriptor,
        message: &[u8],
        now: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.cut.clear();
        self.mask.cut(message, &mut self.cut)?;
        let object = proto::decode_message(&descriptor.schema, descriptor.storage_type_id, &self.cut)?;
        self.open_row(&object, now, out);
        Ok(())
    }

    /// What is before and behind the rows of a table. `headers` is false for the second and later events of a watch, and where
    /// the client wants none.
    pub fn frame(&self, metadata: &ListMeta, headers: bool) -> JsonList {
        let version = self.version;
        let mut head =
            format!("{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/{version}\",\"metadata\":").into_bytes();
        metadata.write_json(false, &mut head);
        head.extend_from_slice(b",\"columnDefinitions\":");
        let schema = schema::builtin();
        match schema.named(COLUMN_DEFINITION).filter(|_| headers) {
            Some(ty) => {
                head.push(b'[');
                for (i, column) in self.definitions().iter().enumerate() {
                    if i > 0 {
                        head.push(b',');
                    }
                    encode_json(&schema, ty, column, &mut head);
                }
                head.push(b']');
            }
            None => head.extend_from_slice(b"null"),
        }
        head.extend_from_slice(b",\"rows\":[");
        JsonList { head, tail: b"]}\n".to_vec() }
    }
}

/// The kind of partial objects in a version of meta.k8s.io.
pub fn partial_gvk(version: &str) -> Gvk {
    Gvk::new("meta.k8s.io", version, "PartialObjectMetadata")
}

/// An object's PartialObjectMetadata, of [`partial_gvk`].
pub fn partial(object: &Value, gvk: &Gvk) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(Value::object);
    value!({"kind": (&gvk.kind), "apiVersion": (gvk.api_version()), "metadata": metadata})
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
