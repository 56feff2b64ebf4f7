//! MutatingAdmissionPolicies: configurations that are applied, patches, and what happens when they do not fit.

mod client;

use client::Sender::Itself;
use client::{ask, create};
use kybern::TestServer;
use meta::{Value, value};

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A policy for configmaps with its binding; `spec` is what differs.
async fn policy(server: &TestServer, name: &str, spec: Value) {
    let mut whole = value!({
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]
        }], "objectSelector": {"matchLabels": {"for": name}}}
    });
    spec.entries().for_each(|(field, value)| whole.set(field, value));
    let policy = value!({"metadata": {"name": name}, "spec": whole});
    create(server, &format!("{GROUP}/mutatingadmissionpolicies"), &policy).await;
    let binding = value!({"metadata": {"name": name}, "spec": {"policyName": name}});
    create(server, &format!("{GROUP}/mutatingadmissionpolicybindings"), &binding).await;
}

fn apply(expression: &str) -> Value {
    value!([{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}])
}

fn patch(expression: &str) -> Value {
    value!([{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}])
}

async fn post(server: &TestServer, name: &str, data: Value) -> (u16, Value) {
    let map = value!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"for": name}}, "data": data
    });
    ask(server, Itself, "POST", MAPS, &map).await
}

#[tokio::test]
async fn configurations_are_applied_and_patches_patch() {
    let server = TestServer::start().await.expect("a server");
    let configuration =
        "Object{metadata: Object.metadata{annotations: {'by': variables.by}}, data: {'added': object.metadata.name}}";
    let variables = value!([{"name": "by", "expression": "request.userInfo.username"}]);
    policy(&server, "a", value!({"variables": variables, "mutations": (apply(configuration))})).await;
    let (code, made) = post(&server, "a", value!({"k": "v"})).await;
    assert_eq!((code, &made["data"]), (201, &value!({"added": "a", "k": "v"})), "{made:?}");
    assert!(!made["metadata"]["annotations"]["by"].str().is_empty());
    let change = value!({"data": {"added": "mine"}});
    let (_, updated) = ask(&server, Itself, "PATCH", &format!("{MAPS}/a"), &change).await;
    assert_eq!(updated["data"]["added"].str(), "a");

    let steps = "[JSONPatch{op: 'test', path: '/data/k', value: 'v'}, \
                 JSONPatch{op: 'add', path: '/data/' + jsonpatch.escapeKey('x'), value: 'y'}]";
    policy(&server, "b", value!({"mutations": (patch(steps))})).await;
    let (_, made) = post(&server, "b", value!({"k": "v"})).await;
    assert_eq!(made["data"], value!({"k": "v", "x": "y"}));
    let (code, other) =
        ask(&server, Itself, "PATCH", &format!("{MAPS}/b"), &value!({"data": {"k": "w", "x": null}})).await;
    // The test fails, and nothing is changed.
    assert_eq!((code, &other["data"]), (200, &value!({"k": "w"})));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_or_ignored() {
    let server = TestServer::start().await.expect("a server");
    let missing = patch("[JSONPatch{op: 'add', path: '/data/x', value: 'y'}]");
    let by = |name: &str| format!("policy '{name}' with binding '{name}' denied request: ");
    policy(&server, "a", value!({"mutations": (&missing)})).await;
    let (code, refused) = post(&server, "a", Value::Null).await;
    let wanted =
        format!("{}JSON Patch: add operation does not apply: doc is missing path: \"/data/x\": missing value", by("a"));
    assert_eq!((code, refused["reason"].str(), refused["message"].str()), (403, "Invalid", wanted.as_str()));
    assert_eq!(refused["details"]["causes"], value!([{"message": wanted}]));
    policy(&server, "b", value!({"failurePolicy": "Ignore", "mutations": missing})).await;
    assert_eq!(post(&server, "b", Value::Null).await.0, 201);

    let broken = [
        ("g", "[JSONPatch{op: 'add', path: '/nothere', value: 5}]", "strict decoding error: unknown field \"nothere\""),
        (
            "h",
            "[JSONPatch{op: 'replace', path: '/data', value: 5}]",
            "json: cannot unmarshal number into Go struct field ",
        ),
    ];
    for (name, expression, why) in broken {
        policy(&server, name, value!({"failurePolicy": "Ignore", "mutations": (patch(expression))})).await;
        let (code, refused) = post(&server, name, value!({"k": "v"})).await;
        let text = refused["message"].str();
        assert!(code == 500 && text.starts_with(&format!("Internal error occurred: {why}")), "{text}");
    }

    let cases = [
        (
            "c",
            "Object{data: Object.other{}}",
            "type mismatch: unexpected type name \"Object.other\", expected \"Object.data\", ",
        ),
        ("d", "Object{data: {'k': 5}}", "error applying patch: failed to convert patch object to typed object: "),
        (
            "e",
            "Object{data: {'k': object.data.none}}",
            "expression 'Object{data: {'k': object.data.none}}' resulted in error: ",
        ),
    ];
    for (name, expression, why) in cases {
        policy(&server, name, value!({"mutations": (apply(expression))})).await;
        let (code, refused) = post(&server, name, value!({"k": "v"})).await;
        let text = refused["message"].str();
        assert!(code == 403 && text.starts_with(&format!("{}{why}", by(name))), "{text}");
    }
}

#[tokio::test]
async fn atomic_parts_are_not_replaced() {
    let server = TestServer::start().await.expect("a server");
    let rules = value!({"resourceRules": [{
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"]
    }]});
    let selector = apply("Object{spec: Object.spec{selector: {'a': 'b'}}}");
    policy(&server, "s", value!({"matchConstraints": rules, "mutations": selector})).await;
    let service = value!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}
    });
    let (code, refused) = ask(&server, Itself, "POST", "/api/v1/namespaces/default/services", &service).await;
    let why = "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector";
    assert!(code == 403 && refused["message"].str().ends_with(why), "{refused:?}");
}

#[tokio::test]
async fn policies_come_again_when_others_changed_something() {
    let server = TestServer::start().await.expect("a server");
    let counted = "Object{data: {'seen': string(has(object.data.late))}}";
    let all = value!({"resourceRules": [{
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]
    }]});
    let first = value!({"matchConstraints": (&all), "reinvocationPolicy": "IfNeeded", "mutations": (apply(counted))});
    policy(&server, "first", first).await;
    let late = value!({"matchConstraints": all, "mutations": (apply("Object{data: {'late': 'yes'}}"))});
    policy(&server, "late", late).await;
    let (code, made) = post(&server, "x", value!({"k": "v"})).await;
    assert_eq!((code, &made["data"]), (201, &value!({"k": "v", "late": "yes", "seen": "true"})), "{made:?}");
}
