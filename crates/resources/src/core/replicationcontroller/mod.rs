//! ReplicationController: a number of pods like a template, found by plain labels.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use meta::{Str, Value};
use resource::{
    DefaultGc, Descriptor, Generation, NoHooks, PART_VERBS, ScaleSelector, SelectValue, Strategy, SubresourceKind,
};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "ReplicationController", "replicationcontrollers")
        .short_names(&["rc"])
        .categories(&["all"])
        .storage_prefix("/registry/controllers")
        .storage_version_hash("Jond2If31h0=")
        .strategy(Strategy {
            generation: Generation::Spec,
            default_gc: DefaultGc::Orphan,
            ..crate::strategies::SPEC_AND_STATUS
        })
        .columns(COLUMNS, cells)
        .select_value("status.replicas", SelectValue::Function(replicas))
        .status(crate::strategies::STATUS, NoHooks)
        .with_subresource(
            "scale",
            crate::strategies::scale_kind(),
            PART_VERBS,
            SubresourceKind::Scale {
                spec_replicas: "spec.replicas".into(),
                status_replicas: "status.replicas".into(),
                selector: ScaleSelector::Labels("spec.selector".into()),
            },
        )
}

fn replicas(object: &Value) -> Str {
    object["status"]["replicas"].int().to_string().into()
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    (
        "Desired",
        "integer",
        "",
        0,
        "Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller",
    ),
    (
        "Current",
        "integer",
        "",
        0,
        "Replicas is the most recently observed number of replicas. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller",
    ),
    ("Ready", "integer", "", 0, "The number of ready replicas for this replication controller."),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        "",
        1,
        "Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is defaulted to the labels present on the Pod template. Label keys and values that must match in order to be controlled by this replication controller, if empty defaulted to labels on Pod template. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
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
        Value::from(cells::labels_text(&spec["selector"])),
    ]
}
