//! ValidatingAdmissionPolicies over a small cluster.

use admission::{Attributes, Chain, Notes, Operation, Question, Served};
use meta::time::Timestamp;
use meta::{Gvk, Result, Value, value};
use resource::{Context, Reader, User};
use std::cell::RefCell;

/// What is stored, by resource; the user `reader` may get secrets.
#[derive(Default)]
struct Cluster(Vec<(&'static str, Value)>);

impl Reader for Cluster {
    fn get(&self, _group: &str, resource: &str, _namespace: &str, name: &str) -> Option<Value> {
        let is_it = |object: &Value| object["metadata"]["name"].str() == name;
        self.0.iter().find(|(r, object)| *r == resource && is_it(object)).map(|(_, object)| object.clone())
    }

    fn list(&self, _group: &str, resource: &str, _namespace: &str) -> Vec<Value> {
        self.0.iter().filter(|(r, _)| *r == resource).map(|(_, object)| object.clone()).collect()
    }
}

impl admission::Cluster for Cluster {
    fn allows(&self, user: &User, question: &Question) -> bool {
        user.name == "reader" && question.verb == "get" && question.resource == "secrets"
    }

    fn resources_of(&self, _group: &str, _version: &str, kind: &str) -> Vec<Served> {
        let known = kind == "ServiceAccount";
        known.then(|| Served { plural: "serviceaccounts".into(), namespaced: true }).into_iter().collect()
    }
}

/// A cluster with a namespace and one policy, bound once.
fn cluster(spec: Value, binding: Value) -> Cluster {
    let mut policy = value!({
        "metadata": {"name": "p", "uid": "u", "generation": 1},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {"matchLabels": {"in": "yes"}},
                "objectSelector": {},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["configmaps"]}]
            }
        }
    });
    let mut bound = value!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    for (into, from) in [(&mut policy, spec), (&mut bound, binding)] {
        for (key, value) in from.entries() {
            into.entry("spec").set(key, value);
        }
    }
    Cluster(vec![
        ("namespaces", value!({"metadata": {"name": "ns", "labels": {"in": "yes"}}})),
        ("validatingadmissionpolicies", policy),
        ("validatingadmissionpolicybindings", bound),
    ])
}

struct Answer {
    result: Result<()>,
    notes: Notes,
}

impl Answer {
    fn refused(&self) -> String {
        match &self.result {
            Ok(()) => "admitted".to_owned(),
            Err(status) => format!("{} {}: {}", status.code, status.reason.as_str(), status.message),
        }
    }
}

fn send(cluster: &Cluster, operation: Operation, user: &str, object: &Value, old: Option<&Value>) -> Answer {
    let all = Chain::new(&[], &[]).unwrap();
    let others: Vec<&str> = all.names().into_iter().filter(|name| *name != "ValidatingAdmissionPolicy").collect();
    let chain = Chain::new(&[], &others).unwrap();
    let user = User { name: user.into(), ..User::default() };
    let notes = RefCell::new(Notes::default());
    let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let ctx = Context { user: &user, now, dry_run: false, namespace: "ns", subresource: "", reader: cluster };
    let kind = Gvk { group: "".into(), version: "v1".into(), kind: "ConfigMap".into() };
    let attributes = Attributes {
        operation,
        group: "",
        version: "v1",
        resource: "configmaps",
        kind: &kind,
        name: "a",
        old,
        options: &Value::Null,
        ctx: &ctx,
        cluster,
        notes: &notes,
    };
    let result = chain.validate(&attributes, object);
    Answer { result, notes: notes.into_inner() }
}

fn create(cluster: &Cluster, data: Value) -> Answer {
    send(cluster, Operation::Create, "someone", &value!({"metadata": {"name": "a"}, "data": data}), None)
}

const BY: &str = "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request:";

#[test]
fn what_is_not_true_is_refused_with_its_reason_and_message() {
    let spec = value!({"validations": [
        {"expression": "object.data.k != 'a'", "message": "no a here"},
        {"expression": "object.data.k != 'b'", "messageExpression": "'k is ' + object.data.k", "reason": "Forbidden"},
        {"expression": "object.data.k != 'c'"},
    ]});
    let cluster = cluster(spec, Value::Null);
    let refused = |k: &str| create(&cluster, value!({"k": k})).refused();
    assert_eq!(refused("a"), format!("422 Invalid: {BY} no a here"));
    assert_eq!(refused("b"), format!("403 Forbidden: {BY} k is b"));
    assert_eq!(refused("c"), format!("422 Invalid: {BY} failed expression: object.data.k != 'c'"));
    assert_eq!(refused("d"), "admitted");
    let failed = "expression 'object.data.k != 'a'' resulted in error: no such key: k";
    assert_eq!(create(&cluster, value!({"x": "y"})).refused(), format!("422 Invalid: {BY} {failed}"));
}

#[test]
fn the_failure_policy_says_what_errors_mean() {
    let spec = value!({"failurePolicy": "Ignore", "validations": [{"expression": "object.data.k == 'a'"}]});
    let cluster = cluster(spec, Value::Null);
    assert_eq!(create(&cluster, value!({})).refused(), "admitted");
    assert!(create(&cluster, value!({"k": "b"})).result.is_err());
}

#[test]
fn variables_conditions_and_the_authorizer() {
    let spec = value!({
        "variables": [
            {"name": "n", "expression": "has(object.data) ? object.data.size() : 0"},
            {"name": "many", "expression": "variables.n > 2"},
        ],
        "matchConditions": [{"name": "c", "expression": "request.userInfo.username != 'free'"}],
        "validations": [
            {"expression": "!variables.many", "messageExpression": "'too many: ' + string(variables.n)"},
            {"expression": "authorizer.group('').resource('secrets').namespace('ns').check('get').allowed()"},
        ],
    });
    let cluster = cluster(spec, Value::Null);
    let by = |user: &str, object: &Value| send(&cluster, Operation::Create, user, object, None).refused();
    let (many, few) = (value!({"data": {"a": "1", "b": "2", "c": "3"}}), value!({}));
    assert_eq!(by("reader", &many), format!("422 Invalid: {BY} too many: 3"));
    assert_eq!(by("reader", &few), "admitted");
    assert!(by("other", &few).contains("failed expression: authorizer"));
    assert_eq!(by("free", &many), "admitted");
}

#[test]
fn old_objects_on_updates_and_deletes() {
    let spec = value!({"validations": [
        {"expression": "request.operation != 'UPDATE' || object.data.k == oldObject.data.k", "message": "k may not change"},
        {"expression": "request.operation != 'DELETE' || oldObject.data.k != 'keep'", "message": "keep it"},
    ]});
    let cluster = cluster(spec, Value::Null);
    let (keep, other) = (value!({"data": {"k": "keep"}}), value!({"data": {"k": "x"}}));
    let update = send(&cluster, Operation::Update, "u", &other, Some(&keep));
    assert_eq!(update.refused(), format!("422 Invalid: {BY} k may not change"));
    let delete = |old: &Value| send(&cluster, Operation::Delete, "u", &Value::Null, Some(old)).refused();
    assert_eq!(delete(&keep), format!("422 Invalid: {BY} keep it"));
    assert_eq!(delete(&other), "admitted");
}

#[test]
fn parameters_are_found_by_name_or_selector() {
    let spec = value!({
        "paramKind": {"apiVersion": "v1", "kind": "ServiceAccount"},
        "validations": [{"expression": "object.data.k != params.metadata.annotations.v"}],
    });
    let named = value!({"paramRef": {"name": "p1", "parameterNotFoundAction": "Deny"}});
    let missing = create(&cluster(spec.clone(), named.clone()), value!({"k": "one"}));
    let why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    assert_eq!(missing.refused(), format!("422 Invalid: {BY} {why}"));
    let param = |name: &str, v: &str| value!({"metadata": {"name": name, "labels": {"role": "param"}, "annotations": {"v": v}}});
    let mut by_name = cluster(spec.clone(), named);
    by_name.0.push(("serviceaccounts", param("p1", "one")));
    assert!(create(&by_name, value!({"k": "one"})).result.is_err());
    assert!(create(&by_name, value!({"k": "two"})).result.is_ok());
    let selected =
        value!({"paramRef": {"selector": {"matchLabels": {"role": "param"}}, "parameterNotFoundAction": "Allow"}});
    let mut selecting = cluster(spec, selected);
    assert!(create(&selecting, value!({"k": "two"})).result.is_ok());
    selecting.0.push(("serviceaccounts", param("p1", "one")));
    selecting.0.push(("serviceaccounts", param("p2", "two")));
    assert!(create(&selecting, value!({"k": "two"})).result.is_err());
}

#[test]
fn warnings_and_audit_annotations() {
    let spec = value!({
        "validations": [{"expression": "object.data.k != 'bad'", "message": "k is bad"}],
        "auditAnnotations": [{"key": "seen", "valueExpression": "'k=' + object.data.k"}, {"key": "not", "valueExpression": "null"}],
    });
    let answer = create(&cluster(spec, value!({"validationActions": ["Warn", "Audit"]})), value!({"k": "bad"}));
    assert_eq!(answer.refused(), "admitted");
    let by = "ValidatingAdmissionPolicy 'p' with binding 'b'";
    assert_eq!(answer.notes.warnings, [format!("Validation failed for {by}: k is bad")]);
    let annotations: Vec<&str> = answer.notes.annotations.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(annotations, ["validation.policy.admission.k8s.io/validation_failure", "p/seen"]);
    assert_eq!(answer.notes.annotations[1].1, "k=bad");
}

#[test]
fn only_requests_that_match_are_judged() {
    let never = value!({"validations": [{"expression": "false"}]});
    let with = |constraints: Value| {
        let mut spec = never.clone();
        spec.set("matchConstraints", constraints);
        create(&cluster(spec, Value::Null), value!({})).result.is_ok()
    };
    let rule = |group: &str, operation: &str, resource: &str| value!([{"apiGroups": [group], "apiVersions": ["*"], "operations": [operation], "resources": [resource]}]);
    assert!(!with(value!({"resourceRules": (rule("*", "*", "*"))})));
    assert!(with(value!({"resourceRules": (rule("apps", "*", "*"))})));
    assert!(with(value!({"resourceRules": (rule("", "UPDATE", "*"))})));
    assert!(with(value!({"resourceRules": (rule("", "CREATE", "configmaps/status"))})));
    assert!(!with(value!({"resourceRules": (rule("", "CREATE", "*/*"))})));
    assert!(with(
        value!({"resourceRules": (rule("*", "*", "*")), "excludeResourceRules": (rule("", "*", "configmaps"))})
    ));
    assert!(with(value!({"resourceRules": (rule("*", "*", "*")), "objectSelector": {"matchLabels": {"a": "b"}}})));
    assert!(with(value!({"resourceRules": (rule("*", "*", "*")), "namespaceSelector": {"matchLabels": {"in": "no"}}})));
}
