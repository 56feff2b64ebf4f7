//! Rules and whether objects keep them.

use super::{RuleTree, judge};
use meta::{Value, value};

/// The errors of an object, and what it is only warned of.
fn judged(schema: &Value, object: &Value, old: Option<&Value>) -> (Vec<String>, Vec<String>) {
    let verdict = judge(&RuleTree::new(schema).expect("rules"), object, old);
    let texts = |list: &meta::field::ErrorList| list.iter().map(|error| error.to_string()).collect();
    (texts(&verdict.errs), texts(&verdict.ratcheted))
}

fn schema(spec: Value) -> Value {
    value!({"type": "object", "properties": {"spec": spec}})
}

fn object(spec: Value) -> Value {
    value!({"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"}, "spec": spec})
}

#[test]
fn rules_messages_reasons_and_field_paths() {
    let schema = schema(value!({
        "type": "object",
        "properties": {
            "min": {"type": "integer"},
            "max": {"type": "integer"},
            "name": {"type": "string"},
            "namespace": {"type": "string"},
        },
        "x-kubernetes-validations": [
            {"rule": "self.min <= self.max", "message": "min must not be over max"},
            {"rule": "self.name != 'z'", "messageExpression": "'name is ' + self.name", "reason": "FieldValueForbidden", "fieldPath": ".name"},
            {"rule": "!has(self.__namespace__) || self.__namespace__.size() < 3"},
        ],
    }));
    let good = object(value!({"min": 1, "max": 2, "name": "a"}));
    assert_eq!(judged(&schema, &good, None), (vec![], vec![]));
    let bad = object(value!({"min": 3, "max": 2, "name": "z", "namespace": "abc"}));
    let wanted = [
        "spec: Invalid value: min must not be over max",
        "spec.name: Forbidden: name is z",
        "spec: Invalid value: failed rule: !has(self.__namespace__) || self.__namespace__.size() < 3",
    ];
    assert_eq!(judged(&schema, &bad, None).0, wanted);
    let missing = object(value!({"max": 2, "name": "a"}));
    let wanted = ["spec: Invalid value: \"object\": no such key: min evaluating rule: min must not be over max"];
    assert_eq!(judged(&schema, &missing, None).0, wanted);
}

#[test]
fn transitions_compare_with_what_was() {
    let grow = value!({"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]});
    let grow = schema(value!({"type": "object", "properties": {"grow": grow}}));
    let (five, four) = (object(value!({"grow": 5})), object(value!({"grow": 4})));
    assert_eq!(judged(&grow, &four, None).0, Vec::<String>::new());
    assert_eq!(judged(&grow, &five, Some(&four)).0, Vec::<String>::new());
    assert_eq!(judged(&grow, &four, Some(&five)).0, ["spec.grow: Invalid value: 4: failed rule: self >= oldSelf"]);
}

#[test]
fn an_optional_old_self_is_there_on_creation_too() {
    let rule = value!({"rule": "oldSelf.hasValue() || self == 'new'", "optionalOldSelf": true});
    let schema = schema(value!({"type": "string", "x-kubernetes-validations": [rule]}));
    let (new, other) = (object("new".into()), object("other".into()));
    assert!(judged(&schema, &new, None).0.is_empty());
    assert_eq!(judged(&schema, &other, None).0.len(), 1);
    assert!(judged(&schema, &other, Some(&new)).0.is_empty());
}

#[test]
fn items_of_maps_are_told_apart_by_their_keys() {
    let item = value!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n"}],
    });
    let list = |kind: &str| {
        schema(
            value!({"type": "array", "items": (&item), "x-kubernetes-list-type": kind, "x-kubernetes-list-map-keys": ["name"]}),
        )
    };
    let old = object(value!([{"name": "a", "n": 5}, {"name": "b", "n": 1}]));
    let new = object(value!([{"name": "b", "n": 2}, {"name": "a", "n": 4}]));
    assert_eq!(judged(&list("map"), &new, Some(&old)).0, ["spec[1]: Invalid value: failed rule: self.n >= oldSelf.n"]);
    assert!(judged(&list("atomic"), &new, Some(&old)).0.is_empty());
}

#[test]
fn what_was_broken_before_warns_only() {
    let positive = value!({"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0"}]});
    let schema = schema(value!({"type": "object", "properties": {"a": (&positive), "b": (&positive)}}));
    let old = object(value!({"a": (-1), "b": 1}));
    let new = object(value!({"a": (-1), "b": (-2)}));
    let (errs, warned) = judged(&schema, &new, Some(&old));
    assert_eq!(errs, ["spec.b: Invalid value: -2: failed rule: self > 0"]);
    assert_eq!(warned, ["spec.a: Invalid value: -1: failed rule: self > 0"]);
}

#[test]
fn formats_are_values_and_sets_have_no_order() {
    let schema = schema(value!({
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "wait": {"type": "string", "format": "duration"},
            "data": {"type": "string", "format": "byte"},
            "ratio": {"type": "number"},
            "port": {"x-kubernetes-int-or-string": true},
            "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "x-kubernetes-validations": [
            {"rule": "self.at > timestamp('2020-01-01T00:00:00Z') && self.wait == duration('90s')"},
            {"rule": "self.data == b'hi' && self.ratio == 1.0 && self.port == 80"},
            {"rule": "self.set == oldSelf.set && self.labels.all(k, v, k + v == 'ab')"},
        ],
    }));
    let spec = |set: Value| {
        object(
            value!({"at": "2024-01-01T00:00:00Z", "wait": "1m30s", "data": "aGk=", "ratio": 1, "port": 80, "set": set, "labels": {"a": "b"}}),
        )
    };
    let (old, new) = (spec(value!(["x", "y"])), spec(value!(["y", "x"])));
    assert_eq!(judged(&schema, &new, Some(&old)), (vec![], vec![]));
}

#[test]
fn the_budget_is_for_the_whole_object() {
    // Each evaluation costs nearly a million, of ten that there are.
    let dear = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
    let list = value!({"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [{"rule": dear}]});
    let schema = schema(value!({"type": "object", "additionalProperties": list}));
    let items = Value::Array((0..44).map(Value::Int).collect());
    let many: Vec<(meta::Str, Value)> = (0..20).map(|i| (format!("k{i:02}").into(), items.clone())).collect();
    let errs = judged(&schema, &object(Value::Object(many.into_iter().collect())), None).0;
    assert!(errs.last().is_some_and(|last| last.contains("out of cost budget")), "{errs:?}");
    assert_eq!(errs.len(), 1);
}
