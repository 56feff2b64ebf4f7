//! Protobuf bodies as pods: a refusal, or an object whose bytes encode, decode and transcode without a difference.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::{Gvk, json};

fuzz_target!(|body: &[u8]| {
    let schema = schema::builtin();
    let gvk = Gvk::new("", "v1", "Pod");
    let Some(ty) = schema.kind(&gvk) else { return };
    let shown = codec::Shown { gvk: Some(&gvk), resource_version: "1", proven: false };
    let mut text = Vec::new();
    // Raw bytes as a stored message, which need not be well formed.
    if let Ok(proven) = codec::transcode_json(&schema, ty, body, &shown, &mut text) {
        assert!(json::parse(&text).is_ok());
        let mut again = Vec::new();
        let shown = codec::Shown { proven, ..shown };
        assert!(codec::transcode_json(&schema, ty, body, &shown, &mut again).is_ok());
        assert_eq!(text, again);
    }
    let mut sealed = Vec::new();
    codec::wrap_protobuf(&gvk, body, &mut sealed);
    let Ok(decoded) = codec::decode_protobuf(&schema, ty, &sealed) else { return };
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    codec::encode_protobuf(&schema, ty, &gvk, &decoded.value, &mut once);
    let again = codec::decode_protobuf(&schema, ty, &once).expect("what was encoded").value;
    codec::encode_protobuf(&schema, ty, &gvk, &again, &mut twice);
    assert_eq!(once, twice);
});
