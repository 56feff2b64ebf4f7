//! Defaults of a structural schema, and the nulls that it does not allow.

use meta::Value;

/// The schema node of a member of an object node.
pub fn member<'a>(node: &'a Value, key: &str) -> &'a Value {
    match node["properties"].get(key) {
        Some(property) => property,
        None => &node["additionalProperties"],
    }
}

/// Sets what is missing and has a default, and drops nulls that are neither nullable nor defaulted. Idempotent.
/// A default never makes its parent: `a.b`'s default waits until there is an `a`.
pub fn prepare_defaults(node: &Value, value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|key, member_value| {
            let node = member(node, key);
            let dropped = member_value.is_null() && node.as_object().is_some();
            !dropped || node["nullable"].bool() || node.get("default").is_some()
        });
        for (key, property) in node["properties"].entries() {
            let Some(default) = property.get("default") else { continue };
            let missing = match map.get(key) {
                None => true,
                Some(given) => given.is_null() && !property["nullable"].bool(),
            };
            if missing {
                map.insert(key, default);
            }
        }
        for (key, member_value) in map.iter_mut() {
            let node = member(node, key);
            replace_null(node, member_value);
            prepare_defaults(node, member_value);
        }
    } else if let Value::Array(items) = value {
        let node = &node["items"];
        for item in items {
            replace_null(node, item);
            prepare_defaults(node, item);
        }
    }
}

fn replace_null(node: &Value, value: &mut Value) {
    if value.is_null()
        && !node["nullable"].bool()
        && let Some(default) = node.get("default")
    {
        *value = default.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn defaults_fill_objects_lists_and_maps_but_make_no_parents() {
        let port = value!({"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}});
        let node = value!({"type": "object", "properties": {
            "n": {"type": "integer", "default": 3},
            "nul": {"type": "string", "nullable": true, "default": "d"},
            "nonnul": {"type": "string", "default": "e"},
            "gone": {"type": "string"},
            "list": {"type": "array", "items": port},
            "parent": {"type": "object", "properties": {"x": {"type": "string", "default": "y"}}}
        }});
        let mut given = value!({"nul": null, "nonnul": null, "gone": null, "list": [{"q": 1}, {"p": "UDP"}]});
        prepare_defaults(&node, &mut given);
        let want = value!({"n": 3, "nul": null, "nonnul": "e", "list": [{"q": 1, "p": "TCP"}, {"p": "UDP"}]});
        assert_eq!(given, want);
        let once = given.clone();
        prepare_defaults(&node, &mut given);
        assert_eq!(given, once);
    }
}
