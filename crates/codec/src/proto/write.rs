//! Writing messages, byte for byte as upstream's generated code: fields by number, values without pointer always,
//! maps sorted by key.

use super::wire::Backwards;
use crate::base64;
use crate::present::Present;
use meta::time::{Timestamp, ZERO_SECONDS, parse_duration};
use meta::{Value, json};
use schema::{Field, Presence, Schema, SchemaOther, Shape, Type, TypeId};

/// The bytes of an object's message, without the envelope.
pub fn encode_message(schema: &Schema, ty: TypeId, value: &Value) -> Vec<u8> {
    let mut out = Backwards::with_capacity(1024);
    message(schema, schema.ty(ty), value, &[], &mut out);
    out.written().to_vec()
}

/// A member whose encoding is known.
pub(crate) struct Kept<'a> {
    pub(crate) number: u32,
    pub(crate) bytes: &'a [u8],
}

/// The fields of a struct, last first; those in `kept` are not encoded again. Embedded structs are messages of their own, written even when nothing is in them.
pub(crate) fn message(schema: &Schema, ty: &Type, value: &Value, kept: &[Kept], out: &mut Backwards) {
    let empty = meta::Map::new();
    let present = Present::new(ty, value.as_object().unwrap_or(&empty));
    // The embedded messages that are open, outermost first, with the length before each.
    let mut open: [(u32, usize); 2] = [(0, 0); 2];
    for &index in ty.by_number.iter().rev() {
        let index = usize::from(index);
        let Some(field) = ty.fields.get(index) else { continue };
        if field.number == 0 {
            continue;
        }
        let embeds = [field.inline & 0xffff, field.inline >> 16];
        for level in [1, 0] {
            let same = (0..=level).all(|l| open[l].0 == embeds[l]);
            if open[level].0 != 0 && !same {
                out.close(open[level].0, open[level].1);
                open[level] = (0, 0);
            }
        }
        for level in [0, 1] {
            if embeds[level] != 0 && open[level].0 == 0 {
                open[level] = (embeds[level], out.len());
            }
        }
        match kept.iter().find(|kept| kept.number == field.number && field.inline == 0) {
            Some(kept) => out.field(kept.number, kept.bytes),
            None => member(schema, field, present.get(index), out),
        }
    }
    for level in [1, 0] {
        if open[level].0 != 0 {
            out.close(open[level].0, open[level].1);
        }
    }
}

fn member(schema: &Schema, field: &Field, value: Option<&Value>, out: &mut Backwards) {
    let pointer = matches!(field.presence, Presence::Pointer | Presence::Nullable);
    let value = value.filter(|v| !v.is_null());
    match (&field.shape, value) {
        (Shape::List(_) | Shape::Map(_), None) | (Shape::Bytes | Shape::SchemaOr { .. }, None) => {}
        (_, None) if pointer => {}
        (shape, None) => single(schema, shape, &Value::Null, field.number, out),
        (Shape::List(item), Some(value)) if field.wrapped => {
            let before = out.len();
            list(schema, item, value, 1, out);
            out.close(field.number, before);
        }
        (Shape::List(item), Some(value)) => list(schema, item, value, field.number, out),
        (Shape::Map(item), Some(value)) => map(schema, field, item, value, out),
        (shape, Some(value)) => single(schema, shape, value, field.number, out),
    }
}

fn list(schema: &Schema, item: &Shape, value: &Value, number: u32, out: &mut Backwards) {
    for value in value.items().iter().rev() {
        single(schema, item, value, number, out);
    }
}

fn map(schema: &Schema, field: &Field, item: &Shape, value: &Value, out: &mut Backwards) {
    for (key, value) in value.entries().rev() {
        let before = out.len();
        match item {
            Shape::List(item) => {
                let inner = out.len();
                list(schema, item, value, 1, out);
                out.close(2, inner);
            }
            // nil bytes have no value at all.
            Shape::Bytes if value.is_null() => {}
            _ => single(schema, item, value, 2, out),
        }
        out.field(1, key.as_bytes());
        out.close(field.number, before);
    }
}

/// One value with its tag. Null is the zero value.
fn single(schema: &Schema, shape: &Shape, value: &Value, number: u32, out: &mut Backwards) {
    match shape {
        Shape::Bool => {
            out.byte(u8::from(value.bool()));
            out.tag(number, 0);
        }
        Shape::Int32 | Shape::Int64 => {
            out.varint(value.int() as u64);
            out.tag(number, 0);
        }
        Shape::Float64 => {
            let n = match value {
                Value::Float(n) => *n,
                other => other.int() as f64,
            };
            out.bytes(&n.to_le_bytes());
            out.tag(number, 1);
        }
        Shape::String => out.field(number, value.str().as_bytes()),
        Shape::Bytes => out.field(number, &base64::decode(value.str().as_bytes()).unwrap_or_default()),
        _ => {
            let before = out.len();
            compound(schema, shape, value, out);
            out.close(number, before);
        }
    }
}

/// The content of a value that protobuf has a message for.
fn compound(schema: &Schema, shape: &Shape, value: &Value, out: &mut Backwards) {
    match shape {
        Shape::Object(id) => message(schema, schema.ty(*id), value, &[], out),
        Shape::Time => timestamp(Timestamp::parse(value.str()).map(|t| Timestamp { nanos: 0, ..t }), out),
        Shape::MicroTime => timestamp(Timestamp::parse_micro(value.str()), out),
        Shape::Duration => {
            out.varint(parse_duration(value.str()).unwrap_or(0) as u64);
            out.tag(1, 0);
        }
        Shape::Quantity => out.field(1, value.as_str().unwrap_or("0").as_bytes()),
        Shape::IntOrString => {
            out.field(3, value.str().as_bytes());
            out.varint(value.int() as u64);
            out.tag(2, 0);
            out.byte(u8::from(value.as_str().is_some()));
            out.tag(1, 0);
        }
        Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::Any => match value {
            Value::Null => {}
            Value::Raw(raw) => out.field(1, raw.text().as_bytes()),
            tree => out.field(1, &json::to_vec(tree)),
        },
        Shape::SchemaOr { object, other } => schema_or(schema, schema.ty(*object), *other, value, out),
        // Lists of lists and maps of maps have no protobuf form.
        _ => {}
    }
}

/// Times are empty when they are Go's zero.
fn timestamp(at: Result<Timestamp, String>, out: &mut Backwards) {
    let Ok(at) = at else { return };
    if at.seconds == ZERO_SECONDS && at.nanos == 0 {
        return;
    }
    out.varint(u64::from(at.nanos));
    out.tag(2, 0);
    out.varint(at.seconds as u64);
    out.tag(1, 0);
}

/// `JSONSchemaPropsOrBool` and its kin.
fn schema_or(schema: &Schema, ty: &Type, other: SchemaOther, value: &Value, out: &mut Backwards) {
    let object = |number: u32, value: &Value, out: &mut Backwards| {
        let before = out.len();
        message(schema, ty, value, &[], out);
        out.close(number, before);
    };
    match (other, value) {
        (SchemaOther::Bool, Value::Object(_)) => {
            object(2, value, out);
            out.byte(1);
            out.tag(1, 0);
        }
        (SchemaOther::Bool, _) => {
            out.byte(u8::from(value.bool()));
            out.tag(1, 0);
        }
        (SchemaOther::SchemaArray, Value::Array(items)) => items.iter().rev().for_each(|item| object(2, item, out)),
        (SchemaOther::StringArray, Value::Array(items)) => {
            items.iter().rev().for_each(|item| out.field(2, item.str().as_bytes()));
        }
        (_, Value::Object(_)) => object(1, value, out),
        _ => {}
    }
}
