//! Defaults in a definition's schema: they must be what the schema itself allows
//! (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting).

use crate::validate::{Patterns, Validator};
use meta::Value;
use meta::field::{Error, ErrorList, Path};

/// Reports defaults that their own node does not allow. `pruned`: nor may they have fields that it does not know.
pub fn validate_defaults(schema: &Value, pruned: bool, path: &Path) -> ErrorList {
    let mut errs = ErrorList::new();
    let patterns = Patterns::of(schema);
    let walk = Walk { patterns: &patterns, pruned };
    walk.validate(schema, true, false, path, &mut errs);
    errs
}

struct Walk<'a> {
    patterns: &'a Patterns,
    pruned: bool,
}

impl Walk<'_> {
    /// `whole`: the node is a whole object; `in_metadata`: it is apiVersion, kind or metadata of one, or below.
    fn validate(&self, node: &Value, whole: bool, in_metadata: bool, path: &Path, errs: &mut ErrorList) {
        if node.as_object().is_none() {
            return;
        }
        let whole = whole || node["x-kubernetes-embedded-resource"].bool();
        let in_metadata = in_metadata && !whole;
        let default = &node["default"];
        if !default.is_null() {
            let at = path.child("default");
            if self.pruned && !in_metadata && is_changed_by_pruning(default, node) {
                errs.invalid(&at, default, "must not have unknown fields");
            }
            self.validate_value(node, default, &at, errs);
        }
        self.validate(&node["items"], false, in_metadata, &path.child("items"), errs);
        for (key, property) in node["properties"].entries() {
            let meta = in_metadata || (whole && matches!(key, "metadata" | "apiVersion" | "kind"));
            self.validate(property, false, meta, &path.child("properties").key(key), errs);
        }
    }

    fn validate_value(&self, node: &Value, default: &Value, at: &Path, errs: &mut ErrorList) {
        let mut found = ErrorList::new();
        Validator { patterns: self.patterns }.validate(node, default, None, "", &mut found);
        for error in found.iter() {
            let field = match error.field.as_str() {
                "" | "<nil>" => at.to_string(),
                below => format!("{at}.{below}"),
            };
            errs.push(Error { field, ..error.clone() });
        }
    }
}

fn is_changed_by_pruning(default: &Value, node: &Value) -> bool {
    let mut pruned = default.clone();
    prune(&mut pruned, node);
    pruned != *default
}

/// Removes the fields that a node does not know. Anything but an object for a node knows no field.
fn prune(value: &mut Value, node: &Value) {
    let preserve = node["x-kubernetes-preserve-unknown-fields"].bool();
    let embedded = node["x-kubernetes-embedded-resource"].bool();
    let more = &node["additionalProperties"];
    match value {
        Value::Object(map) => map.retain(|key, member| {
            if embedded && matches!(key, "apiVersion" | "kind" | "metadata") {
                return true;
            }
            match node["properties"].get(key) {
                Some(property) => prune(member, property),
                None if !more.is_null() => prune(member, more),
                None => return preserve,
            }
            true
        }),
        Value::Array(items) if !preserve => items.iter_mut().for_each(|item| prune(item, &node["items"])),
        _ => {}
    }
}

/// Whether a structural schema has a default with fields that it does not know.
pub fn has_unpruned_default(schema: &Value) -> bool {
    super::walk::any(schema, |node| !node["default"].is_null() && is_changed_by_pruning(&node["default"], node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn a_default_is_a_value_like_any_other() {
        let schema = value!({"type": "object", "properties": {
            "n": {"type": "integer", "format": "int32", "minimum": 2, "default": 1},
            "o": {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
            "state": {"type": "string", "enum": ["on", "off"], "default": "off"},
            "list": {"type": "array", "items": {"type": "object", "required": ["x"], "default": {}}}
        }});
        let errs = validate_defaults(&schema, true, &Path::new("s"));
        let texts: Vec<String> = errs.iter().map(Error::to_string).collect();
        assert_eq!(
            texts,
            [
                "s.properties[list].items.default.x: Required value",
                "s.properties[n].default: Invalid value: 1:  in body should be greater than or equal to 2",
                "s.properties[o].default: Invalid value: {\"b\":1}: must not have unknown fields",
            ]
        );
        assert!(has_unpruned_default(&schema));
    }
}
