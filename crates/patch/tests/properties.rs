//! What holds for any documents, objects and sets.

mod generate;

use generate::{Dice, any, object};
use meta::{Gvk, Map, Value, value};
use patch::fields::Set;
use patch::managed::{self, OneVersion, ResetFields, Target};
use patch::typed::Typed;
use schema::{Schema, TypeId};
use std::collections::BTreeSet;

type Paths = BTreeSet<Vec<String>>;

fn some_paths(dice: &mut Dice) -> Paths {
    let path = |dice: &mut Dice| {
        (0..=dice.below(3)).map(|_| dice.pick(&["f:a", "f:b", "f:c", "v:1", "k:{\"n\":\"x\"}"]).to_string()).collect()
    };
    (0..dice.below(12)).map(|_| path(dice)).collect()
}

fn set_of(paths: &Paths) -> Set {
    let mut set = Set::default();
    for path in paths {
        set.insert(&path.iter().map(String::as_str).collect::<Vec<_>>());
    }
    set
}

fn paths_of(set: &Set) -> Paths {
    let mut out = Paths::new();
    set.visit_paths(&mut Vec::new(), &mut |path| {
        out.insert(path.iter().map(ToString::to_string).collect());
    });
    out
}

/// Whether `path` or a path on the way to it is in `paths`.
fn covered(paths: &Paths, path: &[String]) -> bool {
    (1..=path.len()).any(|n| paths.contains(&path[..n]))
}

#[test]
fn sets_are_sets_of_paths() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..5_000 {
        let (a, b) = (some_paths(&mut dice), some_paths(&mut dice));
        let (left, right) = (set_of(&a), set_of(&b));
        assert_eq!(paths_of(&left), a);
        assert_eq!((left.len(), left.is_empty()), (a.len(), a.is_empty()));
        assert_eq!(Set::decode(&left.to_value()), Ok(left.clone()));
        assert_eq!(Set::from_stored(left.to_value().plain()), left);
        assert_eq!(Set::from_stored(&left.to_value()), left);
        let mut all = left.clone();
        all.merge(right.clone());
        assert_eq!(paths_of(&all), &a | &b);
        assert_eq!(all, set_of(&(&a | &b)), "one form for one set");
        assert_eq!(left.intersection(&right), set_of(&(&a & &b)));
        assert_eq!(left.is_within(&right), a.is_subset(&b));
        assert!(left.is_within(&all) && left.intersection(&right).is_within(&left));
        let mut rest = left.clone();
        rest.remove(&right);
        assert_eq!(rest, set_of(&(&a - &b)));
        let mut rest = left.clone();
        rest.remove_trees(&right);
        assert_eq!(rest, set_of(&a.iter().filter(|p| !covered(&b, p)).cloned().collect()));
        let last = a.iter().filter(|p| !a.iter().any(|q| q.len() > p.len() && q.starts_with(p))).cloned().collect();
        assert_eq!(left.leaves(), set_of(&last));
    }
}

/// RFC 7386 as it is written.
fn merge_patched(doc: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut out = if let Value::Object(doc) = doc { doc.clone() } else { Map::new() };
    for (name, value) in patch.iter() {
        if value.is_null() {
            out.remove(name);
        } else {
            let merged = merge_patched(&out.get(name).cloned().unwrap_or_default(), value);
            out.insert(name, merged);
        }
    }
    Value::Object(out)
}

#[test]
fn merge_patches_are_the_rfc_and_idempotent() {
    let mut dice = Dice(7);
    for _ in 0..20_000 {
        let (doc, patch) = (any(&mut dice, 0, false), any(&mut dice, 0, true));
        if !matches!((&doc, &patch), (Value::Object(_), Value::Object(_))) {
            continue;
        }
        let once = patch::merge::apply(doc.clone(), patch.clone());
        assert_eq!(once, merge_patched(&doc, &patch), "{doc:?} {patch:?}");
        assert_eq!(patch::merge::apply(once.clone(), patch.clone()), once, "{doc:?} {patch:?}");
    }
}

/// Every place of a document as JSON pointer.
fn pointers(at: &str, value: &Value, out: &mut Vec<String>) {
    out.push(at.to_string());
    for (name, value) in value.entries() {
        pointers(&format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), value, out);
    }
    for (i, value) in value.items().iter().enumerate() {
        pointers(&format!("{at}/{i}"), value, out);
    }
}

#[test]
fn json_patches_undo_each_other() {
    let mut dice = Dice(11);
    for _ in 0..5_000 {
        let doc = value!({"r": (any(&mut dice, 0, true))});
        let mut places = Vec::new();
        pointers("", &doc, &mut places);
        places.remove(0);
        let place = &places[dice.below(places.len())];
        let mut new = doc.clone();
        let copied =
            value!([{"op": "copy", "from": place, "path": "/copy"}, {"op": "move", "from": "/copy", "path": "/moved"}]);
        patch::json::apply(&mut new, copied.items()).expect("places that are there");
        let found = new["moved"].clone();
        let back = value!([
            {"op": "test", "path": place, "value": (found.clone())}, {"op": "remove", "path": "/moved"},
            {"op": "replace", "path": place, "value": "other"}, {"op": "test", "path": place, "value": "other"},
            {"op": "remove", "path": place}, {"op": "add", "path": place, "value": found}
        ]);
        patch::json::apply(&mut new, back.items()).unwrap_or_else(|e| panic!("{place} of {doc:?}: {}", e.message));
        assert_eq!(new, doc, "{place}");
        let bad = value!([{"op": "remove", "path": place}, {"op": "test", "path": "/r", "value": {"never": "this"}}]);
        assert!(patch::json::apply(&mut new, bad.items()).is_err());
    }
}

const KINDS: [(&str, &str, &str); 9] = [
    ("", "v1", "Pod"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "PersistentVolume"),
    ("apps", "v1", "Deployment"),
    ("batch", "v1", "CronJob"),
    ("networking.k8s.io", "v1", "Ingress"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
];

struct Kind<'a> {
    schema: &'a Schema,
    id: TypeId,
    gvk: Gvk,
    reset: ResetFields,
}

impl<'a> Kind<'a> {
    fn each(schema: &'a Schema) -> impl Iterator<Item = Kind<'a>> {
        KINDS.iter().map(|(group, version, kind)| {
            let gvk = Gvk::new(group, version, kind);
            Kind { schema, id: schema.kind(&gvk).expect("a kind"), gvk, reset: ResetFields::new(&["status"]) }
        })
    }

    fn target(&self) -> Target<'_> {
        let (now, versions) = ("2026-01-02T03:04:05Z", &OneVersion);
        Target {
            schema: self.schema,
            type_id: self.id,
            gvk: &self.gvk,
            subresource: "",
            reset: &self.reset,
            now,
            versions,
        }
    }

    fn apply(&self, live: Option<&Value>, applied: &Value, manager: &str) -> Value {
        let object = managed::apply(&self.target(), live, applied, manager, true);
        let mut object =
            object.unwrap_or_else(|e| panic!("{}: {}\n{}", self.gvk, e.message, meta::json::to_string(applied)));
        object.entry("metadata").set("uid", "u");
        object
    }

    fn update(&self, live: Option<&Value>, mut new: Value, manager: &str) -> Value {
        managed::record_update(&self.target(), live, &mut new, manager, false);
        new.entry("metadata").set("uid", "u");
        new
    }
}

/// What a manager owns, or all of them.
fn owned(object: &Value, manager: Option<&str>) -> Set {
    let mut all = Set::default();
    let entries = object["metadata"]["managedFields"].items().iter();
    entries
        .filter(|e| manager.is_none_or(|m| e["manager"].str() == m))
        .for_each(|e| all.merge(Set::from_stored(&e["fieldsV1"])));
    all
}

/// The paths of a set that an object with the fields `there` does not have. Fields name the ends of paths.
fn absent(set: &Set, there: &Set) -> Vec<Vec<String>> {
    let there = paths_of(there);
    let missing = |path: &Vec<String>| there.range(path.clone()..).next().is_none_or(|next| !next.starts_with(path));
    paths_of(set).into_iter().filter(missing).collect()
}

/// The fields of an object, those that hold others included.
fn all_fields(typed: &Typed, object: &Value) -> Set {
    typed.compare(&Value::object(), object).expect("keys").added
}

/// Without nulls and what holds nothing.
fn without_nothing(value: Value) -> Value {
    let keep = |value: &Value| !value.is_null() && !value.is_empty();
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(k, v)| (k, without_nothing(v))).filter(|(_, v)| keep(v)).collect())
        }
        Value::Array(items) => items.into_iter().map(without_nothing).collect::<Vec<_>>().into(),
        other => other,
    }
}

fn without_managers(mut object: Value) -> Value {
    object.entry("metadata").remove("managedFields");
    object
}

#[test]
fn strategic_patches_are_idempotent() {
    let schema = schema::builtin();
    let mut dice = Dice(13);
    let mut done = 0;
    for kind in Kind::each(&schema) {
        for _ in 0..150 {
            let (doc, patch) = (object(&schema, kind.id, &mut dice), object(&schema, kind.id, &mut dice));
            let Ok(once) = patch::strategic::apply(&schema, kind.id, doc.clone(), patch.clone()) else { continue };
            let twice = patch::strategic::apply(&schema, kind.id, once.clone(), patch.clone());
            assert_eq!(twice, Ok(once), "{}\n{}", meta::json::to_string(&doc), meta::json::to_string(&patch));
            done += 1;
        }
    }
    assert!(done > 800, "{done}");
}

#[test]
fn applied_objects_are_owned_kept_and_taken_away() {
    let schema = schema::builtin();
    let mut dice = Dice(17);
    for kind in Kind::each(&schema) {
        let typed = Typed::new(&schema, kind.id);
        for _ in 0..120 {
            let (one, other) = (object(&schema, kind.id, &mut dice), object(&schema, kind.id, &mut dice));
            let shown = || format!("{}\n{}", meta::json::to_string(&one), meta::json::to_string(&other));
            let created = kind.apply(None, &one, "one");
            assert_eq!(kind.apply(Some(&created), &one, "one"), created, "twice is once\n{}", shown());
            let both = kind.apply(Some(&created), &other, "other");
            assert_eq!(typed.merge(&both, &other), both, "the last one's values are there\n{}", shown());
            let applied = all_fields(&typed, &other);
            assert_eq!(
                absent(&owned(&both, Some("other")), &applied),
                Vec::<Vec<String>>::new(),
                "nobody owns what they did not apply\n{}",
                shown()
            );
            let there = all_fields(&typed, &both);
            assert_eq!(
                absent(&owned(&both, None), &there),
                Vec::<Vec<String>>::new(),
                "nobody owns what is not there\n{}",
                shown()
            );
            // Taking back everything leaves what the first one has.
            let nothing = value!({"apiVersion": (other["apiVersion"].clone()), "kind": (other["kind"].clone()), "metadata": {"name": "a"}});
            let alone = kind.apply(Some(&both), &nothing, "other");
            let again = kind.apply(Some(&alone), &one, "one");
            let fields =
                |object: &Value| typed.collect(&without_nothing(without_managers(object.clone()))).expect("keys");
            assert_eq!(fields(&again), fields(&created), "\n{}", shown());
        }
    }
}

#[test]
fn every_update_leaves_each_field_an_owner_and_owners_only_fields() {
    let schema = schema::builtin();
    let mut dice = Dice(19);
    for kind in Kind::each(&schema) {
        let typed = Typed::new(&schema, kind.id);
        for _ in 0..120 {
            let (one, other) = (object(&schema, kind.id, &mut dice), object(&schema, kind.id, &mut dice));
            let created = kind.update(None, one.clone(), "one");
            let mut same = without_managers(created.clone());
            same = kind.update(Some(&created), same, "other");
            assert_eq!(same, created, "who changes nothing owns nothing");
            let mut new = other.clone();
            new.entry("metadata").set("uid", "u");
            let updated = kind.update(Some(&created), new, "other");
            let shown = || format!("{}\n{}", meta::json::to_string(&one), meta::json::to_string(&other));
            assert_eq!(
                absent(&owned(&updated, None), &all_fields(&typed, &updated)),
                Vec::<Vec<String>>::new(),
                "{}",
                shown()
            );
            assert_eq!(
                absent(&owned(&updated, Some("one")), &all_fields(&typed, &one)),
                Vec::<Vec<String>>::new(),
                "{}",
                shown()
            );
            let change = typed.compare(&one, &other).expect("keys");
            let mut taken = change.added.clone();
            taken.merge(change.modified.clone());
            taken.remove(&owned(&updated, Some("other")));
            let left: Vec<_> =
                paths_of(&taken).into_iter().filter(|p| !["f:metadata", "f:kind"].contains(&p[0].as_str())).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

#[test]
fn creators_own_what_a_comparison_with_nothing_finds() {
    let schema = schema::builtin();
    let mut dice = Dice(23);
    for kind in Kind::each(&schema) {
        let nothing = Typed::new(&schema, kind.id).zero();
        for n in 0..200 {
            let mut new = object(&schema, kind.id, &mut dice);
            new.set("status", object(&schema, kind.id, &mut dice)["spec"].clone());
            new.entry("metadata").set("generateName", "<&");
            let Kind { id, ref gvk, .. } = kind;
            let reset = ResetFields::new([&["status"][..], &[], &["metadata.labels", "spec.x"]][n % 3]);
            let kind = Kind { schema: &schema, id, gvk: gvk.clone(), reset };
            let told = kind.update(None, new.clone(), "one");
            let compared = kind.update(Some(&nothing), new, "one");
            let text = |object: &Value| meta::json::to_string(&object["metadata"]["managedFields"]);
            assert_eq!(text(&told), text(&compared));
        }
    }
}
