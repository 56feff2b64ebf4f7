//! Malformed and hostile bodies: whatever comes in, the codecs answer with an error or an object that all of them agree on.

mod agree;

use agree::{Dice, agree, named};
use meta::{Gvk, json};
use std::path::Path;

/// A text with a few bytes changed, cut, repeated or put in.
fn mutated(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(out.len() + 1);
        let length = dice.below(12).min(out.len() - at);
        let pieces: [&[u8]; 12] =
            [b"null", b"{", b"]", b"\"", b"\\u", b"-1e9", b"\xff\xfe", b"\x80", b": ", b"*a", b"\x0a\x7f", b"[["];
        match dice.below(6) {
            0 => out.truncate(at),
            1 => drop(out.drain(at..at + length)),
            2 => {
                let piece = out[at..at + length].to_vec();
                out.splice(at..at, piece);
            }
            3 => drop(out.splice(at..at + length, pieces[dice.below(pieces.len())].iter().copied())),
            4 if at < out.len() => out[at] ^= 1 << dice.below(8),
            _ if at < out.len() => out[at] = dice.below(256) as u8,
            _ => {}
        }
    }
    out
}

#[test]
fn mutated_bodies_are_refused_or_agreed_upon() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/roundtrip");
    let Ok(files) = std::fs::read_dir(&directory) else {
        println!("skipped: {} is absent", directory.display());
        return;
    };
    let schema = schema::builtin();
    let mut names: Vec<_> = files.flatten().map(|f| f.path()).collect();
    names.sort();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut taken, mut refused) = (0, 0);
    for path in names {
        let body = std::fs::read(&path).expect("a readable file");
        let form = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        let json = std::fs::read(path.with_extension("json")).expect("a readable file");
        let (api_version, kind) = codec::kind_of_json(&json).expect("a kind");
        let gvk = Gvk::from_api_version(&api_version, &kind);
        let Some(ty) = schema.kind(&gvk) else { continue };
        for _ in 0..6 {
            let mutated = mutated(&mut dice, &body);
            let decoded = match form.as_str() {
                "json" => codec::decode_json(&schema, ty, &mutated),
                "yaml" => codec::decode_yaml(&schema, ty, &mutated),
                _ => codec::decode_protobuf(&schema, ty, &mutated),
            };
            match decoded {
                Ok(decoded) => {
                    taken += 1;
                    agree(&schema, ty, &gvk, &named(decoded.value, &gvk));
                }
                Err(error) => {
                    refused += 1;
                    assert!(!error.text.is_empty());
                }
            }
            if form == "pb" && mutated.len() > 4 {
                // Stored bytes that went bad: an error or some text, never more.
                let mut out = Vec::new();
                let shown = codec::Shown { gvk: Some(&gvk), resource_version: "1", proven: false };
                if codec::transcode_json(&schema, ty, &mutated[4..], &shown, &mut out).is_ok() {
                    assert!(json::parse(&out).is_ok());
                }
                let _ = codec::extract_metadata(&mutated[4..]);
                let _ = codec::protobuf_with_resource_version(&mutated, &gvk, "1");
            }
        }
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken > 300 && refused > 300, "{taken} taken, {refused} refused: the mutations are too mild or too wild");
}

/// A definition whose schema nests itself in `properties` or `items` to a depth.
fn nested_definition(depth: usize, inner: &str) -> String {
    let mut schema = "{}".to_string();
    for _ in 0..depth {
        schema = format!("{{\"type\":\"object\",{}}}", inner.replace('#', &schema));
    }
    format!(r#"{{"spec":{{"versions":[{{"name":"v1","schema":{{"openAPIV3Schema":{schema}}}}}]}}}}"#)
}

#[test]
fn deep_bodies_do_not_end_the_process() {
    let schema = schema::builtin();
    let gvk = Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let ty = schema.kind(&gvk).expect("CustomResourceDefinition");
    for inner in [r#""properties":{"a":#}"#, r#""items":#"#, r#""additionalProperties":#"#, r#""not":#"#] {
        let body = nested_definition(100, inner);
        let object = codec::decode_json(&schema, ty, body.as_bytes()).expect("deep, but not too deep").value;
        agree(&schema, ty, &gvk, &named(object, &gvk));
        let body = nested_definition(5_000, inner);
        let refused = codec::decode_json(&schema, ty, body.as_bytes()).expect_err("too deep");
        assert!(refused.text.ends_with("exceeded max depth"), "{}", refused.text);
    }
    for open in ["[", "{\"a\":", "- "] {
        let body = open.repeat(100_000);
        assert!(codec::decode_json(&schema, ty, body.as_bytes()).is_err());
        assert!(codec::parse_yaml(body.as_bytes()).is_err());
    }
}

#[test]
fn deep_messages_do_not_end_the_process() {
    let schema = schema::builtin();
    let gvk = Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let ty = schema.kind(&gvk).expect("CustomResourceDefinition");
    // JSONSchemaProps.not is field 28, within spec (2), versions (7), schema (4), openAPIV3Schema (1).
    let mut message: Vec<u8> = Vec::new();
    for number in std::iter::repeat_n(28_u32, 5_000).chain([1, 4, 7, 2]) {
        let mut outer = Vec::new();
        varint(u64::from(number) << 3 | 2, &mut outer);
        varint(message.len() as u64, &mut outer);
        outer.extend_from_slice(&message);
        message = outer;
    }
    let mut body = Vec::new();
    codec::wrap_protobuf(&gvk, &message, &mut body);
    let refused = codec::decode_protobuf(&schema, ty, &body).expect_err("too deep");
    assert_eq!(refused.text, "proto: message nested too deep");
    let shown = codec::Shown::default();
    assert!(codec::transcode_json(&schema, ty, &message, &shown, &mut Vec::new()).is_err());
}

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[test]
fn work_grows_with_the_body_and_not_with_its_square() {
    // Each of these took minutes where an entry is put into a sorted list one at a time.
    let schema = schema::builtin();
    let gvk = Gvk::new("", "v1", "ConfigMap");
    let ty = schema.kind(&gvk).expect("ConfigMap");
    let count = 100_000;
    let mut message = Vec::new();
    for i in (0..count).rev() {
        let key = format!("k{i:06}");
        let entry = [&[0x0a, key.len() as u8], key.as_bytes(), &[0x12, 0]].concat();
        message.extend_from_slice(&[0x12, entry.len() as u8]);
        message.extend_from_slice(&entry);
    }
    let mut body = Vec::new();
    codec::wrap_protobuf(&gvk, &message, &mut body);
    let object = codec::decode_protobuf(&schema, ty, &body).expect("well formed").value;
    assert_eq!(object["data"].entries().len(), count);
    let again: String = (0..count).map(|i| format!(r#""data":{{"k{i:06}":""}},"#)).collect();
    let object = codec::decode_json(&schema, ty, format!("{{{again}\"kind\":\"ConfigMap\"}}").as_bytes());
    assert_eq!(object.map(|o| o.strict), Ok(vec!["duplicate field \"data\"".to_string()]));
    let merges = "  <<: *a\n".repeat(count / 4);
    let yaml = codec::parse_yaml(format!("a: &a {{x: 1}}\nb:\n{merges}").as_bytes());
    assert!(yaml.is_ok(), "{:?}", yaml.err());
}
