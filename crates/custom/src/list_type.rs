//! Uniqueness in lists that are sets or maps.

use crate::defaults::member;
use meta::field::{ErrorList, Path};
use meta::{Map, Value, json};
use std::collections::HashMap;

/// Reports every second appearance in lists of `x-kubernetes-list-type` set and map.
pub fn validate_uniqueness(node: &Value, value: &Value, path: &Path, errs: &mut ErrorList) {
    for (key, member_value) in value.entries() {
        let declared = node["properties"].get(key).is_some();
        let at = if declared { path.child_named(key) } else { path.key(key) };
        validate_uniqueness(member(node, key), member_value, &at, errs);
    }
    let Value::Array(items) = value else { return };
    match node["x-kubernetes-list-type"].str() {
        "set" => {
            for index in second_appearances(items.iter().map(json::to_string)) {
                errs.duplicate(&path.index(index), &items[index]);
            }
        }
        "map" => validate_map(node, items, path, errs),
        _ => {}
    }
    for (index, item) in items.iter().enumerate() {
        validate_uniqueness(&node["items"], item, &path.index(index), errs);
    }
}

fn validate_map(node: &Value, items: &[Value], path: &Path, errs: &mut ErrorList) {
    let wrong = |item: &Value| item.as_object().is_none() && !item.is_null();
    if let Some(index) = items.iter().position(wrong) {
        errs.invalid(&path.index(index), &items[index], "must be an object for an array of list-type map");
        return;
    }
    let names: Vec<&str> = node["x-kubernetes-list-map-keys"].items().iter().map(Value::str).collect();
    let key_of = |item: &Value| {
        let pairs = names.iter().filter_map(|name| Some(((*name).into(), item.get(name)?.clone())));
        Value::Object(pairs.collect::<Map>())
    };
    let keys: Vec<Value> = items.iter().map(key_of).collect();
    for index in second_appearances(keys.iter().map(json::to_string)) {
        errs.duplicate(&path.index(index), &keys[index]);
    }
}

/// The index at which each text turns up for the second time; later repeats are not reported.
fn second_appearances(texts: impl Iterator<Item = String>) -> Vec<usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::new();
    for (index, text) in texts.enumerate() {
        let times = seen.entry(text).or_default();
        *times += 1;
        if *times == 2 {
            found.push(index);
        }
    }
    found
}
