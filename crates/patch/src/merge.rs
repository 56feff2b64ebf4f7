//! JSON merge patch (RFC 7396), as evanphx/json-patch v4 applies it.

use meta::{Map, Result, Status, Str, Value};

/// The patch of a decoded body.
///
/// # Errors
/// 400 when it is no object.
pub fn check(patch: &Value) -> Result<()> {
    match patch {
        Value::Object(_) => Ok(()),
        Value::Null => Err(Status::bad_request("Invalid JSON Patch")),
        other => {
            let found = crate::json::go_json_kind(other);
            let into = "Go value of type map[string]interface {}";
            Err(Status::bad_request(format!("error decoding patch: json: cannot unmarshal {found} into {into}")))
        }
    }
}

/// `doc` with `patch` merged in: members that are null in the patch are removed, objects are merged, anything else
/// is replaced. Linear in the size of both.
pub fn apply(doc: Value, patch: Value) -> Value {
    match (doc, patch) {
        (Value::Object(doc), Value::Object(patch)) => Value::Object(merge(doc, patch)),
        // Go's library prunes nulls only where the old value was no object.
        (Value::Object(_), patch) => patch,
        (_, mut patch) => {
            prune(&mut patch);
            patch
        }
    }
}

fn merge(doc: Map, patch: Map) -> Map {
    let mut merged: Vec<(Str, Value)> = Vec::with_capacity(doc.len() + patch.len());
    let mut old = doc.into_entries().into_iter().peekable();
    for (key, value) in patch.into_entries() {
        while let Some(entry) = old.next_if(|(k, _)| *k < key) {
            merged.push(entry);
        }
        let current = old.next_if(|(k, _)| *k == key).map_or(Value::Null, |(_, v)| v);
        if !value.is_null() {
            merged.push((key, apply(current, value)));
        }
    }
    merged.extend(old);
    Map::from_entries(merged).0
}

/// Drops null members of objects, also of objects in lists; null items of lists stay.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => map.retain(|_, v| {
            prune(v);
            !v.is_null()
        }),
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn rfc_7396_examples_hold() {
        let cases = [
            (value!({"a": "b"}), value!({"a": "c"}), value!({"a": "c"})),
            (value!({"a": "b"}), value!({"b": "c"}), value!({"a": "b", "b": "c"})),
            (value!({"a": "b"}), value!({"a": null}), value!({})),
            (value!({"a": "b", "b": "c"}), value!({"a": null}), value!({"b": "c"})),
            (value!({"a": ["b"]}), value!({"a": "c"}), value!({"a": "c"})),
            (value!({"a": "c"}), value!({"a": ["b"]}), value!({"a": ["b"]})),
            (value!({"a": {"b": "c"}}), value!({"a": {"b": "d", "c": null}}), value!({"a": {"b": "d"}})),
            (value!({"a": [{"b": "c"}]}), value!({"a": [1]}), value!({"a": [1]})),
            (value!({"e": null}), value!({"a": 1}), value!({"a": 1, "e": null})),
            (value!({}), value!({"a": {"bb": {"ccc": null}}}), value!({"a": {"bb": {}}})),
        ];
        for (doc, patch, want) in cases {
            assert_eq!(apply(doc.clone(), patch.clone()), want, "{doc:?} + {patch:?}");
        }
    }

    #[test]
    fn nulls_in_lists_are_pruned_as_the_go_library_prunes() {
        assert_eq!(apply(value!({}), value!({"l": [null, {"a": null}]})), value!({"l": [null, {}]}));
        assert_eq!(apply(value!({"l": {}}), value!({"l": [{"a": null}]})), value!({"l": [{"a": null}]}));
    }

    #[test]
    fn bodies_that_are_no_object_are_refused() {
        assert_eq!(check(&Value::Null).map_err(|e| e.message), Err("Invalid JSON Patch".to_string()));
        assert!(
            check(&value!([])).is_err_and(|e| e.message.ends_with("into Go value of type map[string]interface {}"))
        );
        assert!(check(&value!({})).is_ok());
    }
}
