//! ResourceQuota: hard limits on what a namespace uses.

use super::pod::{resources, round_quantities};
use crate::rules::shown;
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use resource::{Context, Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ResourceQuota", "resourcequotas")
        .short_names(&["quota"])
        .storage_version_hash("8uhSgffRX6w=")
        .strategy(Strategy {
            delete_returns_object: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(ResourceQuota)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            ResourceQuotaStatus,
        );
    columns::with(descriptor, quota_cells)
}

fn quota_cells(object: &Value, now: i64) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let status = &object["status"];
    for (name, hard) in status["hard"].entries() {
        let used = status["used"][name].as_str().unwrap_or("0");
        let column = if name.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(format!("{name}: {used}/{}", hard.str()));
    }
    vec![cells::name(object), requests.join(", ").into(), limits.join(", ").into(), cells::age(object, now)]
}

const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
const POD_RESOURCES: &[&str] =
    &["pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const CLAIM_RESOURCES: &[&str] = &["persistentvolumeclaims", "requests.storage"];

/// Scopes with the resources that they apply to, and whether a selector may only ask whether they exist.
const SCOPES: [(&str, &[&str], bool); 7] = [
    ("Terminating", POD_RESOURCES, true),
    ("NotTerminating", POD_RESOURCES, true),
    ("BestEffort", &["pods"], true),
    ("NotBestEffort", POD_RESOURCES, true),
    ("PriorityClass", POD_RESOURCES, false),
    ("CrossNamespacePodAffinity", POD_RESOURCES, true),
    ("VolumeAttributesClass", CLAIM_RESOURCES, false),
];

struct ResourceQuota;

impl Hooks for ResourceQuota {
    fn default(&self, object: &mut Value) {
        for list in ["spec.hard", "status.hard", "status.used"] {
            if let Some(list) = object.path_mut(list) {
                round_quantities(list);
            }
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], errs);
        validate_amounts(&object["status"], "status", errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], errs);
        let scopes = |object: &Value| {
            let mut scopes: Vec<String> =
                object["spec"]["scopes"].items().iter().map(|s| s.str().to_string()).collect();
            scopes.sort_unstable();
            scopes.dedup();
            scopes
        };
        if scopes(object) != scopes(old) {
            errs.invalid(&Path::new("spec").child("scopes"), &object["spec"]["scopes"], "field is immutable");
        }
    }
}

struct ResourceQuotaStatus;

impl Hooks for ResourceQuotaStatus {
    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        validate_amounts(&object["status"], "status", errs);
    }
}

/// Names and amounts under `hard` and `used`.
fn validate_amounts(holder: &Value, field: &'static str, errs: &mut ErrorList) {
    for list in ["hard", "used"] {
        for (key, amount) in holder[list].entries() {
            let path = Path::new(field).child(list).key(key);
            validate_name(key, &path, errs);
            resources::validate_amount(key, amount, &path, errs);
        }
    }
}

fn is_standard(key: &str) -> bool {
    STANDARD.contains(&key) || key.starts_with("hugepages-") || key.starts_with("requests.hugepages-")
}

fn validate_name(key: &str, path: &Path, errs: &mut ErrorList) {
    resources::validate_name(key, path, errs);
    if !key.contains('/') && !is_standard(key) {
        errs.invalid(path, key, "must be a standard resource for quota");
    }
}

fn validate_spec(spec: &Value, errs: &mut ErrorList) {
    validate_amounts(spec, "spec", errs);
    let path = Path::new("spec");
    let scopes = &spec["scopes"];
    let hard: Vec<&str> = spec["hard"].entries().map(|(key, _)| key).filter(|key| is_standard(key)).collect();
    let at = path.child("scopes");
    for scope in scopes.items() {
        match applies_to(scope.str()) {
            None => errs.invalid(&at, scopes, "unsupported scope"),
            Some(known) => {
                for _ in hard.iter().filter(|key| !known.contains(key)) {
                    errs.invalid(&at, scopes, "unsupported scope applied to resource");
                }
            }
        }
    }
    let names: Vec<&str> = scopes.items().iter().map(Value::str).collect();
    validate_conflicts(&names, scopes, &at, errs);
    validate_selector(spec, &hard, &path.child("scopeSelector").child("matchExpressions"), errs);
}

/// The resources of a scope; `None` when there is no such scope.
fn applies_to(scope: &str) -> Option<&'static [&'static str]> {
    SCOPES.iter().find(|(name, _, _)| *name == scope).map(|(_, resources, _)| *resources)
}

fn validate_conflicts(names: &[&str], scopes: &Value, path: &Path, errs: &mut ErrorList) {
    for (a, b) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if names.contains(&a) && names.contains(&b) {
            errs.invalid(path, scopes, "conflicting scopes");
        }
    }
}

fn validate_selector(spec: &Value, hard: &[&str], path: &Path, errs: &mut ErrorList) {
    let selector = &spec["scopeSelector"];
    if selector.is_null() {
        return;
    }
    let expressions = selector["matchExpressions"].items();
    for expression in expressions {
        let scope = expression["scopeName"].str();
        match applies_to(scope) {
            None => errs.invalid(&path.child("scopeName"), scope, "unsupported scope"),
            Some(known) => {
                for _ in hard.iter().filter(|key| !known.contains(key)) {
                    let shown = shown::internal("io.k8s.api.core.v1.ScopeSelector", selector);
                    errs.invalid(path, shown, "unsupported scope applied to resource");
                }
            }
        }
        let operator = expression["operator"].str();
        if SCOPES.iter().any(|(name, _, exists)| *name == scope && *exists) && operator != "Exists" {
            let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            errs.invalid(&path.child("operator"), operator, detail);
        }
        let values = &expression["values"];
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                errs.required(&path.child("values"), detail);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                errs.invalid(&path.child("values"), Shown::from(values), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errs.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
    }
    let names: Vec<&str> = expressions.iter().map(|e| e["scopeName"].str()).collect();
    validate_conflicts(&names, &spec["scopes"], path, errs);
}
