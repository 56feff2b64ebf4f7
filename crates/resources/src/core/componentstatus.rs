//! ComponentStatus: the health of the control plane, computed and not stored.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ComponentStatus", "componentstatuses")
        .cluster_scoped()
        .short_names(&["cs"])
        .verbs(&[Verb::Get, Verb::List])
        .not_stored()
        .hooks(ComponentStatus)
        .deprecated("v1 ComponentStatus is deprecated in v1.19+");
    columns::with(descriptor, component_cells)
}

fn component_cells(object: &Value, _now: i64) -> Vec<Value> {
    let healthy = object["conditions"].items().iter().find(|c| c["type"].str() == "Healthy");
    let (status, condition) = match healthy {
        None => ("Unknown", &Value::Null),
        Some(c) if c["status"].str() == "True" => ("Healthy", c),
        Some(c) => ("Unhealthy", c),
    };
    vec![cells::name(object), status.into(), condition["message"].str().into(), condition["error"].str().into()]
}

struct ComponentStatus;

impl Hooks for ComponentStatus {}
