//! Taints of devices, requests that tolerate them, and the conditions of binding.

use super::names::validate_list;
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use std::collections::BTreeSet;

const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "None"];
const CONDITIONS_MAX: usize = 4;

fn validate_label_name(text: &str, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, text, name::qualified_name(text));
}

pub fn validate_taint(taint: &Value, path: &Path, errs: &mut ErrorList) {
    validate_label_name(taint["key"].str(), &path.child("key"), errs);
    let value = taint["value"].str();
    errs.invalid_each(&path.child("value"), value, name::label_value(value));
    match taint["effect"].str() {
        "" => errs.required(&path.child("effect"), ""),
        effect if !EFFECTS.contains(&effect) => errs.not_supported(&path.child("effect"), effect, EFFECTS),
        _ => {}
    }
}

/// A toleration without an operator asks for an equal value. `object` has them in a list.
pub fn default_tolerations(object: &mut Value) {
    let Some(tolerations) = object.get_mut("tolerations") else { return };
    for toleration in tolerations.items_mut().iter_mut().filter(|toleration| toleration["operator"].is_empty()) {
        toleration.set("operator", "Equal");
    }
}

pub fn validate_toleration(toleration: &Value, path: &Path, errs: &mut ErrorList) {
    let key = toleration["key"].str();
    if !key.is_empty() {
        validate_label_name(key, &path.child("key"), errs);
    }
    let value = toleration["value"].str();
    match toleration["operator"].str() {
        "Exists" if !value.is_empty() => {
            errs.invalid(&path.child("value"), value, "must be empty for operator `Exists`");
        }
        "Exists" => {}
        "Equal" => errs.invalid_each(&path.child("value"), value, name::label_value(value)),
        "" => errs.required(&path.child("operator"), ""),
        other => errs.not_supported(&path.child("operator"), other, &["Equal", "Exists"]),
    }
    let effect = toleration["effect"].str();
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        errs.not_supported(&path.child("effect"), effect, EFFECTS);
    }
}

/// bindingConditions and bindingFailureConditions: both or none, and nothing twice.
pub fn validate_binding(object: &Value, path: &Path, errs: &mut ErrorList) {
    let (ready, failed) = (&object["bindingConditions"], &object["bindingFailureConditions"]);
    let (ready_path, failed_path) = (path.child("bindingConditions"), path.child("bindingFailureConditions"));
    for (list, path) in [(ready, &ready_path), (failed, &failed_path)] {
        validate_list(list, CONDITIONS_MAX, path, errs, |text, at, errs| validate_label_name(text.str(), at, errs));
    }
    validate_once(ready, &ready_path, errs, |_| false);
    validate_once(failed, &failed_path, errs, |text| ready.items().contains(text));
    if ready.is_empty() && !failed.is_empty() {
        errs.invalid(&ready_path, ready, "bindingConditions are required to use bindingFailureConditions");
    }
    if failed.is_empty() && !ready.is_empty() {
        errs.invalid(&failed_path, failed, "bindingFailureConditions are required to use bindingConditions");
    }
}

fn validate_once(list: &Value, path: &Path, errs: &mut ErrorList, overlaps: impl Fn(&Value) -> bool) {
    let mut seen = BTreeSet::new();
    for (i, text) in list.items().iter().enumerate() {
        if !seen.insert(text.str()) {
            errs.duplicate(&path.index(i), text);
        }
        if overlaps(text) {
            let message = "bindingFailureConditions must not overlap with bindingConditions";
            errs.invalid(&path.index(i), text, message);
        }
    }
}
