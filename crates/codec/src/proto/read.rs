//! Reading messages into canonical trees.

use super::plain::is_tree_of_keys;
use super::target::{Target, Targets, nested_kind};
use super::wire::{Fields, Malformed, Wire};
use crate::base64;
use crate::scalar;
use crate::zero::{fill, settle, zero};
use meta::json::{self, DEPTH_MAX, text_of};
use meta::time::{Timestamp, format_duration};
use meta::{Map, Raw, Str, Value};
use schema::{Field, Schema, SchemaOther, Shape, Type, TypeId};

/// Decodes an object's message.
pub(crate) fn decode_message(schema: &Schema, ty: TypeId, bytes: &[u8]) -> Result<Value, String> {
    let mut value = Value::Null;
    Reader { schema, depth: 0 }.message(schema.ty(ty), bytes, &mut value)?;
    Ok(value)
}

struct Reader<'s> {
    schema: &'s Schema,
    depth: u32,
}

/// The members of a struct while its message is read.
struct Members {
    entries: Vec<(Str, Value)>,
    /// The fields of `entries`, by index.
    fields: Vec<u16>,
    /// Entries of maps by position in `entries`, put in order at the end: keys may arrive in any order.
    maps: Vec<(usize, Vec<(Str, Value)>)>,
    seen: u128,
}

impl Members {
    /// Most messages set few of their fields.
    fn of(ty: &Type) -> Members {
        let room = ty.fields.len().min(8);
        Members { entries: Vec::with_capacity(room), fields: Vec::with_capacity(room), maps: Vec::new(), seen: 0 }
    }

    /// The position of a field's entry; null is there when it was not met yet.
    fn position(&mut self, index: usize, field: &Field) -> usize {
        let bit = 1_u128.checked_shl(index as u32).unwrap_or(0);
        if self.seen & bit != 0
            // Repeated fields come one after the other, so that the last entry is nearly always it.
            && let Some(position) = self.fields.iter().rposition(|known| usize::from(*known) == index)
        {
            return position;
        }
        self.seen |= bit;
        self.fields.push(index as u16);
        self.entries.push((field.name.clone(), Value::Null));
        self.entries.len() - 1
    }

    fn map(&mut self, position: usize) -> &mut Vec<(Str, Value)> {
        let at = self.maps.iter().rposition(|(known, _)| *known == position).unwrap_or_else(|| {
            self.maps.push((position, Vec::new()));
            self.maps.len() - 1
        });
        &mut self.maps[at].1
    }
}

impl Reader<'_> {
    fn message(&mut self, ty: &Type, bytes: &[u8], slot: &mut Value) -> Result<(), String> {
        let mut members = Members::of(ty);
        self.fields(ty, 0, bytes, &mut members)?;
        for (position, entries) in std::mem::take(&mut members.maps) {
            members.entries[position].1 = Value::Object(Map::from_entries(entries).0);
        }
        let mut fields = members.fields.iter().map(|index| ty.fields.get(usize::from(*index)));
        members.entries.retain_mut(|(_, value)| match fields.next().flatten() {
            Some(field) => settle(self.schema, field, value, true),
            None => false,
        });
        fill(self.schema, ty, members.seen, &mut members.entries);
        let object = Value::Object(Map::from_entries(members.entries).0);
        *slot = merge(std::mem::take(slot), object);
        Ok(())
    }

    fn fields(&mut self, ty: &Type, inline: u32, bytes: &[u8], members: &mut Members) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("proto: message nested too deep".to_string());
        }
        let mut fields = Fields::new(bytes);
        let mut targets = Targets::new(ty, inline);
        while let Some((number, value)) = fields.next()? {
            match targets.find(number) {
                Target::Field(index, field) => {
                    let position = members.position(index, field);
                    match &field.shape {
                        Shape::Map(item) => members.map(position).push(self.map_entry(field, item, value)?),
                        _ => self.member(field, value, &mut members.entries[position].1)?,
                    }
                }
                Target::Embed(inner) => self.fields(ty, inner, value.bytes(), members)?,
                Target::Unknown => {}
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn member(&mut self, field: &Field, wire: Wire, slot: &mut Value) -> Result<(), String> {
        match &field.shape {
            Shape::List(item) if field.wrapped => *slot = self.wrapped(field, item, wire.bytes())?,
            Shape::List(item) => {
                let items = slot.array_mut();
                items.push(Value::Null);
                match items.last_mut() {
                    Some(last) => self.single(field, item, wire, last),
                    None => Ok(()),
                }?;
            }
            shape => self.single(field, shape, wire, slot)?,
        }
        Ok(())
    }

    /// A list in a message of its own.
    fn wrapped(&mut self, field: &Field, item: &Shape, bytes: &[u8]) -> Result<Value, String> {
        let mut items = Vec::new();
        let mut fields = Fields::new(bytes);
        while let Some((number, value)) = fields.next()? {
            if number == 1 {
                let mut one = Value::Null;
                self.single(field, item, value, &mut one)?;
                items.push(one);
            }
        }
        Ok(Value::Array(items))
    }

    fn map_entry(&mut self, field: &Field, item: &Shape, wire: Wire) -> Result<(Str, Value), String> {
        let Wire::Bytes(bytes) = wire else { return Err(wrong_wire(wire, field)) };
        let (mut key, mut value) = (Str::default(), Value::Null);
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next()? {
            match (number, item) {
                (1, _) => key = text_of(wire.bytes()).into(),
                (2, Shape::List(item)) => value = self.wrapped(field, item, wire.bytes())?,
                (2, item) => {
                    value = Value::Null;
                    self.single(field, item, wire, &mut value)?;
                }
                _ => {}
            }
        }
        Ok((key, if value.is_null() { zero(self.schema, item) } else { value }))
    }

    /// One value. A struct goes into what the slot holds of it already.
    fn single(&mut self, field: &Field, shape: &Shape, wire: Wire, slot: &mut Value) -> Result<(), String> {
        *slot = match (shape, wire) {
            (Shape::Bool, Wire::Varint(n)) => Value::Bool(n != 0),
            (Shape::Int32, Wire::Varint(n)) => Value::Int(i64::from(n as i32)),
            (Shape::Int64, Wire::Varint(n)) => Value::Int(n as i64),
            (Shape::Float64, Wire::Fixed64(n)) => Value::Float(f64::from_bits(n)),
            (Shape::String, Wire::Bytes(bytes)) => Value::String(text_of(bytes).into()),
            (Shape::Bytes, Wire::Bytes(bytes)) => {
                let mut text = Vec::new();
                base64::encode(bytes, &mut text);
                Value::String(Str::from_utf8(&text).unwrap_or_default())
            }
            (Shape::Object(id), Wire::Bytes(bytes)) => {
                let ty = self.schema.ty(*id);
                self.message(ty, bytes, slot)?;
                if let Some(gvk) = nested_kind(field, ty) {
                    slot.set("apiVersion", gvk.api_version());
                    slot.set("kind", gvk.kind.clone());
                }
                return Ok(());
            }
            (_, Wire::Bytes(bytes)) => self.compound(field, shape, bytes)?,
            _ => return Err(wrong_wire(wire, field)),
        };
        Ok(())
    }

    fn compound(&mut self, field: &Field, shape: &Shape, bytes: &[u8]) -> Result<Value, String> {
        match shape {
            Shape::Time | Shape::MicroTime => time(shape, bytes).map_err(str::to_string),
            Shape::Duration => {
                let nanos = varint_field(bytes, 1)?.unwrap_or(0);
                Ok(Value::String(format_duration(nanos as i64).into()))
            }
            Shape::Quantity => {
                let text = bytes_field(bytes, 1)?.map(|b| Str::from(text_of(b))).unwrap_or_default();
                let text = if text.is_empty() { Str::const_new("0") } else { text };
                scalar::quantity(text).map(Value::String)
            }
            Shape::IntOrString => Ok(match varint_field(bytes, 1)? {
                Some(1) => Value::String(bytes_field(bytes, 3)?.map(text_of).unwrap_or_default().into()),
                _ => Value::Int(i64::from(varint_field(bytes, 2)?.unwrap_or(0) as i32)),
            }),
            Shape::FieldsV1 | Shape::RawExtension | Shape::Json | Shape::Any => match bytes_field(bytes, 1)? {
                Some(raw) if *shape == Shape::FieldsV1 && !raw.is_empty() => passed_on(raw),
                // As JSON's reader has it.
                Some(raw) if *shape == Shape::RawExtension && raw.starts_with(b"{") => passed_on(raw),
                Some(raw) if !raw.is_empty() => json::parse(raw).map(|p| p.value).map_err(|e| e.to_string()),
                _ => Ok(Value::Null),
            },
            Shape::SchemaOr { object, other } => self.schema_or(*object, *other, bytes),
            _ => Err(wrong_wire(Wire::Bytes(bytes), field)),
        }
    }

    fn schema_or(&mut self, object: TypeId, other: SchemaOther, bytes: &[u8]) -> Result<Value, String> {
        let ty = self.schema.ty(object);
        let mut items = Vec::new();
        let (mut allows, mut schema) = (false, Value::Null);
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next()? {
            match (other, number, wire) {
                (SchemaOther::Bool, 1, Wire::Varint(n)) => allows = n != 0,
                (SchemaOther::Bool, 2, _) | (_, 1, _) => self.message(ty, wire.bytes(), &mut schema)?,
                (SchemaOther::SchemaArray, 2, _) => {
                    let mut item = Value::Null;
                    self.message(ty, wire.bytes(), &mut item)?;
                    items.push(item);
                }
                (SchemaOther::StringArray, 2, _) => items.push(Value::String(text_of(wire.bytes()).into())),
                _ => {}
            }
        }
        Ok(match (schema, other) {
            (_, _) if !items.is_empty() => Value::Array(items),
            (Value::Null, SchemaOther::Bool) => Value::Bool(allows),
            (schema, _) => schema,
        })
    }
}

/// JSON text as it is, once its grammar is checked.
fn passed_on(bytes: &[u8]) -> Result<Value, String> {
    let text = text_of(bytes);
    if !is_tree_of_keys(text.as_bytes()) {
        let mut lexer = json::Lexer::new(&text);
        lexer.skip().and_then(|_| lexer.end()).map_err(|why| why.to_string())?;
    }
    Ok(Value::Raw(Raw::new(text)))
}

/// A message that comes twice is decoded into the same struct.
fn merge(before: Value, after: Value) -> Value {
    match (before, after) {
        (Value::Object(mut into), Value::Object(from)) => {
            for (key, value) in from {
                into.insert(key, value);
            }
            Value::Object(into)
        }
        (_, after) => after,
    }
}

fn wrong_wire(wire: Wire, field: &Field) -> String {
    let mut name = field.name.to_string();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("proto: wrong wireType = {} for field {name}", wire.kind())
}

pub(crate) fn varint_field(bytes: &[u8], wanted: u32) -> Result<Option<u64>, Malformed> {
    let mut found = None;
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        if let (true, Wire::Varint(n)) = (number == wanted, wire) {
            found = Some(n);
        }
    }
    Ok(found)
}

pub(crate) fn bytes_field(bytes: &[u8], wanted: u32) -> Result<Option<&[u8]>, Malformed> {
    let mut found = None;
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        if let (true, Wire::Bytes(bytes)) = (number == wanted, wire) {
            found = Some(bytes);
        }
    }
    Ok(found)
}

/// No bytes are Go's zero time. `Time` keeps no fraction, `MicroTime` six digits of it.
fn time(shape: &Shape, bytes: &[u8]) -> Result<Value, Malformed> {
    Ok(match timestamp(bytes)? {
        None => Value::Null,
        Some(at) if *shape == Shape::Time => Value::String(at.to_rfc3339().into()),
        Some(at) => Value::String(at.to_rfc3339_micro().into()),
    })
}

/// The moment of a time's message, within the years that RFC 3339 can write.
pub(crate) fn timestamp(bytes: &[u8]) -> Result<Option<Timestamp>, Malformed> {
    const YEAR_10000_SECONDS: i64 = 253_402_300_800;
    if bytes.is_empty() {
        return Ok(None);
    }
    let seconds = varint_field(bytes, 1)?.unwrap_or(0) as i64;
    let nanos = varint_field(bytes, 2)?.unwrap_or(0).min(999_999_999) as u32;
    if !(meta::time::ZERO_SECONDS..YEAR_10000_SECONDS).contains(&seconds) {
        return Err("Time.MarshalJSON: year outside of range [0,9999]");
    }
    Ok(Some(Timestamp { seconds, nanos }))
}
