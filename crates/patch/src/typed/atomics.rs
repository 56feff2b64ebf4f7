//! What a configuration would replace as a whole.

use super::Typed;
use super::compare::field_element;
use super::view::{ListKind, Ref, View, view};
use crate::fields::{display_path, index_element};
use meta::Value;
use schema::Schema;

impl Typed<'_> {
    /// The paths of lists, maps and structs in a value that are atomic: setting a part of one takes the rest away.
    pub fn atomics(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        collect(self.schema, self.root(), value, "", &mut found);
        found
    }
}

fn collect(schema: &Schema, at: Ref, value: &Value, path: &str, found: &mut Vec<String>) {
    match (view(schema, at, Some(value)), value) {
        (View::Map(map), Value::Object(members)) => {
            if map.atomic {
                found.push(path.to_owned());
            }
            for (name, member) in members.iter() {
                // Members that are not declared are of a plain map, whose values are not looked into.
                if let Some(field) = map.field(name) {
                    let below = format!("{path}{}", display_path(&[&field_element(name)]));
                    collect(schema, Ref::Shape(&field.shape, Some(field)), member, &below, found);
                }
            }
        }
        (View::List(list), Value::Array(items)) => {
            if list.kind == ListKind::Atomic {
                found.push(path.to_owned());
            }
            for (i, item) in items.iter().enumerate() {
                let below = format!("{path}{}", display_path(&[&index_element(i)]));
                collect(schema, list.item, item, &below, found);
            }
        }
        _ => {}
    }
}
