//! YAML documents: a refusal, or a tree that is written and read back unchanged.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(yaml) = codec::parse_yaml(body) else { return };
    let mut text = Vec::new();
    codec::encode_yaml(&yaml.value, &mut text);
    assert_eq!(codec::parse_yaml(&text).map(|again| again.value), Ok(yaml.value));
});
