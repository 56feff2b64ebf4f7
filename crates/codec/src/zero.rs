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
        (Presence::Always, Value::Array(items)) if stored && items.is_empty() && in_protobuf(field) => {
            *value = Value::Null;
        }
        (Presence::Always, Value::Object(map)) if stored && map.is_empty() && in_protobuf(field) => {
            if matches!(field.shape, Shape::Map(_)) {
                *value = Value::Null;
            }
        }
        _ => {}
    }
    true
}

fn in_protobuf(field: &Field) -> bool {
    field.number != 0
}

/// Whether Go's omitempty (or, for structs, omitzero) leaves the value out.
fn is_zero(value: &Value, shape: &Shape) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => {
            !matches!((shape, value), (Shape::IntOrString, Value::Int(_)))
        }
        Value::Float(n) => *n == 0.0,
        Value::String(s) => s.is_empty() && !matches!(shape, Shape::IntOrString),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => match shape {
            Shape::Object(_) => map.iter().all(|(_, v)| is_zero_deep(v)),
            Shape::Map(_) => map.is_empty(),
            _ => false,
        },
        Value::Bool(_) | Value::Int(_) => false,
    }
}

/// Every leaf of a struct is its zero value.
fn is_zero_deep(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().all(|(_, v)| is_zero_deep(v)),
        other => is_zero(other, &Shape::Any),
    }
}
