//! Whether an object fits its schema: what upstream checks before it applies a configuration.

use super::Typed;
use super::compare::field_element;
use super::view::{List, ListKind, Map, Ref, Scalar, View, item_element, view};
use crate::fields::{Element, display_path, index_element};
use crate::go;
use meta::Value;
use schema::Schema;
use std::collections::HashSet;

impl Typed<'_> {
    /// What does not fit, as `.path: text`; nothing when all does. Lists with keys must not have duplicates.
    pub fn validate(&self, object: &Value) -> Vec<String> {
        let mut errs = Errors::default();
        validate(self.schema, self.root(), object, &mut errs);
        errs.texts()
    }
}

/// One text of all errors, as upstream joins them.
pub fn message(errs: &[String]) -> String {
    match errs {
        [one] => one.clone(),
        _ => errs.iter().fold("errors:".to_string(), |text, e| format!("{text}\n  {e}")),
    }
}

/// Errors with their paths, which are made only when there are errors: from the inside out.
#[derive(Default)]
struct Errors {
    found: Vec<Found>,
}

struct Found {
    path: String,
    text: String,
}

impl Errors {
    fn add(&mut self, text: String) {
        self.found.push(Found { path: String::new(), text });
    }

    /// Runs a check one element further.
    fn below(&mut self, element: impl Fn() -> Element, check: impl FnOnce(&mut Errors)) {
        let before = self.found.len();
        check(self);
        if self.found.len() > before {
            let prefix = display_path(&[&element()]);
            for found in self.found.iter_mut().skip(before) {
                found.path.insert_str(0, &prefix);
            }
        }
    }

    fn texts(self) -> Vec<String> {
        let text = |f: Found| if f.path.is_empty() { f.text } else { format!("{}: {}", f.path, f.text) };
        self.found.into_iter().map(text).collect()
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
    let mut types = map.members();
    for (name, member) in value.entries() {
        let element = || field_element(name);
        match types.member(name) {
            Some(at) => errs.below(element, |errs| validate(schema, at, member, errs)),
            None => {
                errs.below(element, |errs| errs.add("field not declared in schema".to_string()));
                return; // upstream stops at the first one of a struct
            }
        }
    }
}

fn validate_items(schema: &Schema, list: &List, items: &[Value], errs: &mut Errors) {
    if list.kind == ListKind::Atomic {
        for (i, item) in items.iter().enumerate() {
            errs.below(|| index_element(i), |errs| validate(schema, list.item, item, errs));
        }
        return;
    }
    let mut seen = HashSet::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let element = match item_element(list, item) {
            Ok(element) => element,
            Err(text) => return errs.add(format!("element {i}: {text}")),
        };
        if seen.contains(&element) {
            errs.add(format!("duplicate entries for key {}", display_path(&[&element])));
        }
        errs.below(|| element.clone(), |errs| validate(schema, list.item, item, errs));
        seen.insert(element);
    }
}
