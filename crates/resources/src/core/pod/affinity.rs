//! Affinity to nodes and to other pods.

use super::options::Options;
use super::topology;
use crate::rules::label_selector;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub fn validate(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    let affinity = &spec["affinity"];
    validate_node_affinity(&affinity["nodeAffinity"], options, &path.child("nodeAffinity"), errs);
    for field in ["podAffinity", "podAntiAffinity"] {
        let path = path.child(field);
        for (i, term) in affinity[field][REQUIRED].items().iter().enumerate() {
            validate_term(term, options, &path.child(REQUIRED).index(i), errs);
        }
        for (i, weighted) in affinity[field][PREFERRED].items().iter().enumerate() {
            let path = path.child(PREFERRED).index(i);
            validate_weight(weighted, &path, errs);
            validate_term(&weighted["podAffinityTerm"], options, &path.child("podAffinityTerm"), errs);
        }
    }
}

fn validate_weight(weighted: &Value, path: &Path, errs: &mut ErrorList) {
    let weight = weighted["weight"].int();
    if !(1..=100).contains(&weight) {
        errs.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

fn validate_node_affinity(affinity: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    let required = &affinity[REQUIRED];
    if !required.is_null() {
        let lenient = options.allow_invalid_required_node_affinity;
        validate_node_selector(required, lenient, &path.child(REQUIRED), errs);
    }
    for (i, preferred) in affinity[PREFERRED].items().iter().enumerate() {
        let path = path.child(PREFERRED).index(i);
        validate_weight(preferred, &path, errs);
        validate_node_term(&preferred["preference"], true, &path.child("preference"), errs);
    }
}

/// A NodeSelector: at least one term. `allow_invalid_values` skips the check of label values.
pub fn validate_node_selector(selector: &Value, allow_invalid_values: bool, path: &Path, errs: &mut ErrorList) {
    let terms = selector["nodeSelectorTerms"].items();
    let path = path.child("nodeSelectorTerms");
    if terms.is_empty() {
        errs.required(&path, "must have at least one node selector term");
    }
    for (i, term) in terms.iter().enumerate() {
        validate_node_term(term, allow_invalid_values, &path.index(i), errs);
    }
}

pub fn validate_node_term(term: &Value, allow_invalid_values: bool, path: &Path, errs: &mut ErrorList) {
    for (i, expression) in term["matchExpressions"].items().iter().enumerate() {
        validate_node_expression(expression, allow_invalid_values, &path.child("matchExpressions").index(i), errs);
    }
    for (i, field) in term["matchFields"].items().iter().enumerate() {
        validate_node_field(field, &path.child("matchFields").index(i), errs);
    }
}

fn validate_node_expression(expression: &Value, allow_invalid_values: bool, path: &Path, errs: &mut ErrorList) {
    let values = expression["values"].items();
    let at = path.child("values");
    match expression["operator"].str() {
        "In" | "NotIn" if values.is_empty() => {
            errs.required(&at, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errs.forbidden(&at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Gt" | "Lt" if values.len() != 1 => {
            errs.required(&at, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errs.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = expression["key"].str();
    errs.invalid_each(&path.child("key"), key, name::qualified_name(key));
    if !allow_invalid_values {
        validate_values(expression, path, errs);
    }
}

fn validate_values(expression: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, value) in expression["values"].items().iter().enumerate() {
        errs.invalid_each(&path.child("values").index(i), value, name::label_value(value.str()));
    }
}

fn validate_node_field(field: &Value, path: &Path, errs: &mut ErrorList) {
    let values = field["values"].items();
    match field["operator"].str() {
        "In" | "NotIn" if values.len() != 1 => errs.required(
            &path.child("values"),
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        ),
        "In" | "NotIn" => {}
        other => errs.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = field["key"].str();
    if key != "metadata.name" {
        errs.invalid(&path.child("key"), key, "not a valid field selector key");
        return;
    }
    for (i, value) in values.iter().enumerate() {
        errs.invalid_each(&path.child("values").index(i), value, name::dns1123_subdomain(value.str()));
    }
}

/// Label values that a stored required node affinity may keep.
pub fn validate_required_values(affinity: &Value, path: &Path, errs: &mut ErrorList) {
    for term in affinity[REQUIRED]["nodeSelectorTerms"].items() {
        for expression in term["matchExpressions"].items() {
            validate_values(expression, path, errs);
        }
    }
}

fn validate_term(term: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    validate_term_selector(term, options.allow_invalid_affinity_selector, path, errs);
    for namespace in term["namespaces"].items() {
        errs.invalid_each(&path.child("namespace"), namespace, name::dns1123_label(namespace.str()));
    }
    topology::validate_label_keys(term, path, errs);
    let key = term["topologyKey"].str();
    if key.is_empty() {
        errs.required(&path.child("topologyKey"), "can not be empty");
    }
    errs.invalid_each(&path.child("topologyKey"), key, name::qualified_name(key));
}

fn validate_term_selector(term: &Value, lenient: bool, path: &Path, errs: &mut ErrorList) {
    label_selector::validate(&term["labelSelector"], lenient, &path.child("labelSelector"), errs);
    label_selector::validate(&term["namespaceSelector"], lenient, &path.child("namespaceSelector"), errs);
}

/// All terms of a pod's affinity and anti-affinity.
pub fn terms(spec: &Value) -> impl Iterator<Item = &Value> {
    ["podAffinity", "podAntiAffinity"].into_iter().flat_map(|field| {
        let own = &spec["affinity"][field];
        let weighted = own[PREFERRED].items().iter().map(|w| &w["podAffinityTerm"]);
        own[REQUIRED].items().iter().chain(weighted)
    })
}

/// As [`terms`], mutable.
pub fn for_each_term_mut(spec: &mut Value, mut change: impl FnMut(&mut Value)) {
    for field in ["podAffinity", "podAntiAffinity"] {
        let Some(own) = spec.get_mut("affinity").and_then(|a| a.get_mut(field)) else { continue };
        if let Some(list) = own.get_mut(REQUIRED) {
            list.items_mut().iter_mut().for_each(&mut change);
        }
        if let Some(list) = own.get_mut(PREFERRED) {
            list.items_mut().iter_mut().filter_map(|w| w.get_mut("podAffinityTerm")).for_each(&mut change);
        }
    }
}

/// Selectors that a stored pod may keep.
pub fn validate_term_selectors(spec: &Value, path: &Path, errs: &mut ErrorList) {
    terms(spec).for_each(|term| validate_term_selector(term, false, path, errs));
}
