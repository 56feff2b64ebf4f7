//! One object of every kind with every field filled, as upstream encodes it: each form decodes to the same tree and
//! that tree encodes to each form.

use meta::{Gvk, Value, json};
use schema::{Schema, TypeId};
use std::path::{Path, PathBuf};

/// One object in upstream's three encodings.
struct Sample {
    name: String,
    gvk: Gvk,
    ty: TypeId,
    json: Vec<u8>,
    yaml: Vec<u8>,
    protobuf: Vec<u8>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/roundtrip")
}

/// The samples whose kind the schema has; none, with a line that says so, when the files are not there.
fn samples(schema: &Schema) -> Vec<Sample> {
    let Ok(files) = std::fs::read_dir(directory()) else {
        println!("skipped: {} is absent", directory().display());
        return Vec::new();
    };
    let mut names: Vec<String> = files.flatten().map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut samples = Vec::new();
    for name in names.iter().filter_map(|n| n.strip_suffix(".json")) {
        let read = |form: &str| std::fs::read(directory().join(format!("{name}.{form}"))).expect("a readable file");
        let (json, yaml, protobuf) = (read("json"), read("yaml"), read("pb"));
        let (api_version, kind) = codec::kind_of_json(&json).expect("a kind");
        let gvk = Gvk::from_api_version(&api_version, &kind);
        let Some(ty) = schema.kind(&gvk) else {
            println!("no type for {name}");
            continue;
        };
        samples.push(Sample { name: name.to_string(), gvk, ty, json, yaml, protobuf });
    }
    assert!(samples.len() > 100, "only {} samples", samples.len());
    samples
}

/// Runs a check on every sample and names those that fail.
fn check(what: impl Fn(&Schema, &Sample) -> Result<(), String>) {
    let schema = schema::builtin();
    let failed: Vec<String> = samples(&schema)
        .iter()
        .filter_map(|sample| what(&schema, sample).err().map(|why| format!("{}: {why}", sample.name)))
        .collect();
    assert!(failed.is_empty(), "{} samples:\n{}", failed.len(), failed.join("\n"));
}

/// JSON without the difference between 1 and 1.0.
fn plain(value: &mut Value) {
    if let Value::Float(n) = value
        && n.fract() == 0.0
    {
        *value = Value::Int(*n as i64);
    }
    value.items_mut().iter_mut().for_each(plain);
    value.entries_mut().for_each(|(_, v)| plain(v));
}

fn parsed(bytes: &[u8]) -> Value {
    let mut value = json::parse(bytes).expect("well formed").value;
    plain(&mut value);
    value
}

/// Where two trees differ first.
fn difference(got: &Value, want: &Value, path: &str) -> Option<String> {
    let keys = got.entries().chain(want.entries()).map(|(k, _)| k.to_string());
    for key in keys {
        if let Some(found) = difference(&got[key.as_str()], &want[key.as_str()], &format!("{path}.{key}")) {
            return Some(found);
        }
    }
    for i in 0..got.items().len().max(want.items().len()) {
        if let Some(found) = difference(&got[i], &want[i], &format!("{path}[{i}]")) {
            return Some(found);
        }
    }
    let leaf = |v: &Value| v.as_array().is_none() && v.as_object().is_none();
    let differs = got != want && (leaf(got) || leaf(want));
    differs.then(|| format!("{path}: got {} want {}", json::to_string(got), json::to_string(want)))
}

#[test]
fn json_survives() {
    check(|schema, sample| {
        let decoded = codec::decode_json(schema, sample.ty, &sample.json).map_err(|e| e.to_string())?;
        if !decoded.strict.is_empty() {
            return Err(decoded.strict.join(", "));
        }
        let mut out = Vec::new();
        codec::encode_json(schema, sample.ty, &decoded.value, &mut out);
        match difference(&parsed(&out), &parsed(&sample.json), "") {
            Some(found) => Err(found),
            None if codec::pretty(&out) != sample.json.trim_ascii_end() => Err("the text differs".into()),
            None => Ok(()),
        }
    });
}

/// The sample's tree as protobuf's readers give it: a StatefulSet's claims have the kind that upstream's defaults put back, and
/// what is opaque, which stays as it was written, was written without spaces.
fn with_kinds_of_claims(schema: &Schema, sample: &Sample) -> Result<Value, String> {
    let mut compact = Vec::new();
    json::compact(&sample.json, &mut compact);
    let mut value = codec::decode_json(schema, sample.ty, &compact).map_err(|e| e.to_string())?.value;
    let claims = value.path_mut("spec.volumeClaimTemplates").map_or(&mut [][..], Value::items_mut);
    for claim in claims {
        claim.set("apiVersion", "v1");
        claim.set("kind", "PersistentVolumeClaim");
    }
    Ok(value)
}

#[test]
fn protobuf_survives_byte_for_byte() {
    check(|schema, sample| {
        let decoded = codec::decode_protobuf(schema, sample.ty, &sample.protobuf).map_err(|e| e.to_string())?;
        let want = with_kinds_of_claims(schema, sample)?;
        if let Some(found) = difference(&decoded.value, &want, "") {
            return Err(format!("decoded {found}"));
        }
        let mut out = Vec::new();
        codec::encode_protobuf(schema, sample.ty, &sample.gvk, &want, &mut out);
        if out != sample.protobuf {
            let at = out.iter().zip(&sample.protobuf).position(|(a, b)| a != b).unwrap_or(0);
            let show =
                |b: &[u8]| String::from_utf8_lossy(&b[at.saturating_sub(30)..(at + 60).min(b.len())]).into_owned();
            return Err(format!("encoded differs at {at}:\n {:?}\n {:?}", show(&out), show(&sample.protobuf)));
        }
        Ok(())
    });
}

#[test]
fn protobuf_transcodes_to_the_same_json() {
    check(|schema, sample| {
        let envelope = codec::Envelope::open(&sample.protobuf)?;
        let shown = codec::Shown { gvk: Some(&sample.gvk), resource_version: "", proven: false };
        let mut out = Vec::new();
        codec::transcode_json(schema, sample.ty, envelope.raw, &shown, &mut out)?;
        let mut want = Vec::new();
        codec::encode_json(schema, sample.ty, &with_kinds_of_claims(schema, sample)?, &mut want);
        if out != want {
            let found = difference(&parsed(&out), &parsed(&want), "");
            return Err(found.unwrap_or_else(|| "the text differs".into()));
        }
        Ok(())
    });
}

#[test]
fn yaml_survives_byte_for_byte() {
    check(|schema, sample| {
        let decoded = codec::decode_yaml(schema, sample.ty, &sample.yaml).map_err(|e| e.to_string())?;
        let from_json = codec::decode_json(schema, sample.ty, &sample.json).map_err(|e| e.to_string())?;
        if let Some(found) = difference(&decoded.value, &from_json.value, "") {
            return Err(format!("decoded {found}"));
        }
        if !decoded.strict.is_empty() {
            return Err(decoded.strict.join(", "));
        }
        let mut out = Vec::new();
        codec::encode_yaml(&decoded.value, &mut out);
        if out != sample.yaml {
            let (got, want) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&sample.yaml));
            let line = got.lines().zip(want.lines()).find(|(a, b)| a != b);
            return Err(format!("encoded differs: {line:?}"));
        }
        Ok(())
    });
}
