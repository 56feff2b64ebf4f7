//! The devices of a ResourceSlice.

use super::names::{self, QUALIFIED_NAME_MAX, shortened, validate_label, validate_list, validate_set};
use super::{capacity, taints};
use crate::core::pod::affinity::validate_node_selector;
use crate::rules::{immutable, shown};
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, name};

const ATTRIBUTES_AND_CAPACITIES_MAX: usize = 32;
const TAINTS_MAX: usize = 16;
const CONSUMED_SETS_MAX: usize = 2;
const COUNTERS_MAX: usize = 32;
const ATTRIBUTE_VALUE_MAX: usize = 64;

/// A device; `old` is the stored one of the same name. `per_device` says that each device names its nodes itself.
pub fn validate(device: &Value, old: Option<&Value>, per_device: bool, path: &Path, errs: &mut ErrorList) {
    validate_label(device["name"].str(), &path.child("name"), errs);
    let (attributes, capacities) = (&device["attributes"], &device["capacity"]);
    let count = attributes.entries().len() + capacities.entries().len();
    if count > ATTRIBUTES_AND_CAPACITIES_MAX {
        let message =
            format!("the total number of attributes and capacities must not exceed {ATTRIBUTES_AND_CAPACITIES_MAX}");
        errs.invalid(path, count as i64, &message);
    }
    validate_named(attributes, &path.child("attributes"), errs, validate_attribute);
    let is_new = |field: &str| old.is_none_or(|old| !immutable::same(&old[field], &device[field]));
    let shared = device["allowMultipleAllocations"].bool();
    validate_named(capacities, &path.child("capacity"), errs, |value, at, errs| {
        capacity::validate(value, shared, at, errs);
    });
    if is_new("taints") {
        validate_list(&device["taints"], TAINTS_MAX, &path.child("taints"), errs, taints::validate_taint);
    }
    let (sets, at) = (&device["consumesCounters"], path.child("consumesCounters"));
    validate_set(
        sets,
        CONSUMED_SETS_MAX,
        |set| set["counterSet"].str(),
        &at,
        errs,
        |set, at, errs| {
            validate_counters(set, "counterSet", at, errs);
        },
    );
    if per_device {
        validate_nodes(device, path, errs);
    } else if ["nodeName", "nodeSelector", "allNodes"].iter().any(|field| !device[*field].is_null()) {
        errs.invalid(path, &Value::Null, NODES_OF_SLICE);
    }
    taints::validate_binding(device, path, errs);
}

const NODES_OF_SLICE: &str = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
const NODES_OF_DEVICE: &str = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";

fn validate_nodes(device: &Value, path: &Path, errs: &mut ErrorList) {
    let mut set = Vec::new();
    if let Some(node) = device["nodeName"].as_str() {
        let at = path.child("nodeName");
        if node.is_empty() {
            errs.invalid(&at, "", "must not be empty");
        } else {
            set.push("`nodeName`");
            errs.invalid_each(&at, node, name::dns1123_subdomain(node));
        }
    }
    if !device["nodeSelector"].is_null() {
        set.push("`nodeSelector`");
        validate_node_selector(&device["nodeSelector"], false, &path.child("nodeSelector"), errs);
    }
    match device["allNodes"].as_bool() {
        Some(true) => set.push("`allNodes`"),
        Some(false) => errs.invalid(&path.child("allNodes"), false, "must be either unset or set to true"),
        None => {}
    }
    match set.len() {
        0 => errs.required(path, NODES_OF_DEVICE),
        1 => {}
        _ => errs.invalid(path, format!("{{{}}}", set.join(", ")), NODES_OF_DEVICE),
    }
}

/// A map whose keys are qualified names. What is wrong with a key is told at the map.
fn validate_named(map: &Value, path: &Path, errs: &mut ErrorList, validate: impl Fn(&Value, &Path, &mut ErrorList)) {
    for (key, value) in map.entries() {
        names::validate_qualified(key, path, errs);
        validate(value, &path.key(&shortened(key, QUALIFIED_NAME_MAX)), errs);
    }
}

fn validate_attribute(attribute: &Value, path: &Path, errs: &mut ErrorList) {
    let too_long = |field: &'static str, errs: &mut ErrorList| {
        if attribute[field].str().len() > ATTRIBUTE_VALUE_MAX {
            errs.too_long(&path.child(field), ATTRIBUTE_VALUE_MAX);
        }
    };
    too_long("string", errs);
    if let Some(version) = attribute["version"].as_str() {
        if !is_semantic_version(version) {
            errs.invalid(&path.child("version"), version, "must be a string compatible with semver.org spec 2.0.0");
        }
        too_long("version", errs);
    }
    match ["int", "bool", "string", "version"].iter().filter(|field| !attribute[**field].is_null()).count() {
        0 => errs.invalid(path, "", "exactly one value must be specified"),
        1 => {}
        _ => errs.invalid(path, shown_attribute(attribute), "exactly one value must be specified"),
    }
}

/// In Go the fields of an attribute are IntValue, BoolValues and so on.
fn shown_attribute(attribute: &Value) -> Shown {
    let plain = shown::internal("io.k8s.api.resource.v1.DeviceAttribute", attribute).0;
    let kinds = ["Int", "Bool", "String", "Version"];
    Shown(kinds.iter().fold(plain, |text, kind| {
        text.replacen(&format!("\"{kind}\":"), &format!("\"{kind}Value\":"), 1).replacen(
            &format!("\"{kind}s\":"),
            &format!("\"{kind}Values\":"),
            1,
        )
    }))
}

/// `1.2.3-alpha.1+build.5` (semver.org).
fn is_semantic_version(text: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, release) = text.split_once('-').map_or((text, None), |(core, release)| (core, Some(release)));
    let is_release = |part: &str| is_word(part) && (is_number(part) || !part.bytes().all(|b| b.is_ascii_digit()));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && release.is_none_or(|release| release.split('.').all(is_release))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

/// Counters by name, in a set whose own name is in `field`.
pub fn validate_counters(set: &Value, field: &'static str, path: &Path, errs: &mut ErrorList) {
    let name = set[field].str();
    if name.is_empty() {
        errs.required(&path.child(field), "");
    } else {
        validate_label(name, &path.child(field), errs);
    }
    let (counters, at) = (&set["counters"], path.child("counters"));
    match counters.entries().len() {
        0 => errs.required(&at, ""),
        count if count > COUNTERS_MAX => errs.too_many(&at, count, COUNTERS_MAX),
        _ => counters.entries().for_each(|(key, _)| validate_label(key, &at, errs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn versions_are_semantic() {
        for text in ["1.2.3", "0.0.0", "1.0.0-alpha.1", "1.0.0-0a.b-c+build.01", "1.0.0+1-2"] {
            assert!(is_semantic_version(text), "{text}");
        }
        for text in ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3.4", "1.2.3+a+b"] {
            assert!(!is_semantic_version(text), "{text}");
        }
    }

    #[test]
    fn an_attribute_has_one_value() {
        let mut errs = ErrorList::new();
        validate_attribute(&value!({"int": 1, "string": "a"}), &Path::new("at"), &mut errs);
        let message = errs.message();
        assert!(message.contains(r#"{"IntValue":1,"BoolValue":null,"StringValue":"a","#), "{message}");
    }
}
