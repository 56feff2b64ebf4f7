//! Which schemas are structural: every value has one place that says what it is, and logic (`allOf`, `anyOf`, `oneOf`,
//! `not`) only narrows it (k8s.io/apiextensions-apiserver/pkg/apiserver/schema).

use super::walk::is_set;
use meta::field::{Error, ErrorList, Path};
use meta::{Value, value};
use regex::Regex;

const UNSUPPORTED: &[&str] =
    &["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];

/// Why a schema cannot even be read as a structural one. Validation of the nodes reports the same in other words.
pub fn unreadable(node: &Value) -> Option<String> {
    node.as_object()?;
    if let Some(field) = UNSUPPORTED.iter().find(|field| is_set(&node[**field])) {
        let shown = if *field == "$schema" { "schema" } else { field };
        return Some(format!("OpenAPIV3Schema '{shown}' is not supported"));
    }
    let logic = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|logic| node[logic].items());
    if let Some(why) = std::iter::once(&node["not"]).chain(logic).find_map(unreadable) {
        return Some(why);
    }
    if node["x-kubernetes-preserve-unknown-fields"].as_bool() == Some(false) {
        return Some("internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined".into());
    }
    if !node["items"].items().is_empty() {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".into());
    }
    let below = node["properties"].entries().map(|(_, property)| property);
    below.chain([&node["items"], &node["additionalProperties"]]).find_map(unreadable)
}

/// What is not structural, sorted by text. For schemas that are not [`unreadable`].
pub fn validate_structural(schema: &Value, path: &Path) -> Vec<Error> {
    let mut errs = ErrorList::new();
    validate_node(schema, Level::Root, path, &mut errs);
    validate_complete(schema, Some(schema), path, path, &mut errs);
    let mut sorted: Vec<Error> = errs.iter().cloned().collect();
    sorted.sort_by_cached_key(Error::to_string);
    sorted
}

/// Whether a stored schema is structural, so that updates of it must be.
pub fn is_structural(schema: &Value) -> bool {
    unreadable(schema).is_none() && validate_structural(schema, &Path::root()).is_empty()
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

impl Level {
    fn type_missing(self) -> &'static str {
        match self {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        }
    }
}

fn validate_node(node: &Value, level: Level, path: &Path, errs: &mut ErrorList) {
    let items = &node["items"];
    if node["type"].str() == "array" && items.as_object().is_none() {
        errs.required(&path.child("items"), "must be specified");
    }
    if items.as_object().is_some() {
        validate_node(items, Level::Item, &path.child("items"), errs);
    }
    for (key, property) in node["properties"].entries() {
        validate_node(property, Level::Field, &path.child("properties").key(key), errs);
    }
    let more = &node["additionalProperties"];
    let more_path = path.child("additionalProperties");
    if !more.is_null() && level == Level::Root {
        errs.forbidden(&more_path, "must not be used at the root");
    }
    if more.as_object().is_some() {
        validate_node(more, Level::Field, &more_path, errs);
    }
    validate_extensions(node, path, errs);
    let any_of = node["anyOf"] == int_or_string();
    let all_of = node["allOf"][0]["anyOf"] == int_or_string();
    validate_values(node, any_of, all_of, path, errs);
    validate_type(node, level, path, errs);
    validate_meta_fields(node, level, path, errs);
}

/// The one way in which types may appear in logic.
fn int_or_string() -> Value {
    value!([{"type": "integer"}, {"type": "string"}])
}

fn validate_extensions(node: &Value, path: &Path, errs: &mut ErrorList) {
    if !node["x-kubernetes-int-or-string"].bool() {
        return;
    }
    for other in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if node[other].bool() {
            errs.invalid(&path.child(other), true, "must be false if x-kubernetes-int-or-string is true");
        }
    }
}

fn validate_type(node: &Value, level: Level, path: &Path, errs: &mut ErrorList) {
    let (own, at) = (node["type"].str(), path.child("type"));
    let embedded = node["x-kubernetes-embedded-resource"].bool();
    let free = node["x-kubernetes-int-or-string"].bool() || node["x-kubernetes-preserve-unknown-fields"].bool();
    if embedded && own != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        if own.is_empty() {
            errs.required(&at, detail);
        } else {
            errs.invalid(&at, own, detail);
        }
    } else if own.is_empty() && !free {
        errs.required(&at, level.type_missing());
    }
    if embedded && !node["additionalProperties"].is_null() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        errs.forbidden(&path.child("additionalProperties"), detail);
    }
    if level == Level::Root && !own.is_empty() && own != "object" {
        errs.invalid(&at, own, "must be object at the root");
    }
}

/// apiVersion, kind and metadata of whole objects: they are what they are everywhere.
fn validate_meta_fields(node: &Value, level: Level, path: &Path, errs: &mut ErrorList) {
    let embedded = node["x-kubernetes-embedded-resource"].bool();
    let whole = level == Level::Root || embedded;
    let (properties, at) = (&node["properties"], path.child("properties"));
    for field in ["kind", "apiVersion"] {
        if let Some(own) = properties.get(field).filter(|own| whole && own["type"].str() != "string") {
            errs.invalid(&at.key(field).child("type"), own["type"].str(), "must be string");
        }
    }
    if let Some(metadata) = properties.get("metadata") {
        let at = at.key("metadata");
        if whole && metadata["type"].str() != "object" {
            errs.invalid(&at.child("type"), metadata["type"].str(), "must be object");
        }
        if level == Level::Root && says_more_than_names(metadata) {
            let detail =
                "must not specify anything other than name and generateName, but metadata is implicitly specified";
            errs.forbidden(&at, detail);
        }
    }
    if embedded && !node["x-kubernetes-preserve-unknown-fields"].bool() && properties.is_empty() {
        let detail =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errs.required(&at, detail);
    }
}

fn says_more_than_names(metadata: &Value) -> bool {
    metadata.entries().any(|(key, value)| match key {
        "type" | "default" => false,
        "properties" => value.entries().any(|(name, _)| !matches!(name, "name" | "generateName")),
        "additionalProperties" => !value.is_null(),
        _ => is_set(value),
    })
}

/// The value rules of a node, whose logic may hold nested nodes. `any_of` and `all_of`: the int-or-string pattern is
/// there, and its types are allowed.
fn validate_values(node: &Value, any_of: bool, all_of: bool, path: &Path, errs: &mut ErrorList) {
    if !any_of {
        for (i, nested) in node["anyOf"].items().iter().enumerate() {
            validate_nested(nested, false, &path.child("anyOf").index(i), errs);
        }
    }
    for (i, nested) in node["allOf"].items().iter().enumerate() {
        validate_nested(nested, all_of && i == 0, &path.child("allOf").index(i), errs);
    }
    for (i, nested) in node["oneOf"].items().iter().enumerate() {
        validate_nested(nested, false, &path.child("oneOf").index(i), errs);
    }
    validate_nested(&node["not"], false, &path.child("not"), errs);
    let pattern = node["pattern"].str();
    if let Err(why) = Regex::new(pattern) {
        let detail =
            format!("must be a valid regular expression, but isn't: {}", super::pattern::go_error(pattern, &why));
        errs.invalid(&path.child("pattern"), pattern, &detail);
    }
}

/// What a node under logic may not say, and how an error names that.
const FORBIDDEN_BELOW_LOGIC: &[(&str, &str)] = &[
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

fn validate_nested(node: &Value, any_of: bool, path: &Path, errs: &mut ErrorList) {
    if node.as_object().is_none() {
        return;
    }
    validate_values(node, any_of, false, path, errs);
    validate_nested(&node["items"], false, &path.child("items"), errs);
    for (key, property) in node["properties"].entries() {
        validate_nested(property, false, &path.child("properties").key(key), errs);
    }
    for (field, detail) in FORBIDDEN_BELOW_LOGIC {
        // A default may be false, 0 or "" and is there all the same.
        let said = if *field == "default" { !node[*field].is_null() } else { is_set(&node[*field]) };
        if said {
            errs.forbidden(&path.child(field), detail);
        }
    }
    if node["properties"].get("metadata").is_some() {
        let at = path.child("properties").key("metadata");
        errs.forbidden(&at, "must not be specified in a nested context");
    }
}

/// What logic speaks about (at `said`) must be specified outside of it too (`node`, at `path`). As upstream, this looks at
/// the logic of the root only.
fn validate_complete(logic: &Value, node: Option<&Value>, path: &Path, said: &Path, errs: &mut ErrorList) {
    let Some(node) = node else {
        errs.required(path, &format!("because it is defined in {said}"));
        return;
    };
    validate_nested_complete(&logic["not"], Some(node), path, &said.child("not"), errs);
    for kind in ["allOf", "anyOf", "oneOf"] {
        for (i, nested) in logic[kind].items().iter().enumerate() {
            validate_nested_complete(nested, Some(node), path, &said.child(kind).index(i), errs);
        }
    }
}

fn validate_nested_complete(nested: &Value, node: Option<&Value>, path: &Path, said: &Path, errs: &mut ErrorList) {
    if nested.as_object().is_none() {
        return;
    }
    validate_complete(nested, node, path, said, errs);
    let Some(node) = node else { return };
    let items = Some(&node["items"]).filter(|items| items.as_object().is_some());
    validate_nested_complete(&nested["items"], items, &path.child("items"), &said.child("items"), errs);
    for (key, property) in nested["properties"].entries() {
        let (at, said) = (path.child("properties").key(key), said.child("properties").key(key));
        validate_nested_complete(property, node["properties"].get(key), &at, &said, errs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(schema: &Value) -> Vec<String> {
        validate_structural(schema, &Path::new("s")).iter().map(Error::to_string).collect()
    }

    #[test]
    fn types_are_said_once_and_outside_of_logic() {
        let good = value!({"type": "object", "properties": {
            "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "a": {"type": "object", "properties": {"b": {"type": "string"}}, "oneOf": [{"required": ["b"]}]},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}}
        }});
        assert!(found(&good).is_empty());
        let bad = value!({"properties": {
            "list": {"type": "array"},
            "metadata": {"type": "object", "description": "mine"}
        }, "allOf": [{"properties": {"b": {"type": "string"}}}]});
        assert_eq!(
            found(&bad),
            [
                "s.allOf[0].properties[b].type: Forbidden: must be empty to be structural",
                "s.properties[b]: Required value: because it is defined in s.allOf[0].properties[b]",
                "s.properties[list].items: Required value: must be specified",
                "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
                "s.type: Required value: must not be empty at the root",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert_eq!(unreadable(&value!({"type": "object"})), None);
        let array = value!({"properties": {"a": {"items": [{"type": "string"}]}}});
        assert_eq!(unreadable(&array), Some("OpenAPIV3Schema 'items' must be a schema, but is an array".into()));
        let reference = value!({"not": {"$ref": "x"}});
        assert_eq!(unreadable(&reference), Some("OpenAPIV3Schema '$ref' is not supported".into()));
    }
}
