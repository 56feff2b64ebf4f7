//! Rules for the spec of an autoscaler.

use crate::core::pod::resources;
use meta::field::{ErrorList, Path};
use meta::{Value, name};

const PERIOD_MAX: i64 = 1800;
const WINDOW_MAX: i64 = 3600;
const SOURCES: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];
const SELECTIONS: &[&str] = &["Disabled", "Max", "Min"];
const POLICIES: &[&str] = &["Percent", "Pods"];
const ONE_TARGET: &str = "must set either a target raw value or a target utilization";
const NOT_BOTH: &str = "may not set both a target raw value and a target utilization";

pub fn validate(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    let least = i64::from(old.is_none_or(|old| old["minReplicas"] != Value::Int(0)));
    let (min, max) = (spec["minReplicas"].as_int(), spec["maxReplicas"].int());
    if let Some(min) = min.filter(|min| *min < least) {
        errs.invalid(&path.child("minReplicas"), min, &format!("must be greater than or equal to {least}"));
    }
    let at = path.child("maxReplicas");
    match max {
        0 => errs.required(&at, "must be set and greater than 0"),
        max if max < 0 => errs.invalid(&at, max, "must be greater than or equal to 1"),
        _ => {}
    }
    if min.is_some_and(|min| max < min) {
        errs.invalid(&at, max, "must be greater than or equal to `minReplicas`");
    }
    let target = &spec["scaleTargetRef"];
    let at = path.child("scaleTargetRef");
    validate_reference(target, &at, errs);
    let was_wrong = old.is_some_and(|old| check_version(&old["scaleTargetRef"]).is_err());
    if let Err(wrong) = check_version(target)
        && !was_wrong
    {
        errs.invalid(&at.child("apiVersion"), target["apiVersion"].str(), &wrong);
    }
    validate_metrics(spec, min, &path.child("metrics"), errs);
    for direction in ["scaleUp", "scaleDown"] {
        let rules = &spec["behavior"][direction];
        if !rules.is_null() {
            validate_rules(rules, &path.child("behavior").child(direction), errs);
        }
    }
}

fn validate_segment(value: &Value, missing: &str, path: &Path, errs: &mut ErrorList) {
    match value.str() {
        "" => errs.required(path, missing),
        text => errs.invalid_each(path, text, name::path_segment(text)),
    }
}

fn validate_reference(reference: &Value, path: &Path, errs: &mut ErrorList) {
    for field in ["kind", "name"] {
        validate_segment(&reference[field], "", &path.child(field), errs);
    }
}

/// The version of what is scaled must have a group.
fn check_version(reference: &Value) -> Result<(), String> {
    let group = group_of(reference["apiVersion"].str())?;
    match group.is_empty() && reference["kind"].str() != "ReplicationController" {
        true => Err("apiVersion must specify API group".into()),
        false => Ok(()),
    }
}

fn group_of(version: &str) -> Result<&str, String> {
    match version.matches('/').count() {
        0 => Ok(""),
        1 => Ok(version.split_once('/').map_or("", |(group, _)| group)),
        _ => Err(format!("unexpected GroupVersion string: {version}")),
    }
}

fn validate_metrics(spec: &Value, min: Option<i64>, path: &Path, errs: &mut ErrorList) {
    let metrics = spec["metrics"].items();
    for (i, metric) in metrics.iter().enumerate() {
        validate_metric(metric, &path.index(i), errs);
    }
    let wakes = metrics.iter().any(|metric| ["Object", "External"].contains(&metric["type"].str()));
    if min == Some(0) && !wakes {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errs.forbidden(path, detail);
    }
}

fn validate_metric(metric: &Value, path: &Path, errs: &mut ErrorList) {
    let kind = metric["type"].str();
    let at = path.child("type");
    if kind.is_empty() {
        errs.required(&at, "must specify a metric source type");
    }
    if !SOURCES.contains(&kind) {
        errs.not_supported(&at, kind, SOURCES);
    }
    let sources = ["object", "external", "pods", "resource", "containerResource"];
    let given: Vec<&str> = sources.into_iter().filter(|source| !metric[*source].is_null()).collect();
    if let Some(first) = given.first() {
        validate_source(first, &metric[*first], &path.child_named(first), errs);
    }
    let expected = match kind {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "External" => "external",
        "ContainerResource" => "containerResource",
        _ => {
            errs.not_supported(&at, kind, SOURCES);
            ""
        }
    };
    if !expected.is_empty() && metric[expected].is_null() {
        errs.required(&path.child_named(expected), "must populate information for the given metric source");
    }
    if given.len() != 1 {
        for other in given.into_iter().filter(|source| *source != expected) {
            errs.forbidden(&path.child_named(other), "must populate the given metric source only");
        }
    }
}

fn validate_source(kind: &str, source: &Value, path: &Path, errs: &mut ErrorList) {
    if kind == "object" {
        let at = path.child("describedObject");
        let described = &source["describedObject"];
        validate_reference(described, &at, errs);
        if let Err(wrong) = group_of(described["apiVersion"].str()) {
            errs.invalid(&at.child("apiVersion"), described["apiVersion"].str(), &wrong);
        }
    }
    match kind {
        "resource" | "containerResource" => validate_resource(kind, source, path, errs),
        _ => {
            let at = path.child("metric").child("name");
            validate_segment(&source["metric"]["name"], "must specify a metric name", &at, errs);
        }
    }
    let (target, at) = (&source["target"], path.child("target"));
    validate_target(target, &at, errs);
    let [value, average, utilization] =
        ["value", "averageValue", "averageUtilization"].map(|field| !target[field].is_null());
    let average_at = at.child("averageValue");
    match kind {
        "object" if !value && !average => {
            errs.required(&average_at, "must set either a target value or averageValue");
        }
        "external" if !value && !average => {
            errs.required(&average_at, "must set either a target value for metric or a per-pod target");
        }
        "external" if value && average => {
            let detail = "may not set both a target value for metric and a per-pod target";
            errs.forbidden(&at.child("value"), detail);
        }
        "pods" if !average => errs.required(&average_at, "must specify a positive target averageValue"),
        "resource" | "containerResource" if !utilization && !average => {
            errs.required(&at.child("averageUtilization"), ONE_TARGET);
        }
        "resource" | "containerResource" if utilization && average => errs.forbidden(&average_at, NOT_BOTH),
        _ => {}
    }
}

fn validate_resource(kind: &str, source: &Value, path: &Path, errs: &mut ErrorList) {
    let in_container = kind == "containerResource";
    let at = path.child("name");
    match source["name"].str() {
        "" => errs.required(&at, "must specify a resource name"),
        resource if in_container => resources::validate_container_name(resource, &at, errs),
        _ => {}
    }
    if in_container {
        let at = path.child("container");
        match source["container"].str() {
            "" => errs.required(&at, "must specify a container"),
            container => errs.invalid_each(&at, container, name::dns1123_label(container)),
        }
    }
}

fn validate_target(target: &Value, path: &Path, errs: &mut ErrorList) {
    let (kind, at) = (target["type"].str(), path.child("type"));
    if kind.is_empty() {
        errs.required(&at, "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        errs.invalid(&at, kind, "must be either Utilization, Value, or AverageValue");
    }
    for field in ["value", "averageValue"] {
        let own = &target[field];
        if !own.is_null() && resources::amount(own) <= resources::amount(&Value::Null) {
            errs.invalid(&path.child(field), own, "must be positive");
        }
    }
    if let Some(utilization) = target["averageUtilization"].as_int().filter(|n| *n < 1) {
        errs.invalid(&path.child("averageUtilization"), utilization, "must be greater than 0");
    }
}

fn validate_rules(rules: &Value, path: &Path, errs: &mut ErrorList) {
    let at = path.child("stabilizationWindowSeconds");
    match rules["stabilizationWindowSeconds"].int() {
        window if window < 0 => errs.invalid(&at, window, "must be greater than or equal to zero"),
        window if window > WINDOW_MAX => {
            errs.invalid(&at, window, &format!("must be less than or equal to {WINDOW_MAX}"));
        }
        _ => {}
    }
    if let Some(selection) = rules["selectPolicy"].as_str().filter(|policy| !SELECTIONS.contains(policy)) {
        errs.not_supported(&path.child("selectPolicy"), selection, SELECTIONS);
    }
    let (policies, list) = (rules["policies"].items(), path.child("policies"));
    if policies.is_empty() {
        errs.required(&list, "must specify at least one Policy");
    }
    for (i, policy) in policies.iter().enumerate() {
        validate_policy(policy, &list.index(i), errs);
    }
    let tolerance = &rules["tolerance"];
    if !tolerance.is_null() && resources::amount(tolerance) < resources::amount(&Value::Null) {
        errs.invalid(&path.child("tolerance"), tolerance, "must be greater than or equal to 0");
    }
}

fn validate_policy(policy: &Value, path: &Path, errs: &mut ErrorList) {
    let kind = policy["type"].str();
    if !POLICIES.contains(&kind) {
        errs.not_supported(&path.child("type"), kind, POLICIES);
    }
    for field in ["value", "periodSeconds"] {
        let n = policy[field].int();
        if n <= 0 {
            errs.invalid(&path.child(field), n, "must be greater than zero");
        }
    }
    let period = policy["periodSeconds"].int();
    if period > PERIOD_MAX {
        errs.invalid(&path.child("periodSeconds"), period, &format!("must be less than or equal to {PERIOD_MAX}"));
    }
}
