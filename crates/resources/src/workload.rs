//! What the kinds that make pods from a template share.

use crate::core::pod::{internal, template};
use crate::rules::label_selector;
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, json, name};
use resource::rules::semantically_equal;

/// The rule that a workload's pods are found by its selector.
pub fn validate_labels_match(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let labels = &spec["template"]["metadata"]["labels"];
    if !label_selector::matches(&spec["selector"], labels) {
        let at = path.child("template").child("metadata").child("labels");
        errs.invalid(&at, Shown(json::to_string(labels)), "`selector` does not match template `labels`");
    }
}

/// A required selector that is not empty. Says whether it can be read as a selector at all.
pub fn validate_selector(spec: &Value, empty: &str, path: &Path, errs: &mut ErrorList) -> bool {
    let (selector, at) = (&spec["selector"], path.child("selector"));
    if selector.is_null() {
        errs.required(&at, "");
        return true;
    }
    let mut wrong = ErrorList::new();
    label_selector::validate(selector, false, &at, &mut wrong);
    let readable = wrong.is_empty();
    errs.extend(wrong);
    if label_selector::is_empty(selector) {
        errs.invalid(&at, internal::selector_shown(selector), empty);
    }
    readable
}

/// Selector and template of deployments and replica sets; `old` is the stored template.
pub fn validate_replicated(spec: &Value, old: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    // replica sets say "deployment" too
    if !validate_selector(spec, "empty selector is invalid for deployment", path, errs) {
        errs.invalid(&path.child("selector"), internal::selector_shown(&spec["selector"]), "invalid label selector");
        return;
    }
    if spec["selector"].is_null() || !label_selector::is_empty(&spec["selector"]) {
        validate_labels_match(spec, path, errs);
    }
    validate_always(spec, old, "ReplicaSet", path, errs);
}

/// A template whose pods run for ever.
pub fn validate_always(spec: &Value, old: Option<&Value>, kind: &str, path: &Path, errs: &mut ErrorList) {
    let at = path.child("template");
    template::validate_template(&spec["template"], old, &at, errs);
    validate_runs_for_ever(spec, kind, path, errs);
}

pub fn validate_runs_for_ever(spec: &Value, kind: &str, path: &Path, errs: &mut ErrorList) {
    let own = &spec["template"]["spec"];
    let at = path.child("template").child("spec");
    let policy = own["restartPolicy"].str();
    if policy != "Always" {
        errs.not_supported(&at.child("restartPolicy"), policy, &["Always"]);
    }
    if !own["activeDeadlineSeconds"].is_null() {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errs.forbidden(&at.child("activeDeadlineSeconds"), &detail);
    }
}

/// A selector that may not change.
pub fn validate_selector_kept(spec: &Value, stored: &Value, path: &Path, errs: &mut ErrorList) {
    let (selector, old) = (&spec["selector"], &stored["selector"]);
    if selector.is_null() != old.is_null() || !semantically_equal(selector, old) {
        errs.invalid(&path.child("selector"), internal::selector_shown(selector), "field is immutable");
    }
}

/// An integer that is not negative, or a percentage.
pub fn validate_int_or_percent(value: &Value, path: &Path, errs: &mut ErrorList) {
    match value.as_str() {
        Some(text) => errs.invalid_each(path, text, name::percent(text)),
        None => errs.non_negative(path, value.int()),
    }
}

/// The number before a percent sign.
fn percentage(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    if name::percent(text).is_empty() { text.strip_suffix('%')?.parse().ok() } else { None }
}

/// The number of an integer or percentage; a text that is neither counts as its integer, or zero.
pub fn number(value: &Value) -> i64 {
    percentage(value).unwrap_or_else(|| value.as_str().map_or(value.int(), |text| text.parse().unwrap_or(0)))
}

pub fn validate_at_most_all(value: &Value, path: &Path, errs: &mut ErrorList) {
    if percentage(value).is_some_and(|n| n > 100) {
        errs.invalid(path, value, "must not be greater than 100%");
    }
}

/// Counts in a status that are not negative.
pub fn validate_counts(status: &Value, fields: &[&'static str], path: &Path, errs: &mut ErrorList) {
    for field in fields {
        errs.non_negative(&path.child(field), status[*field].int());
    }
}

/// Counts in a status that are at most another.
pub fn validate_at_most(status: &Value, fields: &[&'static str], of: &str, path: &Path, errs: &mut ErrorList) {
    for field in fields {
        let own = status[*field].int();
        if own > status[of].int() {
            let shown = if of == "replicas" { "status.replicas" } else { of };
            errs.invalid(&path.child(field), own, &format!("cannot be greater than {shown}"));
        }
    }
}

/// A counter of name collisions, which only grows.
pub fn validate_collisions(status: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    let (new, stored) = (status["collisionCount"].as_int(), old["collisionCount"].as_int());
    if stored.is_some_and(|stored| new.is_none_or(|new| new < stored)) {
        errs.invalid(&path.child("collisionCount"), new.unwrap_or(0), "cannot be decremented");
    }
}

/// On create a name that is no DNS label is told, and what is told of the template; on update only the latter, and only
/// when the spec has changed.
pub fn warn(object: &Value, old: Option<&Value>, template_at: &[&'static str], out: &mut Vec<String>) {
    match old {
        None => warn_name(object, "Pod names and hostnames", out),
        Some(old) if old["metadata"]["generation"] == object["metadata"]["generation"] => return,
        Some(_) => {}
    }
    warn_template(object, template_at, out);
}

pub fn warn_name(object: &Value, used_in: &str, out: &mut Vec<String>) {
    let wrong = name::dns1123_label(object["metadata"]["name"].str());
    if !wrong.is_empty() {
        out.push(format!(
            "metadata.name: this is used in {used_in}, which can result in surprising behavior; a DNS label is recommended: [{}]",
            wrong.join(" ")
        ));
    }
}

pub fn warn_template(object: &Value, template_at: &[&'static str], out: &mut Vec<String>) {
    let path = template_at.iter().fold(Path::root(), |path, field| path.child(field));
    let own = template_at.iter().fold(object, |value, field| &value[*field]);
    if !own.is_null() {
        template::warn_template(own, &path, out);
    }
}

/// The part of a template in an object.
pub fn template_mut<'a>(object: &'a mut Value, at: &[&str]) -> Option<&'a mut Value> {
    at.iter().try_fold(object, |value, field| value.get_mut(field)).filter(|t| !t.is_null())
}
