//! Equality and order of values of any types.

use super::{Key, List, ListKind, Map, Value};
use crate::eval::{Failed, Tracker};
use std::cmp::Ordering;
use std::collections::HashMap;

impl<'a> Value<'a> {
    /// Whether two values are equal; values of different types are not, but for numbers.
    pub(crate) fn equals(&self, other: &Value<'a>, tracker: &mut Tracker) -> Result<bool, Failed> {
        tracker.work(1)?;
        Ok(match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::String(a), Value::String(b)) => {
                tracker.work(a.len().min(b.len()) as u64 / 64)?;
                **a == **b
            }
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Type(a), Value::Type(b)) => a.runtime_name() == b.runtime_name(),
            (Value::List(a), Value::List(b)) => return lists_equal(a, b, tracker),
            (Value::Map(a), Value::Map(b)) => return maps_equal(a, b, tracker),
            (Value::Struct(a), Value::Struct(b)) => {
                if a.name != b.name || a.fields.len() != b.fields.len() {
                    return Ok(false);
                }
                for (name, value) in &a.fields {
                    match b.fields.iter().find(|(other, _)| other == name) {
                        Some((_, other)) if value.equals(other, tracker)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Value::Optional(a), Value::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => return a.equals(b, tracker),
                (a, b) => a.is_none() && b.is_none(),
            },
            (Value::Opaque(a), Value::Opaque(b)) => a == b,
            (Value::Preserved(a), Value::Preserved(b)) => a == b,
            (a, b) => numbers(a, b) == Some(Ordering::Equal),
        })
    }

    /// The order of two values that have one; numbers of all types are ordered with each other. `None` for others, and for
    /// what is not a number.
    pub(crate) fn order(&self, other: &Value<'a>) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
            (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
            (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            (a, b) => numbers(a, b),
        }
    }

    /// Whether values of these types have an order, though these two may not (what is not a number has none).
    pub(crate) fn has_order(&self, other: &Value<'a>) -> bool {
        let number = |value: &Value| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_));
        match (self, other) {
            (Value::Bool(_), Value::Bool(_))
            | (Value::String(_), Value::String(_))
            | (Value::Bytes(_), Value::Bytes(_))
            | (Value::Timestamp(_), Value::Timestamp(_))
            | (Value::Duration(_), Value::Duration(_)) => true,
            (a, b) => number(a) && number(b),
        }
    }
}

fn numbers(a: &Value, b: &Value) -> Option<Ordering> {
    let whole = |value: &Value| match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::Uint(n) => Some(i128::from(*n)),
        _ => None,
    };
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), b) => double_to_whole(*a, whole(b)?),
        (a, Value::Double(b)) => double_to_whole(*b, whole(a)?).map(Ordering::reverse),
        (a, b) => Some(whole(a)?.cmp(&whole(b)?)),
    }
}

/// The order of a double and a whole number, which becomes a double for it, as upstream has it.
fn double_to_whole(a: f64, b: i128) -> Option<Ordering> {
    a.partial_cmp(&(b as f64))
}

fn lists_equal<'a>(a: &List<'a>, b: &List<'a>, tracker: &mut Tracker) -> Result<bool, Failed> {
    if a.len() != b.len() {
        return Ok(false);
    }
    match a.kind {
        ListKind::Atomic => {
            for (a, b) in a.iter().zip(b.iter()) {
                if !a.equals(&b, tracker)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        ListKind::Set => {
            tracker.work((a.len() + b.len()) as u64)?;
            let keys: std::collections::HashSet<Option<Key>> = a.iter().map(|item| Key::of(&item)).collect();
            Ok(b.iter().all(|item| keys.contains(&Key::of(&item))))
        }
        ListKind::Map(keys) => {
            tracker.work((a.len() + b.len()) as u64)?;
            let by_key: HashMap<ItemKey, Value> = a.iter().map(|item| (item_key(&item, keys), item)).collect();
            for item in b.iter() {
                match by_key.get(&item_key(&item, keys)) {
                    Some(same) if same.equals(&item, tracker)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
    }
}

/// The values of an item's key fields.
pub(crate) type ItemKey = Vec<Option<Key>>;

pub(crate) fn item_key(item: &Value, keys: &[Box<str>]) -> ItemKey {
    let field = |key: &str| match item {
        Value::Map(map) => map.field(key).and_then(|value| Key::of(&value)),
        _ => None,
    };
    keys.iter().map(|key| field(key)).collect()
}

fn maps_equal<'a>(a: &Map<'a>, b: &Map<'a>, tracker: &mut Tracker) -> Result<bool, Failed> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, value) in a.iter() {
        let other = match (b.get(&key), &value) {
            (Some(other), _) => other,
            // Fields the schema does not know are found among the other's, which are as unknown.
            (None, Value::Preserved(_)) => {
                let found = b.iter().find(|(other, _)| Key::of(other) == Key::of(&key));
                match found {
                    Some((_, other)) => other,
                    None => return Ok(false),
                }
            }
            (None, _) => return Ok(false),
        };
        if !value.equals(&other, tracker)? {
            return Ok(false);
        }
    }
    Ok(true)
}
