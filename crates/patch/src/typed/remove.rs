//! Taking fields out of an object.

use super::Typed;
use super::compare::field_element;
use super::view::{ListKind, Ref, View, item_element, view};
use crate::fields::Set;
use meta::Value;
use schema::Schema;

impl Typed<'_> {
    /// The object without the members and list items in `fields`. A map or list that is left with nothing becomes null.
    pub fn remove(&self, object: Value, fields: &Set) -> Value {
        if fields.is_empty() { object } else { remove(self.schema, self.root(), object, fields) }
    }
}

fn remove(schema: &Schema, at: Ref, value: Value, fields: &Set) -> Value {
    match (view(schema, at, Some(&value)), value) {
        (View::Scalar(_), value) => value,
        (View::Map(map), Value::Object(members)) if !map.atomic => {
            let mut kept = Vec::with_capacity(members.len());
            for (name, value) in members {
                let Some(node) = fields.get(&field_element(&name)) else {
                    kept.push((name, value));
                    continue;
                };
                if node.member {
                    continue;
                }
                let value = match map.member(&name) {
                    Some(at) => remove(schema, at, value, &node.children),
                    None => value,
                };
                kept.push((name, value));
            }
            if kept.is_empty() { Value::Null } else { Value::Object(meta::Map::from_entries(kept).0) }
        }
        (View::List(list), Value::Array(items)) if list.kind != ListKind::Atomic => {
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                match item_element(&list, &item).ok().and_then(|e| fields.get(&e)) {
                    None => kept.push(item),
                    Some(node) if node.member => {}
                    Some(node) => kept.push(remove(schema, list.item, item, &node.children)),
                }
            }
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        _ => Value::Null,
    }
}
