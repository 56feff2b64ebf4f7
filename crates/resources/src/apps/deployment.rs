//! Deployment: pods like a template, replaced step by step when the template changes.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::strategies;
use meta::Value;
use resource::{Descriptor, Generation, NoHooks, PART_VERBS, ScaleSelector, Strategy, SubresourceKind};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "Deployment", "deployments")
        .short_names(&["deploy"])
        .categories(&["all"])
        .storage_version_hash("8aSe+NMegvE=")
        .strategy(Strategy { generation: Generation::Hooks, ..strategies::SPEC_AND_STATUS })
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
    ("Ready", "string", "", 0, "Number of the pod with ready state"),
    (
        "Up-to-date",
        "string",
        "",
        0,
        "Total number of non-terminating pods targeted by this deployment that have the desired template spec.",
    ),
    (
        "Available",
        "string",
        "",
        0,
        "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        "",
        1,
        "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
    ),
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let [names, images] = cells::containers(&spec["template"]["spec"]);
    vec![
        cells::name(object),
        Value::from(format!("{}/{}", status["readyReplicas"].int(), spec["replicas"].int())),
        Value::Int(status["updatedReplicas"].int()),
        Value::Int(status["availableReplicas"].int()),
        cells::age(object, now),
        names,
        images,
        Value::from(cells::selector_text(&spec["selector"]).unwrap_or_else(|| "<invalid>".into())),
    ]
}
