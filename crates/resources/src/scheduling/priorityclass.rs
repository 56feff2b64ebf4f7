//! PriorityClass: a name for a pod priority.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses")
        .cluster_scoped()
        .short_names(&["pc"])
        .storage_version_hash("1QwjyaZjj3Y=")
        .strategy(Strategy { generation: Generation::Hooks, ..Strategy::default() })
        .hooks(PriorityClass);
    columns::with(descriptor, priority_cells)
}

fn priority_cells(object: &Value, now: i64) -> Vec<Value> {
    vec![
        cells::name(object),
        object["value"].int().into(),
        object["globalDefault"].bool().into(),
        cells::age(object, now),
        object["preemptionPolicy"].str().into(),
    ]
}

struct PriorityClass;

impl Hooks for PriorityClass {}
