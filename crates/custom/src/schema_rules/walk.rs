//! Every node of a schema, before anything is known about its soundness.

use meta::Value;

/// Whether a member of a node says anything: null, "", false and [] do not.
pub fn is_set(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && (!value.is_empty() || value.as_object().is_some())
}

/// Calls `visit` for a node and all below it, parents first.
pub fn each<'a>(node: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
    if node.as_object().is_none() {
        return;
    }
    visit(node);
    let items = &node["items"];
    each(items, visit);
    items.items().iter().for_each(|item| each(item, visit));
    for logic in ["allOf", "anyOf", "oneOf"] {
        node[logic].items().iter().for_each(|branch| each(branch, visit));
    }
    each(&node["not"], visit);
    node["properties"].entries().for_each(|(_, property)| each(property, visit));
    each(&node["additionalProperties"], visit);
    node["patternProperties"].entries().for_each(|(_, property)| each(property, visit));
    each(&node["additionalItems"], visit);
    node["definitions"].entries().for_each(|(_, definition)| each(definition, visit));
    node["dependencies"].entries().for_each(|(_, dependency)| each(dependency, visit));
}

/// Whether a node or one below it satisfies `wanted`.
pub fn any(node: &Value, wanted: impl Fn(&Value) -> bool) -> bool {
    let mut found = false;
    each(node, &mut |node| found |= wanted(node));
    found
}
