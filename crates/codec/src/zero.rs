//! Go's zero values and presence rules: what is in an object although nobody wrote it, and what is left out.

use crate::typed::is_custom;
use meta::{Map, Str, Value};
use schema::{Field, Presence, Schema, Shape, Type};

/// What an unset value of a shape without pointer reads as once it is decoded.
pub(crate) fn zero(schema: &Schema, shape: &Shape) -> Value {
    match shape {
        Shape::Bool => Value::Bool(false),
        Shape::Int32 | Shape::Int64 | Shape::IntOrString => Value::Int(0),
        Shape::Float64 => Value::Float(0.0),
        Shape::String => Value::String(Str::const_new("")),
        Shape::Duration => Value::String(Str::const_new("0s")),
        Shape::Quantity => Value::String(Str::const_new("0")),
        Shape::Object(id) => {
            let mut entries = Vec::new();
            fill(schema, schema.ty(*id), 0, &mut entries);
            Value::Object(Map::from_entries(entries).0)
        }
        _ => Value::Null,
    }
}

/// The fields that a struct has even when they were not set. `seen` has a bit per field that was.
pub(crate) fn fill(schema: &Schema, ty: &Type, seen: u128, entries: &mut Vec<(Str, Value)>) {
    for &index in &ty.always {
        let bit = 1_u128.checked_shl(index.into()).unwrap_or(0);
        if seen & bit == 0
            && let Some(field) = ty.fields.get(usize::from(index))
        {
            entries.push((field.name.clone(), unset(schema, field)));
        }
    }
}

fn unset(schema: &Schema, field: &Field) -> Value {
    match field.presence {
        Presence::Always => zero(schema, &field.shape),
        _ => Value::Null,
    }
}

/// Makes a value what the field holds; false when Go leaves it out. Null means unset, unless the field is `nullable`.
/// `stored`: as it will be once it was stored.
pub(crate) fn settle(schema: &Schema, field: &Field, value: &mut Value, stored: bool) -> bool {
    match (field.presence, &*value) {
        (_, Value::Null) if field.nullable || is_custom(field) => {}
        (Presence::Pointer | Presence::OmitEmpty, Value::Null) => return false,
        (Presence::Always | Presence::Nullable, Value::Null) => *value = unset(schema, field),
        (Presence::OmitEmpty, _) => return !is_zero(value, &field.shape),
        // protobuf cannot tell an empty list or map from none, so that storage makes them the same.
        (Presence::Always, _) if stored && is_empty_collection(value, &field.shape) && in_protobuf(field) => {
            *value = Value::Null;
        }
        _ => {}
    }
    true
}

/// Whether [`settle`] would leave a stored value as it is. Values within values are not judged.
pub(crate) fn is_settled(schema: &Schema, field: &Field, value: &Value) -> bool {
    match (field.presence, value) {
        (_, Value::Null) if field.nullable || is_custom(field) => true,
        (Presence::Pointer | Presence::OmitEmpty, Value::Null) => false,
        (Presence::Always | Presence::Nullable, Value::Null) => unset(schema, field).is_null(),
        (Presence::OmitEmpty, _) => !is_zero(value, &field.shape),
        (Presence::Always, _) => !(is_empty_collection(value, &field.shape) && in_protobuf(field)),
        _ => true,
    }
}

/// An empty list or map; raw values that look like one are not.
pub(crate) fn is_empty_collection(value: &Value, shape: &Shape) -> bool {
    match (shape, value) {
        (Shape::List(_), Value::Array(items)) => items.is_empty(),
        (Shape::Map(_), Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}

pub(crate) fn in_protobuf(field: &Field) -> bool {
    field.number != 0
}

/// Whether Go's omitempty (or, for structs, omitzero) leaves the value out.
fn is_zero(value: &Value, shape: &Shape) -> bool {
    match (shape, value) {
        (_, Value::Null) => true,
        // Types of their own, which omitempty never leaves out.
        (Shape::IntOrString | Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::SchemaOr { .. }, _) => false,
        (Shape::Object(_), Value::Object(map)) => map.iter().all(|(_, v)| is_zero_deep(v)),
        (_, Value::Object(map)) => map.is_empty(),
        (_, Value::Array(items)) => items.is_empty(),
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Int(n)) => *n == 0,
        (_, Value::Float(n)) => *n == 0.0,
        (_, Value::Bool(b)) => !b,
        (_, Value::Raw(_)) => false,
    }
}

/// Every leaf of a struct is its zero value.
fn is_zero_deep(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().all(|(_, v)| is_zero_deep(v)),
        other => is_zero(other, &Shape::Any),
    }
}
