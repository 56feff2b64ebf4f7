//! A document and a patch as two JSON texts on two lines, patched in the three ways: a refusal, or an object; the same each time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::{Gvk, json};

fuzz_target!(|body: &[u8]| {
    let mut texts = body.splitn(2, |b| *b == b'\n');
    let mut next = || json::parse(texts.next().unwrap_or_default()).map(|parsed| parsed.value);
    let (Ok(doc), Ok(change)) = (next(), next()) else { return };
    if patch::merge::check(&change).is_ok() {
        let once = patch::merge::apply(doc.clone(), change.clone());
        assert_eq!(patch::merge::apply(doc.clone(), change.clone()), once);
    }
    if let Ok(operations) = patch::json::operations(&change) {
        let _ = patch::json::unknown_fields(operations);
        let _ = patch::json::apply(&mut doc.clone(), operations);
    }
    let schema = schema::builtin();
    let Some(ty) = schema.kind(&Gvk::new("", "v1", "Pod")) else { return };
    if let Ok(object) = patch::strategic::apply(&schema, ty, doc, change) {
        let _ = patch::strategic::restore(&schema, ty, &object);
    }
});
