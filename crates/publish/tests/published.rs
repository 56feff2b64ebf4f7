//! The documents against those recorded from kube-apiserver 1.36.2.

use flate2::read::GzDecoder;
use meta::{Str, Value};
use publish::Documents;
use std::io::{BufRead, BufReader, Read};
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
    let mut text = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).expect("a gzip file");
    Some(parse(&text))
}

fn parse(text: &[u8]) -> Value {
    meta::json::parse(text).expect("JSON").value
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
        let ours = parse(&ours.bytes);
        assert_same(name, &ours, &theirs);
    }
}

/// The differences of one document, and how many nodes upstream's has.
fn differences(name: &str, ours: &[u8]) -> Option<json::Differences> {
    let theirs = recorded(name)?;
    let mut out = json::Differences::default();
    json::compare(name, &parse(ours), &theirs, &mut out);
    Some(out)
}

/// At least 99 % of upstream's nodes are the same. What differs is printed.
fn assert_nearly_same(found: &[json::Differences]) {
    let nodes: usize = found.iter().map(|d| d.nodes).sum();
    let different: usize = found.iter().map(json::Differences::count).sum();
    println!("{different} of {nodes} nodes differ");
    for line in found.iter().flat_map(|d| &d.lines) {
        println!("{}", line.chars().take(300).collect::<String>());
    }
    assert!(different * 100 <= nodes, "{different} of {nodes} nodes differ");
}

#[test]
fn openapi_v2_says_what_upstream_says() {
    let Some(found) = differences("openapi__v2", &documents().openapi_v2().bytes) else { return };
    assert_nearly_same(&[found]);
}

#[test]
fn openapi_v3_says_what_upstream_says() {
    let documents = documents();
    let index = parse(&documents.openapi_v3_index().bytes);
    let mut found = Vec::new();
    for (key, entry) in index["paths"].entries() {
        let document = documents.openapi_v3(key).expect("every entry of the index has a document");
        assert_eq!(entry["serverRelativeURL"].str(), format!("/openapi/v3/{key}?hash={}", document.etag));
        found.extend(differences(&format!("openapi_v3__{}", key.replace('/', "__")), &document.bytes));
    }
    assert_nearly_same(&found);
}

/// The steps and answers of a recorded scenario.
fn scenario(id: &str) -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/corpus/scenarios.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no recording {}", path.display());
        return None;
    };
    let start = format!("{{\"id\":\"{id}\"");
    let mut lines = BufReader::new(GzDecoder::new(file)).lines().map(|line| line.expect("text"));
    lines.find(|line| line.starts_with(&start)).map(|line| parse(line.as_bytes()))
}

#[test]
fn custom_resources_are_published_too() {
    let Some(scenario) = scenario("crd/openapi") else { return };
    let of = |field: &str, wanted: &dyn Fn(&Value) -> bool| {
        scenario[field].items().iter().find(|v| wanted(v)).cloned().unwrap_or_default()
    };
    let mut definition = of("steps", &|step| step["body"]["kind"].str() == "CustomResourceDefinition")["body"].clone();
    let theirs = of("want", &|answer| answer["body"].get("openapi").is_some())["body"].clone();
    let mut names = definition["spec"]["names"].clone();
    names.set("listKind", "OpenAPIList");
    definition.entry("status").set("acceptedNames", names);
    let custom = custom::descriptors(&definition, &schema::builtin()).expect("a good definition");
    let documents = Documents::new(&custom.into_iter().map(Arc::new).collect::<Vec<_>>());
    let ours = documents.openapi_v3("apis/oa.sc.example.com/v1").expect("a document");
    let mut differences = json::Differences::default();
    json::compare("custom", &parse(&ours.bytes), &theirs, &mut differences);
    differences.lines.retain(|line| !line.contains("shardRange"));
    assert!(differences.lines.is_empty(), "{:#?}", differences.lines);
    assert!(documents.openapi_v3("apis/oa.sc.example.com").is_none());
    let list = documents.resource_list("oa.sc.example.com", "v1").expect("a list");
    let verbs: Vec<&str> = list["resources"][0]["verbs"].items().iter().map(Value::str).collect();
    assert_eq!(verbs.join(","), "delete,deletecollection,get,list,patch,create,update,watch");
}

#[test]
#[ignore = "prints durations"]
fn making_times() {
    let documents = documents();
    let time = |name: &str, make: &dyn Fn() -> usize| {
        let start = std::time::Instant::now();
        let bytes = make();
        let took = start.elapsed();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        println!("{name}: {bytes} bytes in {took:?}; {peak}");
    };
    for _ in 0..3 {
        time("aggregated discovery", &|| documents.aggregated_groups().bytes.len());
        time("OpenAPI v2", &|| documents.openapi_v2().bytes.len());
        time("OpenAPI v2 protobuf", &|| documents.openapi_v2_protobuf().len());
        time("OpenAPI v3 index", &|| documents.openapi_v3_index().bytes.len());
        time("OpenAPI v3 api/v1", &|| documents.openapi_v3("api/v1").map_or(0, |d| d.bytes.len()));
    }
}
