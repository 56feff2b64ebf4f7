//! PriorityLevelConfiguration: how many requests of a level run at once, and how the rest wait.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
    )
    .cluster_scoped()
    .storage_version_hash("Kir5PVfvNeI=")
    .strategy(Strategy {
        generation: Generation::Spec,
        reset_on_create: &["status"],
        keep_on_update: &["status"],
        reset_fields: &["status"],
        ..Strategy::default()
    })
    .hooks(PriorityLevelConfiguration)
    .status(
        Strategy { keep_on_update: &["spec"], reset_fields: &["metadata", "spec"], ..Strategy::default() },
        PriorityLevelConfigurationStatus,
    );
    columns::with(descriptor, priority_level_cells)
}

fn priority_level_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let limited = &spec["limited"];
    let queuing = &limited["limitResponse"]["queuing"];
    let number = |holder: &Value, key: &str| match holder.is_null() {
        true => cells::NONE.into(),
        false => Value::from(holder[key].int()),
    };
    vec![
        cells::name(object),
        spec["type"].str().into(),
        number(limited, "nominalConcurrencyShares"),
        number(queuing, "queues"),
        number(queuing, "handSize"),
        number(queuing, "queueLengthLimit"),
        cells::age(object, now),
    ]
}

struct PriorityLevelConfiguration;

impl Hooks for PriorityLevelConfiguration {}

struct PriorityLevelConfigurationStatus;

impl Hooks for PriorityLevelConfigurationStatus {}
