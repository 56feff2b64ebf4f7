//! Rows of tables are made from the fields that a kind names, and are those that the whole object gives.

use codec::table::{IncludeObject, Tabler};
use meta::time::Timestamp;
use meta::{Value, json};
use resource::Descriptor;
use std::path::Path;

/// Objects of a kind: the one with every field filled, and those that the recorded cases begin with.
fn samples(directory: &Path, descriptor: &Descriptor) -> Vec<Value> {
    let gvk = &descriptor.storage;
    let group = if gvk.group.is_empty() { String::new() } else { format!("{}.", gvk.group) };
    let filled = directory.join("roundtrip").join(format!("{group}{}.{}.json", gvk.version, gvk.kind));
    let mut texts: Vec<Vec<u8>> = std::fs::read(filled).into_iter().collect();
    for file in std::fs::read_dir(directory.join("bases")).into_iter().flatten().flatten() {
        let cases = json::parse(&std::fs::read(file.path()).expect("a readable file")).expect("well formed").value;
        let objects = cases.items().iter().map(|case| &case["object"]);
        let own = objects.filter(|o| o["kind"].str() == gvk.kind && o["apiVersion"].str() == gvk.api_version());
        texts.extend(own.map(json::to_vec));
    }
    let decoded = texts.iter().map(|text| codec::decode_json(&descriptor.schema, descriptor.storage_type_id, text));
    decoded.filter_map(Result::ok).map(|decoded| decoded.value).collect()
}

/// The object without one of its parts, for each part: what a cell falls back to is read, too.
fn without_parts(object: &Value) -> Vec<Value> {
    let mut thinner = vec![object.clone()];
    for (key, part) in object.entries() {
        for (name, inner) in part.entries() {
            let mut one = object.clone();
            one.entry(key).remove(name);
            thinner.push(one);
            for (index, item) in inner.items().iter().enumerate() {
                for (field, _) in item.entries() {
                    let mut one = object.clone();
                    let items = one.entry(key).entry(name).items_mut();
                    items[index].remove(field);
                    thinner.push(one);
                }
            }
        }
    }
    thinner
}

#[test]
fn rows_from_the_named_fields_are_those_from_the_whole_object() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire");
    if !directory.is_dir() {
        println!("skipped: {} is absent", directory.display());
        return;
    }
    let now = Timestamp { seconds: 1_800_000_000, nanos: 0 };
    let mut kinds = 0;
    for descriptor in resources::all(&schema::builtin()) {
        if descriptor.cell_fields.is_empty() || descriptor.convert.is_some() {
            continue;
        }
        kinds += 1;
        let mut tabler = Tabler::new(&descriptor, "v1", IncludeObject::None);
        let samples = samples(&directory, &descriptor);
        assert!(samples.len() > 1, "{} has no samples", descriptor.kind);
        for object in samples.iter().flat_map(without_parts) {
            let message = codec::encode_message(&descriptor.schema, descriptor.storage_type_id, &object);
            let (mut want, mut got) = (Vec::new(), Vec::new());
            tabler.open_row(&object, now, &mut want);
            tabler.open_stored_row(&descriptor, &message, now, &mut got).expect("well formed");
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&want), "{}", json::to_string(&object));
        }
    }
    assert!(kinds > 5, "{kinds}");
}
