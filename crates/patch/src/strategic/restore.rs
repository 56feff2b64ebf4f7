//! Whether a patched tree can be read as its type, in the words of Go's converter from maps to structs
//! (upstream: apimachinery/pkg/runtime/converter.go).

use crate::go;
use meta::Value;
use meta::quantity::Quantity;
use meta::time::{Timestamp, parse_duration};
use schema::{Schema, Shape, TypeId};

/// The fields that the type does not have, as `unknown field "spec.x"`, sorted.
///
/// # Errors
/// The first value of a wrong kind, in the order of Go's fields: `cannot restore slice from map`.
pub fn restore(schema: &Schema, type_id: TypeId, value: &Value) -> Result<Vec<String>, String> {
    let mut walk = Walk { schema, path: String::new(), unknown: Vec::new() };
    walk.object(type_id, value)?;
    walk.unknown.sort();
    Ok(walk.unknown)
}

struct Walk<'a> {
    schema: &'a Schema,
    path: String,
    unknown: Vec<String>,
}

impl Walk<'_> {
    fn object(&mut self, id: TypeId, value: &Value) -> Result<(), String> {
        let Value::Object(map) = value else { return Err(format!("cannot restore struct from: {}", kind(value))) };
        let ty = self.schema.ty(id);
        for field in &ty.fields {
            if let Some(value) = map.get(&field.name).filter(|v| !v.is_null()) {
                let text = field.go_type.as_deref().unwrap_or("string");
                self.at_key(&field.name, |walk| walk.shape(&field.shape, text, value))?;
            }
        }
        if !ty.preserve_unknown {
            for name in map.keys().filter(|name| ty.field(name).is_none()) {
                let dot = if self.path.is_empty() { "" } else { "." };
                self.unknown.push(format!("unknown field \"{}{dot}{name}\"", self.path));
            }
        }
        Ok(())
    }

    fn at_key(&mut self, key: &str, check: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<(), String> {
        let len = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        let result = check(self);
        self.path.truncate(len);
        result
    }

    /// `text`: Go's name of the strings in it.
    fn shape(&mut self, shape: &Shape, text: &str, value: &Value) -> Result<(), String> {
        match (shape, value) {
            (_, Value::Null) => Ok(()),
            (Shape::Object(id), value) => self.object(*id, value),
            (Shape::List(item), Value::Array(items)) => {
                let len = self.path.len();
                for (i, value) in items.iter().enumerate() {
                    self.path.push_str(&format!("[{i}]"));
                    self.shape(item, text, value)?;
                    self.path.truncate(len);
                }
                Ok(())
            }
            (Shape::Bytes, Value::String(text)) => {
                let decoded = check_base64(text);
                decoded.map_err(|at| format!("error decoding from json: illegal base64 data at input byte {at}"))
            }
            (Shape::List(_) | Shape::Bytes, value) => Err(format!("cannot restore slice from {}", kind(value))),
            // The converter does not note the keys of maps.
            (Shape::Map(item), Value::Object(map)) => {
                map.iter().try_for_each(|(_, value)| self.shape(item, text, value))
            }
            (Shape::Map(_), value) => Err(format!("cannot restore map from {}", kind(value))),
            (Shape::Bool, value) => scalar(value, "bool"),
            (Shape::Int32, value) => scalar(value, "int32"),
            (Shape::Int64, value) => scalar(value, "int64"),
            (Shape::Float64, value) => scalar(value, "float64"),
            (Shape::String, Value::Int(_)) => Err(format!("cannot convert int64 to {text}")),
            (Shape::String, value) => scalar(value, "string"),
            (Shape::Quantity, Value::Int(_) | Value::Float(_)) => Ok(()),
            (Shape::Quantity, value) => {
                Quantity::parse(value.as_str().unwrap_or("{")).map(drop).map_err(|e| e.to_string())
            }
            (Shape::IntOrString, Value::Int(_) | Value::String(_)) => Ok(()),
            (Shape::IntOrString, value) => Err(not_of_type(value, "int32")),
            (Shape::Time, Value::String(text)) => Timestamp::parse(text).map(drop),
            (Shape::MicroTime, Value::String(text)) => Timestamp::parse_micro(text).map(drop),
            (Shape::Duration, Value::String(text)) => parse_duration(text).map(drop),
            (Shape::Time | Shape::MicroTime | Shape::Duration, value) => Err(not_of_type(value, "string")),
            _ => Ok(()),
        }
    }
}

fn not_of_type(value: &Value, go_type: &str) -> String {
    let number = if let Value::Float(_) = value { format!(" {}", go::print(value)) } else { String::new() };
    let found = crate::json::go_json_kind(value);
    format!("json: cannot unmarshal {found}{number} into Go value of type {go_type}")
}

/// The place of the first byte that is not base64, as Go's decoder reports it.
fn check_base64(text: &str) -> Result<(), usize> {
    let bytes: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    let digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let digits = bytes.iter().take_while(|b| digit(b)).count();
    let padding = bytes.get(digits..).unwrap_or_default();
    let wanted: &[u8] = match digits % 4 {
        0 => b"",
        2 => b"==",
        3 => b"=",
        _ => return Err(if padding.is_empty() { digits.saturating_sub(1) } else { digits }),
    };
    match padding.iter().zip(wanted).position(|(a, b)| a != b) {
        Some(at) => Err(digits + at),
        None if padding.len() > wanted.len() => Err(digits + wanted.len()),
        None if padding.len() < wanted.len() => Err(bytes.len()),
        None => Ok(()),
    }
}

/// The kind of Go's reflection.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
        other => go::type_name(other),
    }
}

/// Go converts between numbers, not between numbers and other kinds.
fn scalar(value: &Value, into: &str) -> Result<(), String> {
    let number = into.starts_with("int") || into == "float64";
    match value {
        Value::Bool(_) if into == "bool" => Ok(()),
        Value::String(_) if into == "string" => Ok(()),
        Value::Int(_) if number => Ok(()),
        Value::Float(n) if number && (into == "float64" || n.fract() == 0.0) => Ok(()),
        Value::Float(_) if number => Err(format!("cannot convert float64 to {into}")),
        _ => Err(format!("unrecognized type: {into}")),
    }
}
