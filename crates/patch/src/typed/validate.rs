//! Whether an object fits its schema: what upstream checks before it applies a configuration.

use super::Typed;
use super::view::{List, ListKind, Map, Ref, Scalar, View, item_element, view};
use crate::fields::{display_path, index_element};
use crate::go;
use meta::Value;
use schema::Schema;
use std::collections::HashSet;

impl Typed<'_> {
    /// What does not fit, as `.path: text`; nothing when all does. Lists with keys must not have duplicates.
    pub fn validate(&self, object: &Value) -> Vec<String> {
        let mut errs = Errors::default();
        validate(self.schema, self.root(), object, &mut errs);
        errs.found
    }
}

/// One text of all errors, as upstream joins them.
pub fn message(errs: &[String]) -> String {
    match errs {
        [one] => one.clone(),
        _ => errs.iter().fold("errors:".to_string(), |text, e| format!("{text}\n  {e}")),
    }
}

#[derive(Default)]
struct Errors {
    path: Vec<String>,
    found: Vec<String>,
}

impl Errors {
    fn add(&mut self, text: String) {
        let path = self.path.concat();
        self.found.push(if path.is_empty() { text } else { format!("{path}: {text}") });
    }

    fn below(&mut self, element: &str, check: impl FnOnce(&mut Errors)) {
        self.path.push(display_path(&[element]));
        check(self);
        self.path.pop();
    }
}

fn validate(schema: &Schema, at: Ref, value: &Value, errs: &mut Errors) {
    match (view(schema, at, Some(value)), value) {
        (_, Value::Null) => {}
        (View::Scalar(scalar), value) => validate_scalar(scalar, value, errs),
        (View::Map(map), Value::Object(_)) => validate_members(schema, &map, value, errs),
        (View::Map(_), _) => errs.add(format!("expected map, got &{{{}}}", go::print(value))),
        (View::List(list), Value::Array(items)) => validate_items(schema, &list, items, errs),
        (View::List(_), _) => errs.add(format!("expected list, got &{{{}}}", go::print(value))),
    }
}

fn validate_scalar(scalar: Scalar, value: &Value, errs: &mut Errors) {
    match (scalar, value) {
        (Scalar::Numeric, Value::Int(_) | Value::Float(_))
        | (Scalar::String, Value::String(_))
        | (Scalar::Boolean, Value::Bool(_)) => {}
        (Scalar::Numeric, _) => {
            errs.add(format!("expected numeric (int or float), got {}", go::type_name(value)));
        }
        (Scalar::String, _) => {
            errs.add(format!("expected string, got &value.valueUnstructured{{Value:{}}}", go::source(value)));
        }
        (Scalar::Boolean, _) => errs.add(format!("expected boolean, got &{{{}}}", go::print(value))),
        (Scalar::Untyped, Value::Array(_) | Value::Object(_)) => {
            errs.add(format!("expected any scalar, got &{{{}}}", go::print(value)));
        }
        (Scalar::Untyped, _) => {}
    }
}

fn validate_members(schema: &Schema, map: &Map, value: &Value, errs: &mut Errors) {
    for (name, member) in value.entries() {
        let element = format!("f:{name}");
        match map.member(name) {
            Some(at) => errs.below(&element, |errs| validate(schema, at, member, errs)),
            None => {
                errs.below(&element, |errs| errs.add("field not declared in schema".to_string()));
                return; // upstream stops at the first one of a struct
            }
        }
    }
}

fn validate_items(schema: &Schema, list: &List, items: &[Value], errs: &mut Errors) {
    let mut seen = HashSet::new();
    for (i, item) in items.iter().enumerate() {
        let element = if list.kind == ListKind::Atomic {
            index_element(i)
        } else {
            match item_element(list, item) {
                Ok(element) => element,
                Err(text) => return errs.add(format!("element {i}: {text}")),
            }
        };
        if !seen.insert(element.clone()) {
            errs.add(format!("duplicate entries for key {}", display_path(&[&element])));
        }
        errs.below(&element, |errs| validate(schema, list.item, item, errs));
    }
}
