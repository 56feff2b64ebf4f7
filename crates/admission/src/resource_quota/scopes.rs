//! Scopes: which objects a quota looks at.

use super::usage::Counted;
use crate::resource_list::is_best_effort;
use meta::Value;

/// One scope that a quota or a configuration asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    name: String,
    operator: String,
    values: Vec<Value>,
}

impl std::fmt::Display for Scope {
    /// `{PriorityClass In [cluster-services]}`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<&str> = self.values.iter().map(Value::str).collect();
        write!(f, "{{{} {} [{}]}}", self.name, self.operator, values.join(" "))
    }
}

impl Scope {
    /// Of an expression of a scope selector.
    pub fn of_expression(expression: &Value) -> Scope {
        Scope {
            name: expression["scopeName"].str().into(),
            operator: expression["operator"].str().into(),
            values: expression["values"].items().to_vec(),
        }
    }

    /// Is the object in the scope?
    pub fn holds(&self, counted: &Counted, object: &Value) -> bool {
        in_scope(counted, object, &self.name, &self.operator, &self.values)
    }
}

/// The scopes that a quota asks for.
pub fn of_quota(quota: &Value) -> Vec<Scope> {
    let plain = quota["spec"]["scopes"].items().iter().map(|scope| Scope {
        name: scope.str().into(),
        operator: "Exists".into(),
        values: Vec::new(),
    });
    let selected = quota["spec"]["scopeSelector"]["matchExpressions"].items().iter().map(Scope::of_expression);
    plain.chain(selected).collect()
}

/// Is the object in every scope of the quota?
pub fn matches(quota: &Value, counted: &Counted, object: &Value) -> bool {
    of_quota(quota).iter().all(|scope| scope.holds(counted, object))
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

fn looks_into_other_namespaces(affinity: &Value) -> bool {
    let terms = ["podAffinity", "podAntiAffinity"].into_iter().flat_map(|kind| {
        let required = affinity[kind]["requiredDuringSchedulingIgnoredDuringExecution"].items().iter();
        let preferred = affinity[kind]["preferredDuringSchedulingIgnoredDuringExecution"].items().iter();
        required.chain(preferred.map(|weighted| &weighted["podAffinityTerm"]))
    });
    terms.into_iter().any(|term| !term["namespaces"].is_empty() || !term["namespaceSelector"].is_null())
}
