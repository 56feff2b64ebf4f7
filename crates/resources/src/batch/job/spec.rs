//! Rules for what a job says, alone or as a template of one.

use super::{failure_policy, success_policy};
use crate::core::pod::{internal, template};
use crate::rules::{domain_path, label_selector};
use crate::workload;
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::rules::semantically_equal;

const INDEXED_MAX: i64 = 100_000;
const FAILED_INDEXES_MAX: i64 = 100_000;
const MANY_COMPLETIONS: i64 = 100_000;
const PARALLELISM_OF_MANY_MAX: i64 = 10_000;
const FAILED_INDEXES_OF_MANY_MAX: i64 = 10_000;
const MANAGED_BY_MAX: usize = 63;

/// Rules for a job with a selector; `old` is the stored spec.
pub fn validate(spec: &Value, old: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    validate_unselected(spec, old, path, errs);
    let (selector, at) = (&spec["selector"], path.child("selector"));
    if selector.is_null() {
        errs.required(&at, "");
    }
    let mut wrong = ErrorList::new();
    label_selector::validate(selector, false, &at, &mut wrong);
    if wrong.is_empty() {
        workload::validate_labels_match(spec, path, errs);
    }
    errs.extend(wrong);
}

/// Rules for the rest.
pub fn validate_unselected(spec: &Value, old: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    let counts = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    workload::validate_counts(spec, &counts, path, errs);
    if !spec["maxFailedIndexes"].is_null() && spec["backoffLimitPerIndex"].is_null() {
        errs.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    validate_manager(&spec["managedBy"], &path.child("managedBy"), errs);
    validate_mode(spec, path, errs);
    if !spec["podFailurePolicy"].is_null() {
        failure_policy::validate(spec, &path.child("podFailurePolicy"), errs);
    }
    if !spec["successPolicy"].is_null() {
        validate_success(spec, &path.child("successPolicy"), errs);
    }
    validate_replacement(spec, &path.child("podReplacementPolicy"), errs);
    let own = path.child("template");
    template::validate_template(&spec["template"], old.map(|old| &old["template"]), &own, errs);
    validate_restart(spec, &own.child("spec").child("restartPolicy"), errs);
}

fn validate_manager(manager: &Value, path: &Path, errs: &mut ErrorList) {
    match manager.as_str() {
        None => {}
        Some("") => errs.required(path, ""),
        Some(manager) => {
            domain_path::validate(manager, path, errs);
            if manager.len() > MANAGED_BY_MAX {
                errs.too_long(path, MANAGED_BY_MAX);
            }
        }
    }
}

pub fn is_indexed(spec: &Value) -> bool {
    spec["completionMode"].str() == "Indexed"
}

fn validate_mode(spec: &Value, path: &Path, errs: &mut ErrorList) {
    match spec["completionMode"].as_str() {
        Some("Indexed") => validate_indexed(spec, path, errs),
        None | Some("NonIndexed") => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if let Some(n) = spec[field].as_int() {
                    errs.invalid(&path.child(field), n, "requires indexed completion mode");
                }
            }
        }
        Some(other) => {
            errs.not_supported_in_order(&path.child("completionMode"), other, &["NonIndexed", "Indexed"]);
        }
    }
}

fn validate_indexed(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let [completions, parallelism, failed] =
        ["completions", "parallelism", "maxFailedIndexes"].map(|field| spec[field].as_int());
    let failed_path = path.child("maxFailedIndexes");
    let parallelism_path = path.child("parallelism");
    if completions.is_none() {
        errs.required(&path.child("completions"), "when completion mode is Indexed");
    }
    validate_at_most(parallelism, INDEXED_MAX, " when completion mode is Indexed", &parallelism_path, errs);
    if let (Some(completions), Some(failed)) = (completions, failed)
        && failed > completions
    {
        errs.invalid(&failed_path, failed, "must be less than or equal to completions");
    }
    validate_at_most(failed, FAILED_INDEXES_MAX, "", &failed_path, errs);
    if completions.is_some_and(|n| n > MANY_COMPLETIONS) && !spec["backoffLimitPerIndex"].is_null() {
        if failed.is_none() {
            errs.required(&failed_path, &format!("must be specified when completions is above {MANY_COMPLETIONS}"));
        }
        let when = format!(" when completions are above {MANY_COMPLETIONS} and used with backoff limit per index");
        validate_at_most(parallelism, PARALLELISM_OF_MANY_MAX, &when, &parallelism_path, errs);
        validate_at_most(failed, FAILED_INDEXES_OF_MANY_MAX, &when, &failed_path, errs);
    }
}

fn validate_at_most(n: Option<i64>, max: i64, when: &str, path: &Path, errs: &mut ErrorList) {
    if let Some(n) = n.filter(|n| *n > max) {
        errs.invalid(path, n, &format!("must be less than or equal to {max}{when}"));
    }
}

fn validate_success(spec: &Value, path: &Path, errs: &mut ErrorList) {
    if is_indexed(spec) {
        success_policy::validate(spec, path, errs);
    } else {
        let shown = internal::shown("SuccessPolicy", &spec["successPolicy"]);
        errs.invalid(path, shown, "requires indexed completion mode");
    }
}

fn validate_replacement(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let Some(policy) = spec["podReplacementPolicy"].as_str() else { return };
    let supported: &[&str] =
        if spec["podFailurePolicy"].is_null() { &["Failed", "TerminatingOrFailed"] } else { &["Failed"] };
    if !supported.contains(&policy) {
        errs.not_supported(path, policy, supported);
    }
}

fn validate_restart(spec: &Value, path: &Path, errs: &mut ErrorList) {
    match spec["template"]["spec"]["restartPolicy"].str() {
        "Never" => {}
        "OnFailure" if spec["podFailurePolicy"].is_null() => {}
        "OnFailure" => {
            errs.invalid(path, "OnFailure", "only \"Never\" is supported when podFailurePolicy is specified");
        }
        // the default of pods counts as nothing
        "" | "Always" => errs.required(path, "valid values: \"OnFailure\", \"Never\""),
        other => errs.not_supported_in_order(path, other, &["OnFailure", "Never"]),
    }
}

/// What an update of a job may not change. `free_template`: the job is suspended, and its template may change in part.
pub fn validate_kept(spec: &Value, old: &Value, free_template: bool, path: &Path, errs: &mut ErrorList) {
    validate_completions(spec, old, &path.child("completions"), errs);
    workload::validate_selector_kept(spec, old, path, errs);
    validate_template_kept(&spec["template"], &old["template"], free_template, &path.child("template"), errs);
    let kept = [
        ("completionMode", ""),
        ("podFailurePolicy", "PodFailurePolicy"),
        ("backoffLimitPerIndex", ""),
        ("managedBy", ""),
        ("successPolicy", "SuccessPolicy"),
    ];
    for (field, kind) in kept {
        let (new, stored) = (&spec[field], &old[field]);
        if new.is_null() == stored.is_null() && semantically_equal(new, stored) {
            continue;
        }
        let shown = if kind.is_empty() || new.is_null() { new.into() } else { internal::shown(kind, new) };
        errs.invalid(&path.child(field), shown, "field is immutable");
    }
}

fn validate_completions(spec: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    let (new, stored) = (&spec["completions"], &old["completions"]);
    if new == stored {
        return;
    }
    if !is_indexed(spec) {
        errs.invalid(path, new, "field is immutable");
    } else if !new.is_null() && new.int() != spec["parallelism"].int() {
        errs.invalid(path, new, "can only be modified in tandem with spec.parallelism");
    }
}

fn validate_template_kept(new: &Value, old: &Value, free: bool, path: &Path, errs: &mut ErrorList) {
    if !free {
        if !semantically_equal(new, old) {
            errs.invalid(path, internal::shown("PodTemplateSpec", new), "field is immutable");
        }
        return;
    }
    let mut expected = old["spec"].clone();
    take_free_fields(&mut expected, &new["spec"]);
    if !semantically_equal(&new["spec"], &expected) {
        errs.invalid(&path.child("spec"), internal::shown("PodSpec", &new["spec"]), "field is immutable");
    }
}

/// Makes those parts of a pod spec that a suspended job may change those of another.
fn take_free_fields(spec: &mut Value, from: &Value) {
    let take = |to: &mut Value, from: &Value, field: &str| match &from[field] {
        Value::Null => drop(to.remove(field)),
        value => to.set(field, value),
    };
    for field in ["nodeSelector", "tolerations", "schedulingGates"] {
        take(spec, from, field);
    }
    if !spec["affinity"].is_null() || !from["affinity"].is_null() {
        take(spec.entry("affinity"), &from["affinity"], "nodeAffinity");
        if spec["affinity"].is_empty() && from["affinity"].is_null() {
            spec.remove("affinity");
        }
    }
    for field in ["containers", "initContainers"] {
        let Some(own) = spec.get_mut(field) else { continue };
        for (container, new) in own.items_mut().iter_mut().zip(from[field].items()) {
            if container["name"] == new["name"] {
                take(container, new, "resources");
            }
        }
    }
}
