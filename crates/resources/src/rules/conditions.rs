//! Conditions of the common form (upstream: apimachinery pkg/apis/meta/v1/validation).

use meta::field::{ErrorList, Path};
use meta::{Value, name};
use std::collections::BTreeSet;

const STATUSES: &[&str] = &["False", "True", "Unknown"];
const REASON_MAX: usize = 1024;
const MESSAGE_MAX: usize = 32 * 1024;

pub fn validate(conditions: &[Value], path: &Path, errs: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, condition) in conditions.iter().enumerate() {
        let path = path.index(i);
        let kind = condition["type"].str();
        if !seen.insert(kind) {
            errs.duplicate(&path.child("type"), kind);
        }
        errs.invalid_each(&path.child("type"), kind, name::qualified_name(kind));
        validate_one(condition, &path, errs);
    }
}

fn validate_one(condition: &Value, path: &Path, errs: &mut ErrorList) {
    let status = condition["status"].str();
    if !STATUSES.contains(&status) {
        errs.not_supported(&path.child("status"), status, STATUSES);
    }
    let generation = condition["observedGeneration"].int();
    if generation < 0 {
        errs.invalid(&path.child("observedGeneration"), generation, "must be greater than or equal to zero");
    }
    if condition["lastTransitionTime"].is_null() {
        errs.required(&path.child("lastTransitionTime"), "");
    }
    let (reason, at) = (condition["reason"].str(), path.child("reason"));
    if reason.is_empty() {
        errs.required(&at, "");
    } else {
        if !is_reason(reason) {
            errs.invalid(
                &at,
                reason,
                &name::regex_error(
                    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
                    "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
                    &["my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"],
                ),
            );
        }
        if reason.len() > REASON_MAX {
            errs.too_long(&at, REASON_MAX);
        }
    }
    if condition["message"].str().len() > MESSAGE_MAX {
        errs.too_long(&path.child("message"), MESSAGE_MAX);
    }
}

fn is_reason(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_,:".contains(&b))
}
