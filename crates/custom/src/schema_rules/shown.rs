//! Schemas as upstream's messages show them: every field of the Go struct, in its order, under its Go name.

use meta::field::{Shown, quote};
use meta::{Value, json};

/// How a field is written.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    /// Whatever is there, as it is; null when nothing is.
    Raw,
    Node,
    Nodes,
    NodeMap,
    NodeOrArray,
    NodeOrBool,
    Dependencies,
    Documentation,
    Rules,
}

/// JSONSchemaProps (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/types_jsonschema.go).
const FIELDS: &[(&str, &str, Kind)] = &[
    ("ID", "id", Kind::Text),
    ("Schema", "$schema", Kind::Text),
    ("Ref", "$ref", Kind::Raw),
    ("Description", "description", Kind::Text),
    ("Type", "type", Kind::Text),
    ("Nullable", "nullable", Kind::Bool),
    ("Format", "format", Kind::Text),
    ("Title", "title", Kind::Text),
    ("Default", "default", Kind::Raw),
    ("Maximum", "maximum", Kind::Raw),
    ("ExclusiveMaximum", "exclusiveMaximum", Kind::Bool),
    ("Minimum", "minimum", Kind::Raw),
    ("ExclusiveMinimum", "exclusiveMinimum", Kind::Bool),
    ("MaxLength", "maxLength", Kind::Raw),
    ("MinLength", "minLength", Kind::Raw),
    ("Pattern", "pattern", Kind::Text),
    ("MaxItems", "maxItems", Kind::Raw),
    ("MinItems", "minItems", Kind::Raw),
    ("UniqueItems", "uniqueItems", Kind::Bool),
    ("MultipleOf", "multipleOf", Kind::Raw),
    ("Enum", "enum", Kind::Raw),
    ("MaxProperties", "maxProperties", Kind::Raw),
    ("MinProperties", "minProperties", Kind::Raw),
    ("Required", "required", Kind::Raw),
    ("Items", "items", Kind::NodeOrArray),
    ("AllOf", "allOf", Kind::Nodes),
    ("OneOf", "oneOf", Kind::Nodes),
    ("AnyOf", "anyOf", Kind::Nodes),
    ("Not", "not", Kind::Node),
    ("Properties", "properties", Kind::NodeMap),
    ("AdditionalProperties", "additionalProperties", Kind::NodeOrBool),
    ("PatternProperties", "patternProperties", Kind::NodeMap),
    ("Dependencies", "dependencies", Kind::Dependencies),
    ("AdditionalItems", "additionalItems", Kind::NodeOrBool),
    ("Definitions", "definitions", Kind::NodeMap),
    ("ExternalDocs", "externalDocs", Kind::Documentation),
    ("Example", "example", Kind::Raw),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", Kind::Raw),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", Kind::Bool),
    ("XIntOrString", "x-kubernetes-int-or-string", Kind::Bool),
    ("XListMapKeys", "x-kubernetes-list-map-keys", Kind::Raw),
    ("XListType", "x-kubernetes-list-type", Kind::Raw),
    ("XMapType", "x-kubernetes-map-type", Kind::Raw),
    ("XValidations", "x-kubernetes-validations", Kind::Rules),
];

/// ValidationRule.
const RULE_FIELDS: &[(&str, &str, Kind)] = &[
    ("Rule", "rule", Kind::Text),
    ("Message", "message", Kind::Text),
    ("MessageExpression", "messageExpression", Kind::Text),
    ("Reason", "reason", Kind::Raw),
    ("FieldPath", "fieldPath", Kind::Text),
    ("OptionalOldSelf", "optionalOldSelf", Kind::Raw),
];

const DOCUMENTATION_FIELDS: &[(&str, &str, Kind)] =
    &[("Description", "description", Kind::Text), ("URL", "url", Kind::Text)];

/// A whole schema.
pub fn schema(node: &Value) -> Shown {
    Shown(structure(node, FIELDS))
}

/// One rule of `x-kubernetes-validations`.
pub fn rule(rule: &Value) -> Shown {
    Shown(structure(rule, RULE_FIELDS))
}

/// The `items` of a node.
pub fn items(items: &Value) -> Shown {
    Shown(write(items, Kind::NodeOrArray))
}

fn structure(value: &Value, fields: &[(&str, &str, Kind)]) -> String {
    if value.is_null() {
        return "null".into();
    }
    let members = fields.iter().map(|(go, name, kind)| format!("{}:{}", quote(go), write(&value[*name], *kind)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn list(value: &Value, item: impl Fn(&Value) -> String) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(",")),
        _ => "null".into(),
    }
}

fn map(value: &Value, item: impl Fn(&Value) -> String) -> String {
    match value {
        Value::Object(map) => {
            let members = map.iter().map(|(key, value)| format!("{}:{}", json::to_string(&key.into()), item(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        _ => "null".into(),
    }
}

fn write(value: &Value, kind: Kind) -> String {
    let node = |value: &Value| structure(value, FIELDS);
    match (kind, value) {
        (Kind::Text, _) => json::to_string(&value.str().into()),
        (Kind::Bool, _) => value.bool().to_string(),
        (Kind::Raw, _) => json::to_string(value),
        (_, Value::Null) => "null".into(),
        (Kind::Node, _) => node(value),
        (Kind::Nodes, _) => list(value, node),
        (Kind::NodeMap, _) => map(value, node),
        (Kind::NodeOrArray, Value::Array(_)) => format!("{{\"Schema\":null,\"JSONSchemas\":{}}}", list(value, node)),
        (Kind::NodeOrArray, _) => format!("{{\"Schema\":{},\"JSONSchemas\":null}}", node(value)),
        (Kind::NodeOrBool, Value::Object(_)) => format!("{{\"Allows\":true,\"Schema\":{}}}", node(value)),
        (Kind::NodeOrBool, _) => format!("{{\"Allows\":{},\"Schema\":null}}", value.bool()),
        (Kind::Dependencies, _) => map(value, |dependency| match dependency {
            Value::Array(_) => format!("{{\"Schema\":null,\"Property\":{}}}", json::to_string(dependency)),
            _ => format!("{{\"Schema\":{},\"Property\":null}}", node(dependency)),
        }),
        (Kind::Documentation, _) => structure(value, DOCUMENTATION_FIELDS),
        (Kind::Rules, _) => list(value, |rule| structure(rule, RULE_FIELDS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn every_field_of_a_rule_is_there() {
        assert_eq!(
            rule(&value!({"rule": "self >= 1", "optionalOldSelf": true})).0,
            r#"{"Rule":"self \u003e= 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":true}"#
        );
        assert_eq!(items(&value!([])).0, r#"{"Schema":null,"JSONSchemas":[]}"#);
    }
}
