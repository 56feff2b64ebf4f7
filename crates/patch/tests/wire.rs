//! managedFields against the recorded answers of kube-apiserver. Skipped where the recordings are not.

use flate2::read::GzDecoder;
use meta::{Gvk, Value};
use patch::managed::{self, OneVersion, ResetFields, Target};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

/// Calls `visit` for each recorded object case; says so and does nothing when there are none.
fn cases(mut visit: impl FnMut(&Value)) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/wire/corpus/objects.jsonl.gz");
    let Ok(file) = File::open(path) else {
        println!("skipped: no recordings beside the repository");
        return;
    };
    let out = GzDecoder::new(file);
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        if let Ok(parsed) = meta::json::parse(line.as_bytes()) {
            visit(&parsed.value);
        }
    }
}

/// Kinds whose objects admission or the registry changes after the fields were recorded: their answers say less.
const CHANGED_AFTERWARDS: [&str; 12] = [
    "Pod",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "StatefulSet",
    "Job",
    "CertificateSigningRequest",
    "Namespace",
    "CSIDriver",
    "VolumeAttributesClass",
    "Lease",
    "Node",
];

#[test]
fn creates_record_what_upstream_recorded() {
    let schema = schema::builtin();
    let reset = ResetFields::new(&["status"]);
    let mut by_kind: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
    cases(|case| {
        let want = &case["want"];
        let changed = CHANGED_AFTERWARDS.contains(&case["kind"].str());
        if case["op"].str() != "create" || want["code"].int() != 201 || changed {
            return;
        }
        let mut object = want["body"].clone();
        let entry = object["metadata"]["managedFields"][0].clone();
        if entry.is_null() {
            return;
        }
        let gvk = Gvk::from_api_version(object["apiVersion"].str(), object["kind"].str());
        let Some(type_id) = schema.kind(&gvk) else { return };
        object.entry("metadata").remove("managedFields");
        object.entry("metadata").remove("uid");
        let now = "<now>";
        let target =
            Target { schema: &schema, type_id, gvk: &gvk, subresource: "", reset: &reset, now, versions: &OneVersion };
        managed::record_update(&target, None, &mut object, entry["manager"].str(), false);
        let got = &object["metadata"]["managedFields"][0];
        let tally = by_kind.entry(gvk.to_string()).or_default();
        tally.0 += 1;
        if *got == entry {
            tally.1 += 1;
        } else if tally.2.is_empty() {
            tally.2 = format!(
                "{}\n  want {}\n  got  {}",
                case["id"].str(),
                meta::json::to_string(&entry["fieldsV1"]),
                meta::json::to_string(&got["fieldsV1"])
            );
        }
    });
    let (mut all, mut same) = (0, 0);
    for (kind, (n, ok, example)) in &by_kind {
        all += n;
        same += ok;
        if n != ok {
            println!("{kind}: {ok} of {n}; {example}");
        }
    }
    println!("{same} of {all}");
    // The rest were sent with an empty list where the answer, after storage, has null.
    assert!(same * 100 >= all * 97, "{same} of {all}");
}

/// The recordings replace what no two servers share by marks; here is what can be read again.
fn denormal(value: Value) -> Value {
    match value {
        Value::String(s) if s == "<now>" => NOW.into(),
        Value::String(s) if s == "<port>" => Value::Int(30_000),
        Value::Array(items) => Value::Array(items.into_iter().map(denormal).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, denormal(v))).collect()),
        other => other,
    }
}

const NOW: &str = "2026-01-02T03:04:05Z";

/// The stored object of each base, as the server answered its create.
fn stored_objects() -> BTreeMap<String, Value> {
    let mut stored = BTreeMap::new();
    cases(|case| {
        let id = case["id"].str();
        if case["op"].str() == "create" && case["want"]["code"].int() == 201 && id.ends_with(":create:base") {
            stored.insert(case["base"].str().to_string(), denormal(case["want"]["body"].clone()));
        }
    });
    stored
}

/// The recordings hold causes sorted.
fn sorted_causes(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(causes) = status.path_mut("details.causes") {
        causes.items_mut().sort_by_key(meta::json::to_string);
    }
    status
}

/// How many cases of a group agree, with the first that does not.
#[derive(Default)]
struct Tally {
    all: usize,
    same: usize,
    examples: Vec<String>,
}

impl Tally {
    fn add(&mut self, id: &str, want: &Value, got: &Value) {
        self.all += 1;
        let (want, got) = (&sorted_causes(want), &sorted_causes(got));
        if want == got {
            self.same += 1;
        } else if self.examples.len() < 5 {
            let text = meta::json::to_string;
            self.examples.push(format!("{id}\n   want {}\n   got  {}", text(want), text(got)));
        }
    }
}

fn report(tallies: &BTreeMap<String, Tally>) {
    for (name, tally) in tallies {
        println!("{name}: {} of {}", tally.same, tally.all);
        for example in &tally.examples {
            println!("  {example}");
        }
    }
}

/// What does not agree are names of Go's string types, and what the registry does besides.
fn check(tallies: &BTreeMap<String, Tally>) {
    for (name, tally) in tallies.iter().filter(|(name, _)| !name.ends_with("object") && !name.starts_with("no ")) {
        assert!(tally.same * 100 >= tally.all * 90, "{name}: {} of {}", tally.same, tally.all);
    }
}

#[test]
fn applies_answer_what_upstream_answered() {
    let schema = schema::builtin();
    let reset = ResetFields::new(&["status"]);
    let stored = stored_objects();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    cases(|case| {
        if case["op"].str() != "apply" {
            return;
        }
        let Some(live) = stored.get(case["base"].str()) else { return };
        let (want, code) = (&denormal(case["want"]["body"].clone()), case["want"]["code"].int());
        let Ok(applied) = meta::json::parse(case["body"].str().as_bytes()) else { return };
        let gvk = Gvk::from_api_version(live["apiVersion"].str(), live["kind"].str());
        let Some(type_id) = schema.kind(&gvk) else { return };
        let now = NOW;
        let target =
            Target { schema: &schema, type_id, gvk: &gvk, subresource: "", reset: &reset, now, versions: &OneVersion };
        let force = case["query"].str().contains("force=true");
        let id = case["id"].str();
        let answer = managed::apply(&target, Some(live), &applied.value, "wire", force)
            .and_then(|object| managed::check_readable(&target, &applied.value, &object).map(|()| object));
        match answer {
            Err(status) => {
                let name = format!("error {}", status.code);
                tallies.entry(name).or_default().add(id, want, &status.to_value());
            }
            Ok(object) if code == 200 => {
                let got = object["metadata"]["managedFields"].items().iter().find(|e| e["operation"].str() == "Apply");
                let want = &want["metadata"]["managedFields"];
                let want = want.items().iter().find(|e| e["operation"].str() == "Apply");
                tallies.entry("entry".into()).or_default().add(id, &want.into(), &got.into());
            }
            Ok(_) if [409, 500].contains(&code) => {
                tallies.entry(format!("no error {code}")).or_default().add(id, want, &Value::Null);
            }
            Ok(_) => {}
        }
    });
    report(&tallies);
    check(&tallies);
}

#[test]
fn patches_answer_what_upstream_answered() {
    let schema = schema::builtin();
    let stored = stored_objects();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    cases(|case| {
        let op = case["op"].str();
        let strategic = op == "strategic";
        if !strategic && op != "merge" {
            return;
        }
        let Some(live) = stored.get(case["base"].str()) else { return };
        let (want, code) = (&denormal(case["want"]["body"].clone()), case["want"]["code"].int());
        let gvk = Gvk::from_api_version(live["apiVersion"].str(), live["kind"].str());
        let Some(type_id) = schema.kind(&gvk) else { return };
        let (id, body) = (case["id"].str(), case["body"].clone());
        let plain = |mut v: Value| {
            for key in ["managedFields", "resourceVersion", "generation"] {
                v.entry("metadata").remove(key);
            }
            v
        };
        let patched = if strategic {
            patch::strategic::apply(&schema, type_id, live.clone(), body.clone())
        } else {
            Ok(patch::merge::apply(live.clone(), body.clone()))
        };
        let unread = patched.as_ref().ok().and_then(|v| patch::strategic::restore(&schema, type_id, v).err());
        match (patched, unread) {
            (Err(status), _) => {
                tallies.entry(format!("{op} error")).or_default().add(id, want, &status.to_value());
            }
            (Ok(_), Some(why)) if strategic => {
                let status = patch::strategic::unusable(&body, &why);
                tallies.entry(format!("{op} unread")).or_default().add(id, want, &status.to_value());
            }
            (Ok(object), None) if code == 200 => {
                tallies.entry(format!("{op} object")).or_default().add(id, &plain(want.clone()), &plain(object));
            }
            _ => {}
        }
    });
    report(&tallies);
    check(&tallies);
}
