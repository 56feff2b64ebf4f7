//! The documents against those recorded from kube-apiserver 1.36.2.

use flate2::read::GzDecoder;
use meta::{Str, Value};
use publish::Documents;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

mod json;

fn documents() -> Documents {
    let descriptors: Vec<_> = resources::all(&schema::builtin()).into_iter().map(Arc::new).collect();
    Documents::new(&descriptors)
}

/// A recorded document; `None`, with a printed line, when the recordings are not there.
fn recorded(name: &str) -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/wire/published")
        .join(format!("{name}.json.gz"));
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: no recording {}", path.display());
        return None;
    };
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("a gzip file");
    Some(json::parse(&text))
}

fn assert_same(name: &str, ours: &Value, theirs: &Value) {
    let mut differences = json::Differences::default();
    json::compare(name, ours, theirs, &mut differences);
    let shown: Vec<_> = differences.lines.iter().take(30).collect();
    assert!(shown.is_empty(), "{} differences in {name}:\n{shown:#?}", differences.lines.len());
}

#[test]
fn group_versions_list_their_resources() {
    let documents = documents();
    let Some(groups) = recorded("apis") else { return };
    assert_same("apis", &documents.group_list(), &groups);
    let mut served = vec![(Str::default(), Str::from("v1"), "api__v1".to_string())];
    for group in groups["groups"].items() {
        let name = group["name"].str();
        let file = format!("apis__{name}");
        assert_same(&file, &documents.group(name).unwrap_or_default(), &recorded(&file).expect("recorded"));
        for version in group["versions"].items() {
            let version = version["version"].str();
            served.push((name.into(), version.into(), format!("{file}__{version}")));
        }
    }
    for (group, version, file) in served {
        let ours = documents.resource_list(&group, &version).unwrap_or_default();
        assert_same(&file, &ours, &recorded(&file).expect("recorded"));
    }
}

#[test]
fn the_core_versions_carry_the_server_address() {
    let Some(theirs) = recorded("api") else { return };
    let address = theirs["serverAddressByClientCIDRs"][0]["serverAddress"].str();
    assert_same("api", &documents().api_versions(address), &theirs);
}

#[test]
fn aggregated_discovery_has_everything_in_one_document() {
    let documents = documents();
    for (ours, name) in
        [(documents.aggregated_core(), "aggregated_v2__api"), (documents.aggregated_groups(), "aggregated_v2__apis")]
    {
        let Some(theirs) = recorded(name) else { return };
        let ours = json::parse(std::str::from_utf8(&ours.bytes).expect("UTF-8"));
        assert_same(name, &ours, &theirs);
    }
}
