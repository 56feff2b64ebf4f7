//! Collects the descriptions of types and fields that OpenAPI publishes from the sources of published crates, so that
//! none is committed here. Written compressed to `descriptions.z`; the format is in `src/descriptions.rs`.

use flate2::{Compression, write::ZlibEncoder};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use upstream::{doc, openapi, proto};

/// Description of a type ("" as field) and of its fields, by type.
type Descriptions = BTreeMap<String, BTreeMap<String, String>>;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("Cargo.toml");
    let mut found = Descriptions::new();
    let sources =
        upstream::package("k8s-openapi", &manifest).expect("k8s-openapi's source, which `cargo fetch` brings");
    for file in upstream::files(&sources.join("src/v1_36"), ".rs").expect("a directory") {
        read_openapi(&std::fs::read_to_string(file).expect("a text"), &mut found);
    }
    let sources = upstream::package("k8s-rs-pb", &manifest).expect("k8s-rs-pb's source, which `cargo fetch` brings");
    read_protos(&sources.join("src/v1_35"), &mut found);
    describe_new_lists(&mut found);
    write(&found);
}

fn read_openapi(text: &str, found: &mut Descriptions) {
    let Some((name, schema)) = openapi::read(text) else { return };
    let fields = found.entry(name).or_default();
    fields.insert(String::new(), schema["description"].str().to_string());
    for (field, property) in schema["properties"].entries() {
        fields.insert(field.to_string(), property["description"].str().to_string());
    }
}

/// What k8s-openapi lacks or words otherwise: lists, options, a few types of apimachinery.
fn read_protos(dir: &Path, found: &mut Descriptions) {
    let packages: BTreeSet<String> =
        found.keys().filter_map(|name| name.rsplit_once('.')).map(|(p, _)| p.to_string()).collect();
    let mut protos = BTreeMap::new();
    for file in upstream::files(dir, ".proto").expect("a directory") {
        let (package, messages) = proto::read(&std::fs::read_to_string(file).expect("a text"));
        let package = format!(
            "io.k8s.{}",
            package.replace("_apiserver.", "-apiserver.").replace("kube_aggregator.", "kube-aggregator.")
        );
        protos.extend(messages.into_iter().map(|(name, message)| ((package.clone(), name), message)));
    }
    let meta = "io.k8s.apimachinery.pkg.apis.meta.v1".to_string();
    let type_meta = protos.get(&(meta, "TypeMeta".into())).map(describe).unwrap_or_default();
    for ((package, name), message) in &protos {
        let full = format!("{package}.{name}");
        let reworded = ["Quantity", "IntOrString", "WatchEvent"].contains(&name.as_str());
        let lacking = packages.contains(package) && !found.contains_key(&full);
        if !reworded && !lacking {
            continue;
        }
        let mut fields = type_meta.clone();
        fields.extend(describe(message));
        found.insert(full, fields);
    }
}

/// Lists of versions that are newer than the protos have the description that another version's list has.
fn describe_new_lists(found: &mut Descriptions) {
    let version = |name: &str| name.split('.').nth(4).unwrap_or_default().to_string();
    let lists: Vec<(String, BTreeMap<String, String>)> = found
        .iter()
        .filter(|(name, _)| name.ends_with("List"))
        .map(|(name, fields)| (name.clone(), fields.clone()))
        .collect();
    for (name, fields) in lists {
        for other in ["v1", "v1beta1", "v1beta2", "v1alpha1", "v1alpha2", "v1alpha3"] {
            let other = name.replace(&format!(".{}.", version(&name)), &format!(".{other}."));
            if found.contains_key(other.trim_end_matches("List")) {
                found.entry(other).or_insert_with(|| fields.clone());
            }
        }
    }
}

fn describe(message: &proto::Message) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<_, _> =
        message.fields.iter().map(|f| (f.name.clone(), doc::description(&f.comment))).collect();
    fields.insert(String::new(), doc::description(&message.comment));
    fields
}

fn write(found: &Descriptions) {
    let mut text = String::new();
    for (name, fields) in found {
        text.push('\u{1}');
        text.push_str(name);
        for (field, description) in fields.iter().filter(|(_, description)| !description.is_empty()) {
            for part in ["\u{2}", field, "\u{3}", description] {
                text.push_str(part);
            }
        }
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo")).join("descriptions.z");
    let file = std::fs::File::create(out).expect("a file");
    let mut encoder = ZlibEncoder::new(file, Compression::best());
    encoder.write_all(text.as_bytes()).expect("written");
    encoder.finish().expect("written");
}
