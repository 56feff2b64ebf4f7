//! YAML documents: a refusal, or a tree that is written and read back unchanged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::json;

fuzz_target!(|body: &[u8]| {
    let Ok(yaml) = codec::parse_yaml(body) else { return };
    let mut text = Vec::new();
    codec::encode_yaml(&yaml.value, &mut text);
    // As JSON: 2.0 is written as 2.
    let again = codec::parse_yaml(&text).map(|again| json::to_string(&again.value));
    assert_eq!(again, Ok(json::to_string(&yaml.value)));
});
