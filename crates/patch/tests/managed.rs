//! managedFields and apply: the rules that one answer alone does not show.

use meta::{Gvk, Str, Value, value};
use patch::managed::{self, Converted, OneVersion, ResetFields, Target, Versions};
use schema::Schema;
use std::sync::Arc;

struct World {
    schema: Arc<Schema>,
    gvk: Gvk,
    reset: ResetFields,
}

impl World {
    fn new(group: &str, version: &str, kind: &str) -> World {
        let gvk = Gvk::new(group, version, kind);
        World { schema: schema::builtin(), gvk, reset: ResetFields::new(&["status"]) }
    }

    fn target<'a>(&'a self, subresource: &'a str, now: &'a str) -> Target<'a> {
        let type_id = self.schema.kind(&self.gvk).expect("a kind");
        let versions = &OneVersion;
        Target { schema: &self.schema, type_id, gvk: &self.gvk, subresource, reset: &self.reset, now, versions }
    }

    /// `live` changed into `new` by `manager` at a second of one minute.
    fn update(&self, live: Option<&Value>, new: Value, manager: &str, second: usize) -> Value {
        let mut new = new;
        let now = format!("2026-01-02T03:04:{second:02}Z");
        let cleared = managed::clears(&new);
        managed::record_update(&self.target("", &now), live, &mut new, manager, cleared);
        if live.is_none() {
            new.entry("metadata").set("uid", "u");
        }
        new
    }

    fn apply(&self, live: Option<&Value>, applied: &Value, manager: &str, force: bool) -> Result<Value, String> {
        let out = managed::apply(&self.target("", "2026-01-02T03:04:59Z"), live, applied, manager, force);
        out.map_err(|e| e.message).map(|mut object| {
            object.entry("metadata").set("uid", "u");
            object
        })
    }
}

fn config_map(data: Value) -> Value {
    value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

/// `manager operation: fields` of each entry.
fn entries(object: &Value) -> Vec<String> {
    let list = object["metadata"]["managedFields"].items().iter();
    let text = |e: &Value| {
        format!("{} {}: {}", e["manager"].str(), e["operation"].str(), meta::json::to_string(&e["fieldsV1"]))
    };
    list.map(text).collect()
}

#[test]
fn fields_move_to_who_changes_them() {
    let world = World::new("", "v1", "ConfigMap");
    let one = world.update(None, config_map(value!({"x": "1", "y": "1"})), "maker", 1);
    assert_eq!(entries(&one), [r#"maker Update: {"f:data":{".":{},"f:x":{},"f:y":{}}}"#]);
    let mut new = one.clone();
    new.set("data", value!({"x": "2", "z": "1"}));
    let two = world.update(Some(&one), new, "other", 2);
    let want = [r#"maker Update: {"f:data":{}}"#, r#"other Update: {"f:data":{"f:x":{},"f:z":{}}}"#];
    assert_eq!(entries(&two), want);
    let mut same = two.clone();
    same.entry("metadata").object_mut().remove("managedFields");
    let three = world.update(Some(&two), same, "third", 3);
    assert_eq!(three, two, "who changes nothing is not recorded, and who sends no managers keeps them");
}

#[test]
fn managers_are_cleared_kept_or_replaced_as_the_client_sends_them() {
    let world = World::new("", "v1", "ConfigMap");
    let live = world.update(None, config_map(value!({"x": "1"})), "maker", 1);
    let sending = |managers: Value| {
        let mut new = live.clone();
        new.entry("metadata").set("managedFields", managers);
        world.update(Some(&live), new, "m", 2)
    };
    assert!(entries(&sending(value!([]))).is_empty());
    assert!(entries(&sending(value!([{}]))).is_empty());
    assert_eq!(entries(&sending(value!([{"manager": "bad", "operation": "Sing"}]))), entries(&live));
    let mut renamed = live["metadata"]["managedFields"].clone();
    for entry in renamed.items_mut() {
        entry.set("manager", "renamed");
    }
    assert_eq!(entries(&sending(renamed)), [r#"renamed Update: {"f:data":{".":{},"f:x":{}}}"#]);
    let mut untracked = live.clone();
    untracked.entry("metadata").object_mut().remove("managedFields");
    let mut new = untracked.clone();
    new.set("data", value!({"x": "2"}));
    assert!(entries(&world.update(Some(&untracked), new, "m", 3)).is_empty(), "what has none gets none by updates");
}

#[test]
fn the_eleventh_updating_manager_makes_the_oldest_ancient() {
    let world = World::new("", "v1", "ConfigMap");
    let mut live = world.update(None, config_map(value!({"k0": "v"})), "m00", 0);
    for i in 1..13_usize {
        let mut new = live.clone();
        new.entry("data").set(&format!("k{i}"), "v");
        live = world.update(Some(&live), new, &format!("m{i:02}"), i);
    }
    let managers: Vec<&str> = live["metadata"]["managedFields"].items().iter().map(|e| e["manager"].str()).collect();
    let want = ["ancient-changes", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12"];
    assert_eq!(managers, want);
    let ancient = &live["metadata"]["managedFields"][0]["fieldsV1"]["f:data"];
    assert_eq!(ancient.entries().map(|(k, _)| k).collect::<Vec<_>>(), [".", "f:k0", "f:k1", "f:k2", "f:k3"]);
}

#[test]
fn applying_takes_shares_and_gives_back() {
    let world = World::new("", "v1", "ConfigMap");
    let one = world.apply(None, &config_map(value!({"x": "1", "y": "1"})), "one", false).unwrap();
    let conflict = world.apply(Some(&one), &config_map(value!({"x": "2", "y": "2"})), "two", false);
    let text = "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.x\n- .data.y";
    assert_eq!(conflict, Err(text.to_string()));
    let two = world.apply(Some(&one), &config_map(value!({"x": "1", "z": "1"})), "two", false).unwrap();
    let three = world.apply(Some(&two), &config_map(value!({"y": "1"})), "one", false).unwrap();
    assert_eq!(three["data"], value!({"x": "1", "y": "1", "z": "1"}), "the other manager still owns x");
    let four = world.apply(Some(&three), &config_map(value!({"z": "1"})), "two", false).unwrap();
    assert_eq!(four["data"], value!({"y": "1", "z": "1"}), "nobody owns x any more");
    let forced = world.apply(Some(&four), &config_map(value!({"y": "9", "z": "1"})), "two", true).unwrap();
    assert_eq!(entries(&forced), [r#"two Apply: {"f:data":{"f:y":{},"f:z":{}}}"#]);
    let again = world.apply(Some(&forced), &config_map(value!({"y": "9", "z": "1"})), "two", true).unwrap();
    assert_eq!(again, forced, "the same again changes nothing, not even the time");
}

#[test]
fn what_was_there_before_the_first_apply_is_owned_by_that_name() {
    let world = World::new("", "v1", "ConfigMap");
    let mut live = config_map(value!({"x": "1"}));
    live.entry("metadata").set("uid", "u");
    let conflict = world.apply(Some(&live), &config_map(value!({"x": "2"})), "one", false).unwrap_err();
    assert_eq!(conflict, "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.x");
    let shared = world.apply(Some(&live), &config_map(value!({"x": "1", "y": "1"})), "one", false).unwrap();
    let want =
        [r#"one Apply: {"f:data":{"f:x":{},"f:y":{}}}"#, r#"before-first-apply Update: {"f:data":{".":{},"f:x":{}}}"#];
    assert_eq!(entries(&shared), want);
}

#[test]
fn kubectl_takes_over_what_its_annotation_says_it_set() {
    let world = World::new("", "v1", "ConfigMap");
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let last = meta::json::to_string(&config_map(value!({"x": "1"})));
    let mut live = config_map(value!({"x": "1", "other": "1"}));
    live.entry("metadata").entry("annotations").set(annotation, last.as_str());
    let live = world.update(None, live, "kubectl-client-side-apply", 1);
    let wanted = config_map(value!({"x": "2"}));
    assert!(world.apply(Some(&live), &wanted, "else", false).is_err());
    let out = world.apply(Some(&live), &wanted, "kubectl", false).unwrap();
    assert_eq!(out["data"], value!({"x": "2", "other": "1"}));
    let kept = out["metadata"]["annotations"][annotation].str();
    assert_eq!(kept, meta::json::to_string(&wanted) + "\n");
    let other = config_map(value!({"other": "2"}));
    let refused = world.apply(Some(&live), &other, "kubectl", false).unwrap_err();
    assert!(refused.ends_with(".data.other"), "{refused}");
}

#[test]
fn items_of_keyed_lists_are_owned_one_by_one() {
    let world = World::new("apps", "v1", "Deployment");
    let deployment = |containers: Value| {
        value!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": containers}}}})
    };
    let both = value!([{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]);
    let live = world.apply(None, &deployment(both), "one", false).unwrap();
    let live = world.apply(Some(&live), &deployment(value!([{"name": "c", "image": "i"}])), "two", false).unwrap();
    let names = |object: &Value| {
        let list = &object["spec"]["template"]["spec"]["containers"];
        list.items().iter().map(|c| Str::from(c["name"].str())).collect::<Vec<_>>()
    };
    assert_eq!(names(&live), ["a", "b", "c"]);
    let live = world.apply(Some(&live), &deployment(value!([{"name": "b", "image": "i"}])), "one", false).unwrap();
    assert_eq!(names(&live), ["b", "c"]);
    let twice = deployment(value!([{"name": "b"}, {"name": "b"}]));
    let refused = world.apply(Some(&live), &twice, "one", false).unwrap_err();
    let text = "failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name=\"b\"]";
    assert_eq!(refused, text);
}

/// A second version of ConfigMap whose `data` is called `items`: enough for entries written in it.
struct Renamed(Arc<Schema>);

impl Versions for Renamed {
    fn convert(&self, object: &Value, api_version: &str) -> Option<Converted<'_>> {
        let mut object = object.clone();
        let data = object.object_mut().remove("data");
        object.set("binaryData", data);
        let type_id = self.0.kind(&Gvk::new("", "v1", "ConfigMap"))?;
        (api_version == "v2").then_some(Converted { object, schema: &self.0, type_id })
    }

    fn convert_back(&self, mut object: Value, _api_version: &str) -> Option<Value> {
        let data = object.object_mut().remove("binaryData");
        object.set("data", data);
        Some(object)
    }
}

#[test]
fn entries_of_other_versions_survive_and_those_of_unknown_ones_go() {
    let world = World::new("", "v1", "ConfigMap");
    let renamed = Renamed(world.schema.clone());
    let entry = |manager: &str, version: &str, fields: Value| value!({"manager": manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": fields});
    let mut live = config_map(value!({"x": "1", "y": "1"}));
    let other = entry("other", "v2", value!({"f:binaryData": {"f:x": {}, "f:y": {}}}));
    let unknown = entry("gone", "v0", value!({"f:data": {"f:x": {}}}));
    live.entry("metadata").set("uid", "u");
    live.entry("metadata").set("managedFields", value!([other, unknown]));
    let mut new = live.clone();
    new.set("data", value!({"x": "2", "y": "1"}));
    let target = Target { versions: &renamed, ..world.target("", "2026-01-02T03:04:05Z") };
    managed::record_update(&target, Some(&live), &mut new, "m", false);
    let want = [r#"other Apply: {"f:binaryData":{"f:y":{}}}"#, r#"m Update: {"f:data":{"f:x":{}}}"#];
    assert_eq!(entries(&new), want);
    let applied = config_map(value!({"y": "9"}));
    let refused = managed::apply(&target, Some(&new), &applied, "me", false).unwrap_err();
    assert!(refused.message.ends_with("conflict with \"other\": .binaryData.y"), "{}", refused.message);
}

#[test]
fn times_alone_are_no_change() {
    let world = World::new("", "v1", "ConfigMap");
    let live = world.update(None, config_map(value!({"x": "1"})), "m", 1);
    let mut new = live.clone();
    for entry in new.path_mut("metadata.managedFields").unwrap().items_mut() {
        entry.set("time", "2027-01-01T00:00:00Z");
    }
    let mut changed = new.clone();
    managed::keep_times_of_no_change(&live, &mut new);
    assert_eq!(new, live);
    changed.set("data", value!({"x": "2"}));
    managed::keep_times_of_no_change(&live, &mut changed);
    assert_ne!(changed["metadata"]["managedFields"], live["metadata"]["managedFields"]);
}

#[test]
fn scale_sees_and_moves_the_owners_of_replicas() {
    let world = World::new("apps", "v1", "Deployment");
    let spec = value!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1, "paused": true}});
    let parent = world.apply(None, &spec, "one", false).unwrap();
    let path = |version: &str| (version == "apps/v1").then(|| Str::from("spec.replicas"));
    let mut scale =
        value!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"uid": "u"}, "spec": {"replicas": 1}});
    managed::entries_of_scale(&parent, &mut scale, &path);
    assert_eq!(entries(&scale), [r#"one Apply: {"f:spec":{"f:replicas":{}}}"#]);
    let scaling = World::new("autoscaling", "v1", "Scale");
    let mut more = scale.clone();
    more.entry("spec").set("replicas", 5);
    let target = Target { subresource: "scale", ..scaling.target("scale", "2026-01-02T03:04:05Z") };
    managed::record_update(&target, Some(&scale), &mut more, "hpa", false);
    let mut parent = parent;
    managed::entries_of_parent(&more, &mut parent, "apps/v1", &path);
    let want = [r#"one Apply: {"f:spec":{"f:paused":{}}}"#, r#"hpa Update: {"f:spec":{"f:replicas":{}}}"#];
    assert_eq!(entries(&parent), want);
    assert_eq!(parent["metadata"]["managedFields"][1]["subresource"].str(), "scale");
}
