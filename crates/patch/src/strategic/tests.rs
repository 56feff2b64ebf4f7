use super::*;
use meta::{Gvk, value};

fn deployment(spec: Value) -> Value {
    value!({"spec": {"template": {"spec": spec}}})
}

fn applied(doc: Value, patch: Value) -> std::result::Result<Value, (u16, String)> {
    let schema = schema::builtin();
    let id = schema.kind(&Gvk::new("apps", "v1", "Deployment")).unwrap();
    apply(&schema, id, doc, patch).map_err(|e| (e.code, e.message))
}

fn pod_spec() -> Value {
    value!({
        "containers": [
            {"name": "a", "image": "ia", "args": ["1", "2"], "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "b", "image": "ib"}
        ],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "c"}}],
        "tolerations": [{"key": "t1", "operator": "Exists"}],
        "nodeSelector": {"a": "b"}
    })
}

fn names(list: &Value) -> Vec<&str> {
    list.items().iter().map(|i| i["name"].str()).collect()
}

#[test]
fn lists_merge_by_key_with_the_patch_s_items_first() {
    let patch = value!({"containers": [{"name": "b", "image": "i2"}, {"name": "c", "image": "ic"}], "tolerations": [{"key": "t2"}]});
    let out = applied(deployment(pod_spec()), deployment(patch)).unwrap();
    let spec = out.path("spec.template.spec");
    assert_eq!(names(&spec["containers"]), ["a", "b", "c"]);
    assert_eq!(spec["containers"][1]["image"].str(), "i2");
    assert_eq!(spec["tolerations"], value!([{"key": "t2"}]), "no key: replaced");
    let out = applied(deployment(pod_spec()), deployment(value!({"containers": [{"name": "c"}]}))).unwrap();
    assert_eq!(names(&out.path("spec.template.spec")["containers"]), ["c", "a", "b"]);
}

#[test]
fn directives_delete_replace_and_retain() {
    let cases = [
        (value!({"containers": [{"name": "b", "$patch": "delete"}]}), "containers", value!(["a"])),
        (value!({"containers": [{"name": "n"}, {"$patch": "replace"}]}), "containers", value!(["n"])),
        (value!({"volumes": [{"$patch": "replace"}]}), "volumes", value!([])),
        (
            value!({"$setElementOrder/containers": [{"name": "b"}, {"name": "new"}, {"name": "a"}], "containers": [{"name": "new"}]}),
            "containers",
            value!(["b", "new", "a"]),
        ),
    ];
    for (patch, list, want) in cases {
        let out = applied(deployment(pod_spec()), deployment(patch.clone())).unwrap();
        let got: Vec<Value> = names(&out.path("spec.template.spec")[list]).into_iter().map(Value::from).collect();
        assert_eq!(Value::from(got), want, "{patch:?}");
    }
    let retain = value!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/h"}}]});
    let out = applied(deployment(pod_spec()), deployment(retain)).unwrap();
    assert_eq!(out.path("spec.template.spec")["volumes"][0], value!({"name": "v", "hostPath": {"path": "/h"}}));
    let replace = value!({"nodeSelector": {"$patch": "replace", "only": "me"}});
    let out = applied(deployment(pod_spec()), deployment(replace)).unwrap();
    assert_eq!(out.path("spec.template.spec")["nodeSelector"], value!({"only": "me"}));
}

#[test]
fn lists_of_scalars_merge_delete_and_order() {
    let doc = value!({"metadata": {"finalizers": ["a/1", "a/2"]}});
    let cases = [
        (value!({"finalizers": ["a/2", "a/3"]}), value!(["a/1", "a/2", "a/3"])),
        (value!({"$deleteFromPrimitiveList/finalizers": ["a/1", "a/9"]}), value!(["a/2"])),
        (
            value!({"$setElementOrder/finalizers": ["a/2", "a/0", "a/1"], "finalizers": ["a/0"]}),
            value!(["a/2", "a/0", "a/1"]),
        ),
    ];
    for (patch, want) in cases {
        let out = applied(doc.clone(), value!({"metadata": (patch.clone())})).unwrap();
        assert_eq!(out.path("metadata.finalizers"), &want, "{patch:?}");
    }
}

#[test]
fn errors_have_upstream_s_code_and_text() {
    let spec = deployment;
    let cases = [
        (
            spec(value!({"containers": [{"image": "x"}]})),
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        (
            spec(value!({"containers": [{"name": "a", "$patch": "explode"}]})),
            500,
            "unknown patch type: explode in map: map[$patch:explode name:a]",
        ),
        (value!({"$patch": "nonsense"}), 500, "unknown patch type: nonsense in map: map[$patch:nonsense]"),
        (
            value!({"$setElementOrder/foo": ["a"]}),
            500,
            "unable to find api field in struct Deployment for the json field \"foo\"",
        ),
        (
            spec(value!({"$setElementOrder/containers": [{"name": "b"}], "containers": [{"image": "x", "name": "q"}]})),
            500,
            "The order in patch list:\n[map[image:x name:q]]\n doesn't match $setElementOrder list:\n[map[name:b]]\n",
        ),
        (
            value!({"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (value!([]), 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ];
    for (patch, code, text) in cases {
        let mut doc = deployment(pod_spec());
        doc.entry("spec").set("strategy", value!({"type": "RollingUpdate"}));
        assert_eq!(applied(doc, patch.clone()).err(), Some((code, text.to_string())), "{patch:?}");
    }
    let mixed = applied(deployment(value!({"containers": [{"name": "a"}]})), spec(value!({"containers": [5]})));
    assert_eq!(mixed.err().map(|e| e.1), Some("list element types are not identical: [[map[name:a]] [5]]".to_string()));
}

#[test]
fn patched_trees_are_read_in_the_converter_s_words() {
    let schema = schema::builtin();
    let id = schema.kind(&Gvk::new("apps", "v1", "Deployment")).unwrap();
    let read = |v: Value| restore(&schema, id, &v);
    let cases = [
        (value!({"spec": {"replicas": "x"}}), "unrecognized type: int32"),
        (value!({"spec": {"replicas": 1.5}}), "cannot convert float64 to int32"),
        (value!({"spec": []}), "cannot restore struct from: slice"),
        (value!({"spec": {"template": {"spec": {"containers": "x"}}}}), "cannot restore slice from string"),
        (value!({"metadata": {"labels": []}}), "cannot restore map from slice"),
        (value!({"metadata": {"labels": {"a": 5}}}), "cannot convert int64 to string"),
        (value!({"metadata": {"uid": 5}}), "cannot convert int64 to types.UID"),
        (value!({"spec": {"paused": "yes"}}), "unrecognized type: bool"),
    ];
    for (value, text) in cases {
        assert_eq!(read(value.clone()), Err(text.to_string()), "{value:?}");
    }
    let unknown = read(value!({"x": 1, "spec": {"template": {"spec": {"containers": [{"bogus": 1}]}}}}));
    let want = ["unknown field \"spec.template.spec.containers[0].bogus\"", "unknown field \"x\""];
    assert_eq!(unknown, Ok(want.map(String::from).to_vec()));
}

#[test]
fn hostile_patches_cost_what_they_weigh() {
    let labels: Map = (0..50_000).map(|i| (Str::from(format!("k{i:05}")), Value::from("v"))).collect();
    let doc = value!({"metadata": {"labels": (Value::Object(labels))}});
    let deletes = (0..50_000).map(|i| (Str::from(format!("$deleteFromPrimitiveList/k{i:05}")), Value::Null));
    let patch = value!({"metadata": {"labels": (Value::Object(deletes.collect()))}});
    let out = applied(doc, patch).unwrap();
    assert_eq!(out.path("metadata.labels").entries().len(), 0);
}
