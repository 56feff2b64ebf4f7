//! `x-kubernetes-list-type` and `x-kubernetes-list-map-keys` in a definition's schema.

use super::shown;
use meta::Value;
use meta::field::{ErrorList, Path, Shown};

const LIST_TYPE: &str = "x-kubernetes-list-type";
const MAP_KEYS: &str = "x-kubernetes-list-map-keys";

/// Reports a node that says `because` and is not of the type that belongs to it.
pub fn require_type(node: &Value, wanted: &str, because: &str, path: &Path, errs: &mut ErrorList) {
    let own = node["type"].str();
    let detail = format!("must be {wanted} if {because} is specified");
    if own.is_empty() {
        errs.required(&path.child("type"), &detail);
    } else if own != wanted {
        errs.invalid(&path.child("type"), own, &detail);
    }
}

/// `atomic_sets`: the items of sets must be atomic.
pub fn validate_list_type(node: &Value, atomic_sets: bool, path: &Path, errs: &mut ErrorList) {
    let kind = node[LIST_TYPE].as_str();
    if kind.is_some() && node["type"].str() != "array" {
        require_type(node, "array", LIST_TYPE, path, errs);
    } else if kind == Some("set") && atomic_sets {
        validate_set_items(&node["items"], &path.child("items"), errs);
    }
    if let Some(kind) = kind.filter(|kind| !["atomic", "set", "map"].contains(kind)) {
        errs.not_supported_in_order(&path.child(LIST_TYPE), kind, &["atomic", "set", "map"]);
    }
    let keys = &node[MAP_KEYS];
    if !keys.is_empty() {
        let (at, detail) = (path.child(LIST_TYPE), "must be map if x-kubernetes-list-map-keys is non-empty");
        match kind {
            None => errs.required(&at, detail),
            Some("map") => {}
            Some(other) => errs.invalid(&at, other, detail),
        }
    }
    if kind == Some("map") {
        validate_map(node, path, errs);
    }
}

/// What Go shows of an optional text that is the wrong one: upstream shows the list type for both.
fn optional(list_type: &Value) -> Shown {
    Shown::from(list_type.as_str().unwrap_or("null"))
}

/// Why the items of a set are not atomic: the field that says so, and where.
fn non_atomic(items: &Value) -> Option<&'static str> {
    match items["type"].str() {
        // An unset list type is atomic, an unset map type is not.
        "array" => items[LIST_TYPE].as_str().filter(|kind| *kind != "atomic").map(|_| LIST_TYPE),
        "object" => (items["x-kubernetes-map-type"].str() != "atomic").then_some("x-kubernetes-map-type"),
        _ => None,
    }
}

fn validate_set_items(items: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(field) = non_atomic(items) {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        errs.invalid(&path.child(field), optional(&items[LIST_TYPE]), detail);
    }
}

/// Whether a node is a set of items that are not atomic.
pub fn is_non_atomic_set(node: &Value) -> bool {
    node[LIST_TYPE].str() == "set" && non_atomic(&node["items"]).is_some()
}

fn validate_map(node: &Value, path: &Path, errs: &mut ErrorList) {
    let (items, keys, items_path) = (&node["items"], &node[MAP_KEYS], path.child("items"));
    if keys.is_empty() {
        errs.required(&path.child(MAP_KEYS), "must not be empty if x-kubernetes-list-type is map");
    }
    match items {
        Value::Null => errs.required(&items_path, "must have a schema if x-kubernetes-list-type is map"),
        Value::Object(_) if items["type"].str() != "object" => {
            let detail = "must be object if parent array's x-kubernetes-list-type is map";
            errs.invalid(&items_path.child("type"), items["type"].str(), detail);
        }
        Value::Object(_) => validate_keys(items, keys, path, errs),
        _ => {
            let detail = "must only have a single schema if x-kubernetes-list-type is map";
            errs.invalid(&items_path, shown::items(items), detail);
        }
    }
}

fn validate_keys(items: &Value, keys: &Value, path: &Path, errs: &mut ErrorList) {
    let names: Vec<&str> = keys.items().iter().map(Value::str).collect();
    for (i, name) in names.iter().enumerate() {
        match items["properties"].get(name) {
            None => errs.invalid(&path.child(MAP_KEYS), keys, "entries must all be names of item properties"),
            Some(property) if matches!(property["type"].str(), "array" | "object") => {
                let at = path.child("items").child("properties").key(name).child("type");
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errs.invalid(&at, items["type"].str(), detail);
            }
            Some(_) => {}
        }
        if names.iter().take(i).any(|earlier| earlier == name) {
            errs.invalid(&path.child(MAP_KEYS), keys, "must not contain duplicate entries");
        }
    }
}

/// Items of sets and maps are never null, and every item of a map has all keys.
pub fn validate_items_of_sets_and_maps(node: &Value, path: &Path, errs: &mut ErrorList) {
    let (items, kind) = (&node["items"], node[LIST_TYPE].str());
    if items.as_object().is_none() || !matches!(kind, "set" | "map") {
        return;
    }
    let items_path = path.child("items");
    if items["nullable"].bool() {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {kind}");
        errs.forbidden(&items_path.child("nullable"), &detail);
    }
    if kind == "set" {
        return;
    }
    let required: Vec<&str> = items["required"].items().iter().map(Value::str).collect();
    for key in node[MAP_KEYS].items().iter().map(Value::str) {
        let Some(property) = items["properties"].get(key) else { continue };
        let at = items_path.child("properties").key(key);
        if !required.contains(&key) && property["default"].is_null() {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errs.required(&at.child("default"), detail);
        }
        if property["nullable"].bool() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errs.forbidden(&at.child("nullable"), detail);
        }
    }
}
