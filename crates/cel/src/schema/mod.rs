//! What an OpenAPI schema says of data: the types of its parts, how large they may be, and how their values are to be
//! taken (a `date-time` as a timestamp, say).

mod escape;
mod node;

pub use escape::{escape, unescape};
pub use node::{Node, Schema};

use crate::library::{parse_duration, parse_timestamp};
use crate::value::{List, ListKind, Map, Text, Value};
use node::{Kind, Listed, Object};

/// What the members of a map of data are.
#[derive(Clone, Copy)]
pub(crate) enum Members<'a> {
    Untyped,
    All(&'a Node),
    Fields(&'a Object),
}

/// The value that data is by its schema. What the schema does not fit is taken as it is, and refused by what it is given to.
pub(crate) fn typed<'a>(value: &'a meta::Value, node: &'a Node) -> Value<'a> {
    use meta::Value as Data;
    match (&node.kind, value) {
        (Kind::Double, Data::Int(n)) => Value::Double(*n as f64),
        (Kind::Bytes, Data::String(text)) => match base64(text) {
            Some(bytes) => Value::Bytes(bytes.into()),
            None => Value::data(value),
        },
        (Kind::Duration, Data::String(text)) => parse_duration(text).map_or(Value::data(value), Value::Duration),
        (Kind::Timestamp, Data::String(text)) => parse_timestamp(text).map_or(Value::data(value), Value::Timestamp),
        (Kind::Date, Data::String(text)) => {
            let moment = parse_timestamp(&format!("{text}T00:00:00Z"));
            moment.map_or(Value::data(value), Value::Timestamp)
        }
        (Kind::List(items, listed), Data::Array(list)) => {
            let kind = match listed {
                Listed::Atomic => ListKind::Atomic,
                Listed::Set => ListKind::Set,
                Listed::Map(keys) => ListKind::Map(keys),
            };
            Value::List(List::data(list, Some(items), kind))
        }
        (Kind::Map(values), Data::Object(map)) => Value::Map(Map::data(map, Members::All(values))),
        (Kind::Object(object), Data::Object(map)) => Value::Map(Map::data(map, Members::Fields(object))),
        (Kind::String, Data::String(text)) => Value::String(Text::Borrowed(text)),
        _ => Value::data(value),
    }
}

/// The bytes of base64 text with padding; line breaks are allowed, as Go allows them.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    for group in digits.chunks(4) {
        let padding = group.iter().rev().take_while(|b| **b == b'=').count();
        let mut bits = 0u32;
        for digit in group.iter().take(4usize.checked_sub(padding)?) {
            bits = bits << 6 | u32::from(sextet(*digit)?);
        }
        let bytes = (bits << (6 * padding)).to_be_bytes();
        match padding {
            0 => out.extend_from_slice(bytes.get(1..4)?),
            1 => out.extend_from_slice(bytes.get(1..3)?),
            2 => out.extend_from_slice(bytes.get(1..2)?),
            _ => return None,
        }
    }
    Some(out)
}

fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
