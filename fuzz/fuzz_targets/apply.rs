//! Two configurations as JSON texts on two lines, applied by two managers: a refusal, or an object to which the second one can
//! be applied again without a change.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::{Gvk, json};
use patch::managed::{self, OneVersion, ResetFields, Target};

fuzz_target!(|body: &[u8]| {
    let mut texts = body.splitn(2, |b| *b == b'\n');
    let mut next = || json::parse(texts.next().unwrap_or_default()).map(|parsed| parsed.value);
    let (Ok(one), Ok(other)) = (next(), next()) else { return };
    let (schema, gvk, reset) = (schema::builtin(), Gvk::new("", "v1", "Pod"), ResetFields::new(&["status"]));
    let Some(type_id) = schema.kind(&gvk) else { return };
    let (now, versions) = ("2026-01-02T03:04:05Z", &OneVersion);
    let target = Target { schema: &schema, type_id, gvk: &gvk, subresource: "", reset: &reset, now, versions };
    let Ok(mut live) = managed::apply(&target, None, &one, "one", false) else { return };
    live.entry("metadata").set("uid", "u");
    let _ = managed::apply(&target, Some(&live), &other, "other", false);
    if let Ok(both) = managed::apply(&target, Some(&live), &other, "other", true) {
        assert_eq!(managed::apply(&target, Some(&both), &other, "other", false), Ok(both.clone()));
        let mut new = other;
        if new.as_object().is_some() {
            managed::record_update(&target, Some(&both), &mut new, "third", false);
        }
    }
});
