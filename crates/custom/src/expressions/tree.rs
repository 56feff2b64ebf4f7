//! The rules of a schema, compiled once for each version of a definition.

use super::{CompiledRule, RuleError, compile, types_of};
use crate::schema_rules::field_path;
use cel::schema::Schema;
use meta::field::Path;
use meta::{Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules of a node and of those below it; nodes without rules at or below them are left out.
pub struct RuleTree {
    pub rules: Vec<Rule>,
    /// The types of the node's values; present where there are rules.
    pub schema: Option<Arc<Schema>>,
    /// `type`, which some errors show in place of the value.
    pub type_name: Str,
    pub properties: BTreeMap<Str, RuleTree>,
    pub items: Option<Box<RuleTree>>,
    /// The keys by which the items of a list are told apart; empty for lists that are no maps.
    pub list_keys: Vec<Str>,
    /// Whether the values of the node change as one.
    pub atomic: bool,
    pub values: Option<Box<RuleTree>>,
    pub all_of: Vec<RuleTree>,
}

pub struct Rule {
    pub compiled: Result<CompiledRule, String>,
    /// As it is written.
    pub source: Value,
    /// The part of the value that its errors are about; the whole when absent.
    pub field_path: Option<String>,
}

impl RuleTree {
    /// The rules of a version's schema; `None` when there are none.
    pub fn new(schema: &Value) -> Option<RuleTree> {
        tree(schema, schema, true)
    }
}

/// The rules that `said` has, on values that `node` describes: the two differ inside `allOf`.
fn tree(said: &Value, node: &Value, resource: bool) -> Option<RuleTree> {
    let mut rules = Vec::new();
    let written = said["x-kubernetes-validations"].items();
    let schema = if written.is_empty() { None } else { types_of(node, resource) };
    if let Some(schema) = &schema {
        rules.extend(
            written.iter().filter(|rule| !rule["rule"].str().trim().is_empty()).map(|rule| one(rule, node, schema)),
        );
    }
    let embedded = |node: &Value| node["x-kubernetes-embedded-resource"].bool();
    let below = |said: &Value, node: &Value| match said.as_object().is_some() && node.as_object().is_some() {
        true => tree(said, node, embedded(node)).map(Box::new),
        false => None,
    };
    let mut properties = BTreeMap::new();
    for (key, said) in said["properties"].entries() {
        if let Some(node) = node["properties"].get(key)
            && let Some(found) = tree(said, node, embedded(node))
        {
            properties.insert(key.into(), found);
        }
    }
    let found = RuleTree {
        rules,
        schema,
        type_name: node["type"].str().into(),
        properties,
        items: below(&said["items"], &node["items"]),
        list_keys: match node["x-kubernetes-list-type"].str() {
            "map" => node["x-kubernetes-list-map-keys"].items().iter().map(|key| key.str().into()).collect(),
            _ => Vec::new(),
        },
        atomic: node["x-kubernetes-map-type"].str() == "atomic",
        values: below(&said["additionalProperties"], &node["additionalProperties"]),
        all_of: said["allOf"].items().iter().filter_map(|said| tree(said, node, resource)).collect(),
    };
    let empty = found.rules.is_empty()
        && found.properties.is_empty()
        && found.items.is_none()
        && found.values.is_none()
        && found.all_of.is_empty();
    (!empty).then_some(found)
}

fn one(rule: &Value, node: &Value, schema: &Arc<Schema>) -> Rule {
    let compiled = match compile(rule, schema) {
        (Some(compiled), _) => Ok(compiled),
        (None, Some(RuleError::Rule(detail) | RuleError::Message(detail))) => Err(detail),
        (None, None) => Err(String::new()),
    };
    let field_path = match rule["fieldPath"].str() {
        "" => None,
        text => field_path::resolve(text, node, true).ok().map(|(path, _): (Path, _)| path.to_string()),
    };
    Rule { compiled, source: rule.clone(), field_path }
}
