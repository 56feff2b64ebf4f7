//! Rules for nodes.

use crate::core::pod::{internal, resources, scheduling};
use crate::rules::ip;
use meta::field::{ErrorList, Path, quote};
use meta::{Value, json, name};
use std::collections::BTreeSet;

const TAINTS: &str = "scheduler.alpha.kubernetes.io/taints";
const AVOID_PODS: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";
const CIDRS_KEPT: &str = "node updates may not change podCIDR except from \"\" to valid";
const PROVIDER_KEPT: &str = "node updates may not change providerID except from \"\" to valid";

/// Rules for a node as it is.
pub fn validate(node: &Value, errs: &mut ErrorList) {
    validate_annotations(&node["metadata"]["annotations"], errs);
    let (spec, status) = (&node["spec"], &node["status"]);
    // upstream's path for them
    validate_taints(spec["taints"].items(), &Path::new("metadata").child("taints"), errs);
    validate_resources(status, errs);
    if let Some(swap) = status["nodeInfo"]["swap"]["capacity"].as_int().filter(|swap| *swap <= 0) {
        let at = Path::new("metadata").child("nodeSwapStatus").child("capacity");
        errs.invalid(&at, swap, "must be greater than zero");
    }
    validate_features(status, errs);
    validate_cidrs(&spec["podCIDRs"], &Path::new("spec").child("podCIDRs"), errs);
}

/// Names of features that the node declares: sorted, each once.
fn validate_features(status: &Value, errs: &mut ErrorList) {
    let path = Path::new("status").child("declaredFeatures");
    let features = status["declaredFeatures"].items();
    for (i, feature) in features.iter().map(Value::str).enumerate() {
        if feature.len() > name::DNS1123_SUBDOMAIN_MAX {
            let most = name::DNS1123_SUBDOMAIN_MAX;
            let detail = format!("invalid feature name {}: must be no more than {most} characters", quote(feature));
            errs.invalid(&path.index(i), feature, &detail);
        } else if !is_feature(feature) {
            let rule = "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
            errs.invalid(&path.index(i), feature, &format!("invalid feature name {}: {rule}", quote(feature)));
        }
        match features.get(i + 1).map(Value::str) {
            Some(next) if next == feature => errs.duplicate(&path.index(i + 1), next),
            Some(next) if next < feature => {
                errs.invalid(&path.index(i + 1), next, "list must be sorted alphabetically");
            }
            _ => {}
        }
    }
}

fn is_feature(name: &str) -> bool {
    let is_segment = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic()) && segment.chars().all(|c| c.is_ascii_alphanumeric())
    };
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.split('/').all(is_segment)
}

/// Rules for a changed node, or its changed status.
pub fn validate_change(node: &Value, old: &Value, errs: &mut ErrorList) {
    validate_annotations(&node["metadata"]["annotations"], errs);
    let (spec, stored) = (&node["spec"], &old["spec"]);
    let (path, status_path) = (Path::new("spec"), Path::new("status"));
    validate_resources(&node["status"], errs);
    validate_features(&node["status"], errs);
    let mut seen = BTreeSet::new();
    for (i, address) in node["status"]["addresses"].items().iter().enumerate() {
        if !seen.insert((address["type"].str(), address["address"].str())) {
            let at = status_path.child("addresses").index(i);
            errs.duplicate(&at, internal::shown("NodeAddress", address));
        }
    }
    let (new, kept) = (spec["podCIDRs"].items(), stored["podCIDRs"].items());
    let at = path.child("podCIDRs");
    if !kept.is_empty() && new.len() != kept.len() {
        errs.forbidden(&at, CIDRS_KEPT);
    } else {
        kept.iter().zip(new).filter(|(old, new)| old != new).for_each(|_| errs.forbidden(&at, CIDRS_KEPT));
    }
    if !stored["providerID"].is_empty() && stored["providerID"] != spec["providerID"] {
        errs.forbidden(&path.child("providerID"), PROVIDER_KEPT);
    }
    validate_config(&spec["configSource"], false, &path.child("configSource"), errs);
    for field in ["assigned", "active", "lastKnownGood"] {
        let at = status_path.child("config").child(field);
        validate_config(&node["status"]["config"][field], true, &at, errs);
    }
    validate_taints(spec["taints"].items(), &Path::new("metadata").child("taints"), errs);
    if spec["externalID"].str() != stored["externalID"].str() {
        errs.forbidden(&path.child("externalID"), "may not be updated");
    }
}

fn validate_annotations(annotations: &Value, errs: &mut ErrorList) {
    let path = Path::new("metadata").child("annotations");
    let parsed = |key: &str| match annotations[key].str() {
        "" => Ok(Value::Null),
        text => json::parse(text.as_bytes()).map(|parsed| parsed.value).map_err(|wrong| wrong.to_string()),
    };
    match parsed(TAINTS) {
        Ok(taints) => validate_taints(taints.items(), &path.child(TAINTS), errs),
        Err(wrong) => errs.invalid(&path, TAINTS, &wrong),
    }
    match parsed(AVOID_PODS) {
        Ok(avoided) => {
            for (i, entry) in avoided["preferAvoidPods"].items().iter().enumerate() {
                validate_avoided(entry, &path.child(AVOID_PODS).index(i), errs);
            }
        }
        Err(wrong) => errs.invalid(&path.child("AvoidPods"), AVOID_PODS, &wrong),
    }
}

fn validate_avoided(entry: &Value, path: &Path, errs: &mut ErrorList) {
    let controller = &entry["podSignature"]["podController"];
    let at = path.child("PodSignature");
    if controller.is_null() {
        errs.required(&at, "");
    } else if !controller["controller"].bool() {
        errs.invalid(&at.child("PodController").child("Controller"), false, "must point to a controller");
    }
}

fn validate_taints(taints: &[Value], path: &Path, errs: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, taint) in taints.iter().enumerate() {
        let path = path.index(i);
        let (key, value) = (taint["key"].str(), taint["value"].str());
        errs.invalid_each(&path.child("key"), key, name::qualified_name(key));
        let wrong = name::label_value(value);
        if !wrong.is_empty() {
            errs.invalid(&path.child("value"), value, &wrong.join(";"));
        }
        scheduling::validate_taint_effect(&taint["effect"], &path.child("effect"), errs);
        if !seen.insert((key, taint["effect"].str())) {
            let detail = "taints must be unique by key and effect pair";
            errs.duplicate_because(&path, internal::shown("Taint", taint), detail);
        }
    }
}

fn validate_resources(status: &Value, errs: &mut ErrorList) {
    for list in ["capacity", "allocatable"] {
        let path = Path::new("status").child(list);
        for (resource, amount) in status[list].entries() {
            resources::validate_amount(resource, amount, &path.child_named(resource), errs);
        }
    }
}

/// At most one CIDR of either family.
fn validate_cidrs(cidrs: &Value, path: &Path, errs: &mut ErrorList) {
    let texts: Vec<&str> = cidrs.items().iter().map(Value::str).collect();
    for (i, text) in texts.iter().enumerate() {
        ip::validate_legacy_cidr(text, &[], &path.index(i), errs);
    }
    if texts.len() < 2 {
        return;
    }
    let mut families = BTreeSet::new();
    let mut wrong = None;
    for (i, text) in texts.iter().enumerate() {
        match ip::parse_cidr_sloppy(text) {
            Some((address, _)) => drop(families.insert(ip::is_v6(address))),
            None => {
                wrong = Some(format!("invalid CIDR[{i}]: <nil> (invalid CIDR address: {text})"));
                break;
            }
        }
    }
    let is_dual = wrong.is_none() && families.len() == 2;
    if let Some(wrong) = wrong {
        errs.internal(path, &format!("invalid PodCIDRs. failed to check with dual stack with error:{wrong}"));
    }
    if !is_dual || texts.len() > 2 {
        errs.invalid(path, cidrs, "may specify no more than one CIDR for each IP family");
    }
}

/// Where a kubelet has its configuration from: a feature of the past.
fn validate_config(source: &Value, in_status: bool, path: &Path, errs: &mut ErrorList) {
    if source.is_null() {
        return;
    }
    let (map, at) = (&source["configMap"], path.child("configMap"));
    if map.is_null() {
        let shown = internal::shown("NodeConfigSource", source);
        errs.invalid(path, shown, "exactly one reference subfield must be non-nil");
        return;
    }
    for field in ["uid", "resourceVersion"] {
        match (map[field].is_empty(), in_status) {
            (true, true) => errs.required(&at.child(field), ""),
            (false, false) => errs.forbidden(&at.child(field), &format!("{field} must not be set in spec")),
            _ => {}
        }
    }
    type Rule = fn(&str) -> Vec<String>;
    let rules: [(&str, Rule); 3] = [
        ("namespace", name::dns1123_label),
        ("name", name::dns1123_subdomain),
        ("kubeletConfigKey", name::config_map_key),
    ];
    for (field, rule) in rules {
        match map[field].str() {
            "" => errs.required(&at.child(field), ""),
            text => errs.invalid_each(&at.child(field), text, rule(text)),
        }
    }
}
