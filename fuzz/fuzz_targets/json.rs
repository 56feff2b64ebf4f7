//! JSON bodies as pods and as definitions: a refusal, or an object in a form that decodes to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::Gvk;

fuzz_target!(|body: &[u8]| {
    let schema = schema::builtin();
    let definition = Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    for gvk in [Gvk::new("", "v1", "Pod"), definition] {
        let Some(ty) = schema.kind(&gvk) else { continue };
        let Ok(decoded) = codec::decode_json(&schema, ty, body) else { continue };
        let mut text = Vec::new();
        codec::encode_json(&schema, ty, &decoded.value, &mut text);
        assert_eq!(codec::decode_json(&schema, ty, &text).map(|d| d.value), Ok(decoded.value));
    }
});
