//! A label selector, a field selector and an object's labels as JSON on three lines: a refusal, or a selector that is printed and
//! read back as the same, and that selects as its parts do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::json;
use meta::selector::{FieldSelector, LabelSelector};

fuzz_target!(|body: &[u8]| {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (labels, fields, object) = (next(), next(), next());
    let object = json::parse(object.as_bytes()).map(|parsed| parsed.value).unwrap_or_default();
    if let Ok(selector) = LabelSelector::parse(labels) {
        assert_eq!(LabelSelector::parse(&selector.to_string()).as_ref(), Ok(&selector));
        let every = selector.requirements.iter().all(|r| r.matches(object.get(&r.key).map(meta::Value::str)));
        assert_eq!(selector.matches_value(&object), every);
    }
    if let Ok(selector) = FieldSelector::parse(fields) {
        // Terms are in the order of their texts, and `==` is printed as `=`: the order may be another.
        let again = FieldSelector::parse(&selector.to_string()).expect("what was printed");
        assert_eq!(again.terms.len(), selector.terms.len());
        assert!(again.terms.iter().all(|term| selector.terms.contains(term)), "{selector} {again}");
        let _ = selector.matches(|field| object.get(field).map_or("", meta::Value::str));
    }
    if let Ok(selector) = LabelSelector::from_value(&object) {
        let _ = (selector.matches_value(&object), LabelSelector::format(&object));
    }
});
