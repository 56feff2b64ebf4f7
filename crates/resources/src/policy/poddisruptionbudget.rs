//! PodDisruptionBudget: how many pods evictions may take away at once.

use crate::cells::{self, AGE, ColumnRow, NAME};
use crate::core::pod::internal;
use crate::rules::{conditions, label_selector};
use crate::{strategies, workload};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
        .short_names(&["pdb"])
        .storage_version_hash("EVWiDmWqyJw=")
        .strategy(Strategy {
            unconditional_update: false,
            metadata: MetadataRules::NONE,
            name: NameRule::PathSegment,
            ..strategies::SPEC_AND_STATUS
        })
        .columns(COLUMNS, cells)
        .hooks(Budget)
        .status(Strategy { metadata: MetadataRules::NONE, ..strategies::STATUS }, Status)
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Min Available", "string", "", 0, "The minimum number of pods that must be available."),
    ("Max Unavailable", "string", "", 0, "The maximum number of pods that may be unavailable."),
    ("Allowed Disruptions", "integer", "", 0, "Calculated number of pods that may be disrupted at this time."),
    AGE,
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let amount = |value: &Value| match value {
        Value::Null => "N/A".to_string(),
        Value::Int(n) => n.to_string(),
        other => other.str().to_string(),
    };
    vec![
        cells::name(object),
        Value::from(amount(&spec["minAvailable"])),
        Value::from(amount(&spec["maxUnavailable"])),
        Value::Int(object["status"]["disruptionsAllowed"].int()),
        cells::age(object, now),
    ]
}

struct Budget;

impl Hooks for Budget {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate(&object["spec"], false, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let mut found = ErrorList::new();
        label_selector::validate(&old["spec"]["selector"], false, &Path::root(), &mut found);
        validate(&object["spec"], !found.is_empty(), errs);
    }
}

/// `lenient`: values in the stored selector are wrong already.
fn validate(spec: &Value, lenient: bool, errs: &mut ErrorList) {
    let path = Path::new("spec");
    let limits = ["minAvailable", "maxUnavailable"];
    if limits.iter().all(|limit| !spec[*limit].is_null()) {
        let shown = internal::shown("PodDisruptionBudgetSpec", spec);
        errs.invalid(&path, shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for limit in limits {
        workload::validate_int_or_percent(&spec[limit], &path.child(limit), errs);
        workload::validate_at_most_all(&spec[limit], &path.child(limit), errs);
    }
    label_selector::validate(&spec["selector"], lenient, &path.child("selector"), errs);
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    if let Some(policy) = spec["unhealthyPodEvictionPolicy"].as_str().filter(|policy| !policies.contains(policy)) {
        errs.not_supported(&path.child("unhealthyPodEvictionPolicy"), policy, &policies);
    }
}

struct Status;

impl Hooks for Status {
    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        let (status, path) = (&object["status"], Path::new("status"));
        conditions::validate(status["conditions"].items(), &path.child("conditions"), errs);
        let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
        workload::validate_counts(status, &counts, &path, errs);
    }
}
