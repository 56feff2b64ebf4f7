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
