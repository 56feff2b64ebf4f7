//! All recorded pods: admitted or refused at their level and version as kube-apiserver did.

use admission::pod_security::{Level, LevelVersion, Version, evaluate};
use std::io::{BufRead, BufReader};
use std::path::Path;

#[test]
fn recorded_pods_are_judged_as_recorded() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/pod-security.jsonl.gz");
    let Ok(file) = std::fs::File::open(&file) else {
        println!("skipped: no recorded pods here");
        return;
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let mut case = meta::json::parse(line.unwrap().as_bytes()).unwrap().value;
        let level = Level::parse(case["level"].str()).unwrap();
        let version = Version::parse(case["version"].str()).unwrap();
        prepare_volumes(&mut case);
        let pod = &case["pod"];
        let violations = evaluate(LevelVersion { level, version }, &pod["metadata"], &pod["spec"]);
        let expected = case["expect"].str() == "pass";
        if violations.is_empty() != expected {
            wrong.push(format!("{level:?} {version:?} {}", case["name"].str()));
        }
        count += 1;
    }
    assert_eq!(count, 4241, "all recorded pods are read");
    assert!(wrong.is_empty(), "{} of {count}: {wrong:?}", wrong.len());
}

/// The pods are recorded as they were sent; admission sees them defaulted: a volume without a source is an emptyDir.
fn prepare_volumes(case: &mut meta::Value) {
    let Some(volumes) = case.path_mut("pod.spec.volumes") else { return };
    for volume in volumes.items_mut().iter_mut().filter(|volume| volume.entries().len() == 1) {
        volume.set("emptyDir", meta::Value::object());
    }
}
