//! ReplicaSet: a number of pods like a template.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::strategies;
use meta::Value;
use resource::{Descriptor, NoHooks, PART_VERBS, ScaleSelector, SubresourceKind};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "ReplicaSet", "replicasets")
        .short_names(&["rs"])
        .categories(&["all"])
        .storage_version_hash("P1RzHs8/mWQ=")
        .strategy(strategies::SPEC_AND_STATUS)
        .columns(COLUMNS, cells)
        .status(strategies::STATUS, NoHooks)
        .with_subresource(
            "scale",
            strategies::scale_kind(),
            PART_VERBS,
            SubresourceKind::Scale {
                spec_replicas: "spec.replicas".into(),
                status_replicas: "status.replicas".into(),
                selector: ScaleSelector::LabelSelector("spec.selector".into()),
            },
        )
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    (
        "Desired",
        "integer",
        "",
        0,
        "Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    (
        "Current",
        "integer",
        "",
        0,
        "Replicas is the most recently observed number of non-terminating pods. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    (
        "Ready",
        "integer",
        "",
        0,
        "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        "",
        1,
        "Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let [names, images] = cells::containers(&spec["template"]["spec"]);
    vec![
        cells::name(object),
        Value::Int(spec["replicas"].int()),
        Value::Int(status["replicas"].int()),
        Value::Int(status["readyReplicas"].int()),
        cells::age(object, now),
        names,
        images,
        Value::from(cells::selector_cell(&spec["selector"])),
    ]
}
