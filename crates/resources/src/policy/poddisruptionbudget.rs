//! PodDisruptionBudget: how many pods evictions may take away at once.

use crate::cells::{self, AGE, ColumnRow, NAME};
use crate::strategies;
use meta::Value;
use resource::{Descriptor, NameRule, NoHooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
        .short_names(&["pdb"])
        .storage_version_hash("EVWiDmWqyJw=")
        .strategy(Strategy { unconditional_update: false, name: NameRule::PathSegment, ..strategies::SPEC_AND_STATUS })
        .columns(COLUMNS, cells)
        .status(strategies::STATUS, NoHooks)
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
