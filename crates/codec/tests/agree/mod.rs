//! What every object owes: all its forms lead back to it.

use meta::{Gvk, Value, json};
use schema::{Schema, TypeId};

/// A small generator of numbers: the same mutations in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Every form of an object leads back to it.
pub fn agree(schema: &Schema, ty: TypeId, gvk: &Gvk, object: &Value) {
    let mut again = object.clone();
    assert_eq!(codec::canonicalise(schema, ty, &mut again).map(|found| found.strict), Ok(vec![]), "{gvk}");
    assert_eq!(&again, object, "canonical form is a fixed point: {gvk}");
    let mut text = Vec::new();
    codec::encode_json(schema, ty, object, &mut text);
    let read = codec::decode_json(schema, ty, &text).map(|d| d.value);
    assert_eq!(read.as_ref(), Ok(object), "JSON: {gvk}");
    let mut yaml = Vec::new();
    codec::encode_yaml(object, &mut yaml);
    let read = codec::decode_yaml(schema, ty, &yaml).map(|d| d.value);
    assert_eq!(read.as_ref(), Ok(object), "YAML: {gvk}\n{}", String::from_utf8_lossy(&yaml));
    let mut bytes = Vec::new();
    codec::encode_protobuf(schema, ty, gvk, object, &mut bytes);
    let stored = codec::decode_protobuf(schema, ty, &bytes).map(|d| d.value).expect("what was encoded");
    let mut once = Vec::new();
    codec::encode_protobuf(schema, ty, gvk, &stored, &mut once);
    assert_eq!(once, bytes, "protobuf is a fixed point: {gvk}");
    let raw = codec::Envelope::open(&bytes).expect("what was encoded").raw;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    codec::encode_json(schema, ty, &stored, &mut direct);
    let shown = codec::Shown { gvk: Some(gvk), resource_version: "", proven: false };
    codec::transcode_json(schema, ty, raw, &shown, &mut through).expect("what was encoded");
    assert_eq!(json::parse(&through).map(|p| p.value), json::parse(&direct).map(|p| p.value), "transcoded: {gvk}");
    if object["metadata"].as_object().is_some() {
        assert!(codec::extract_metadata(raw).is_ok(), "{gvk}");
        assert!(codec::protobuf_with_resource_version(&bytes, gvk, "7").is_ok(), "{gvk}");
    }
}

/// The kind's name and version set, as a server does before it stores.
pub fn named(mut object: Value, gvk: &Gvk) -> Value {
    object.set("apiVersion", gvk.api_version());
    object.set("kind", &gvk.kind);
    object
}
