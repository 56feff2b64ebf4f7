//! Scopes: which objects a quota looks at.

use super::usage::Counted;
use meta::Value;

/// Is the object in every scope of the quota?
pub fn matches(quota: &Value, counted: &Counted, object: &Value) -> bool {
    let plain = quota["spec"]["scopes"].items().iter().map(|scope| (scope.str(), "Exists", &[][..]));
    let expressions = quota["spec"]["scopeSelector"]["matchExpressions"].items();
    let selected = expressions.iter().map(|e| (e["scopeName"].str(), e["operator"].str(), e["values"].items()));
    plain.chain(selected).all(|(scope, operator, values)| in_scope(counted, object, scope, operator, values))
}

fn in_scope(counted: &Counted, object: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let spec = &object["spec"];
    match (counted, scope) {
        (Counted::Pods, "Terminating") => spec["activeDeadlineSeconds"].as_int().is_some_and(|seconds| seconds >= 0),
        (Counted::Pods, "NotTerminating") => spec["activeDeadlineSeconds"].is_null(),
        (Counted::Pods, "BestEffort") => is_best_effort(object),
        (Counted::Pods, "NotBestEffort") => !is_best_effort(object),
        (Counted::Pods, "PriorityClass") => selects(operator, values, spec["priorityClassName"].str()),
        (Counted::Pods, "CrossNamespacePodAffinity") => looks_into_other_namespaces(&spec["affinity"]),
        (Counted::Claims, "VolumeAttributesClass") => {
            selects(operator, values, spec["volumeAttributesClassName"].str())
        }
        // Other resources are in no scope.
        _ => false,
    }
}

fn selects(operator: &str, values: &[Value], name: &str) -> bool {
    let listed = values.iter().any(|value| value.str() == name);
    match operator {
        "In" => !name.is_empty() && listed,
        "NotIn" => !listed,
        "Exists" => !name.is_empty(),
        "DoesNotExist" => name.is_empty(),
        _ => false,
    }
}

fn is_best_effort(pod: &Value) -> bool {
    let spec = &pod["spec"];
    let asks = |resources: &Value| {
        let named = ["requests", "limits"].iter().flat_map(|kind| resources[*kind].entries());
        named.into_iter().any(|(name, amount)| matches!(name, "cpu" | "memory") && amount.str() != "0")
    };
    let containers = ["containers", "initContainers"].iter().flat_map(|field| spec[*field].items());
    !asks(&spec["resources"]) && !containers.into_iter().any(|container| asks(&container["resources"]))
}

fn looks_into_other_namespaces(affinity: &Value) -> bool {
    let terms = ["podAffinity", "podAntiAffinity"].into_iter().flat_map(|kind| {
        let required = affinity[kind]["requiredDuringSchedulingIgnoredDuringExecution"].items().iter();
        let preferred = affinity[kind]["preferredDuringSchedulingIgnoredDuringExecution"].items().iter();
        required.chain(preferred.map(|weighted| &weighted["podAffinityTerm"]))
    });
    terms.into_iter().any(|term| !term["namespaces"].is_empty() || !term["namespaceSelector"].is_null())
}
