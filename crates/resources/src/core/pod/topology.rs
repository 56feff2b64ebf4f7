//! Spreading over topology domains, and label keys that stand for the pod's own labels.

use super::options::Options;
use crate::rules::label_selector;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const ACTIONS: &[&str] = &["DoNotSchedule", "ScheduleAnyway"];

pub fn validate(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    let constraints = spec["topologySpreadConstraints"].items();
    for (i, constraint) in constraints.iter().enumerate() {
        let path = path.index(i);
        let skew = constraint["maxSkew"].int();
        if skew <= 0 {
            errs.invalid(&path.child("maxSkew"), skew, "must be greater than zero");
        }
        let (key, action) = (constraint["topologyKey"].str(), constraint["whenUnsatisfiable"].str());
        if key.is_empty() {
            errs.required(&path.child("topologyKey"), "can not be empty");
        }
        if !ACTIONS.contains(&action) {
            errs.not_supported(&path.child("whenUnsatisfiable"), action, ACTIONS);
        }
        let rest = constraints.get(i + 1..).unwrap_or(&[]);
        if rest.iter().any(|c| c["topologyKey"].str() == key && c["whenUnsatisfiable"].str() == action) {
            errs.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), format!("{{{key}, {action}}}"));
        }
        validate_min_domains(constraint, action, &path.child("minDomains"), errs);
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            let choices = &["Honor", "Ignore"];
            super::containers::validate_optional_choice(&constraint[field], choices, &path.child(field), errs);
        }
        validate_constraint_label_keys(constraint, options, &path, errs);
        if !options.allow_invalid_spread_selector {
            label_selector::validate(&constraint["labelSelector"], false, &path.child("labelSelector"), errs);
        }
    }
}

fn validate_min_domains(constraint: &Value, action: &str, path: &Path, errs: &mut ErrorList) {
    let Some(domains) = constraint["minDomains"].as_int() else { return };
    if domains <= 0 {
        errs.invalid(path, domains, "must be greater than zero");
    }
    if action != "DoNotSchedule" {
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        errs.invalid(path, domains, &detail);
    }
}

fn validate_constraint_label_keys(constraint: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    if !options.allow_match_label_keys_in_selector {
        validate_label_keys(constraint, path, errs);
        return;
    }
    // stored before the keys were merged into selectors: the older, stricter rule on the selector's own keys
    let path = path.child("matchLabelKeys");
    let keys = constraint["matchLabelKeys"].items();
    let selector = &constraint["labelSelector"];
    if !keys.is_empty() && selector.is_null() {
        errs.forbidden(&path, "must not be specified when labelSelector is not set");
    }
    let own: BTreeSet<&str> = selector_keys(selector).collect();
    for (i, key) in keys.iter().enumerate() {
        errs.invalid_each(&path.index(i), key, name::qualified_name(key.str()));
        if own.contains(key.str()) {
            errs.invalid(&path.index(i), key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}

fn selector_keys(selector: &Value) -> impl Iterator<Item = &str> {
    let labels = selector["matchLabels"].entries().map(|(key, _)| key);
    labels.chain(selector["matchExpressions"].items().iter().map(|e| e["key"].str()))
}

/// matchLabelKeys and mismatchLabelKeys of a constraint or affinity term.
pub fn validate_label_keys(term: &Value, path: &Path, errs: &mut ErrorList) {
    let selector = &term["labelSelector"];
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        let keys = term[field].items();
        let path = path.child(field);
        if keys.is_empty() {
            continue;
        }
        if selector.is_null() {
            errs.forbidden(&path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (i, key) in keys.iter().enumerate() {
            errs.invalid_each(&path.index(i), key, name::qualified_name(key.str()));
        }
    }
    let keys = term["matchLabelKeys"].items();
    // the keys are merged into the selector as expressions, so one expression is right and a second is not
    let mut seen: BTreeSet<&str> = selector["matchLabels"].entries().map(|(key, _)| key).collect();
    for expression in selector["matchExpressions"].items() {
        let key = expression["key"].str();
        if let Some(i) = keys.iter().rposition(|k| k.str() == key)
            && seen.contains(key)
        {
            // upstream's path: the term's own, with the key's index
            errs.invalid(&path.index(i), key, "exists in both matchLabelKeys and labelSelector");
        }
        seen.insert(key);
    }
    for (i, key) in keys.iter().enumerate() {
        if term["mismatchLabelKeys"].items().contains(key) {
            let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
            errs.invalid(&path.child("matchLabelKeys").index(i), key, detail);
        }
    }
}

/// Selectors that a stored pod may keep.
pub fn validate_selectors(spec: &Value, path: &Path, errs: &mut ErrorList) {
    for constraint in spec["topologySpreadConstraints"].items() {
        label_selector::validate(&constraint["labelSelector"], false, path, errs);
    }
}

/// Label keys of all constraints, by the rule for new pods.
pub fn validate_label_keys_of_all(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    for constraint in spec["topologySpreadConstraints"].items() {
        validate_constraint_label_keys(constraint, options, path, errs);
    }
}
