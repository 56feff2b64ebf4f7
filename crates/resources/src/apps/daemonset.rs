//! DaemonSet: one pod on every node that fits.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::strategies;
use meta::Value;
use resource::{Descriptor, NoHooks};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "DaemonSet", "daemonsets")
        .short_names(&["ds"])
        .categories(&["all"])
        .storage_version_hash("dd7pWHUlMKQ=")
        .strategy(strategies::SPEC_AND_STATUS)
        .columns(COLUMNS, cells)
        .status(strategies::STATUS, NoHooks)
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    (
        "Desired",
        "integer",
        "",
        0,
        "The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
    ),
    (
        "Current",
        "integer",
        "",
        0,
        "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod. More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
    ),
    (
        "Ready",
        "integer",
        "",
        0,
        "numberReady is the number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.",
    ),
    ("Up-to-date", "integer", "", 0, "The total number of nodes that are running updated daemon pod"),
    (
        "Available",
        "integer",
        "",
        0,
        "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available (ready for at least spec.minReadySeconds)",
    ),
    (
        "Node Selector",
        "string",
        "",
        0,
        "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must match a node's labels for the pod to be scheduled on that node. More info: https://kubernetes.io/docs/concepts/configuration/assign-pod-node/",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        "",
        1,
        "A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let [names, images] = cells::containers(&spec["template"]["spec"]);
    vec![
        cells::name(object),
        Value::Int(status["desiredNumberScheduled"].int()),
        Value::Int(status["currentNumberScheduled"].int()),
        Value::Int(status["numberReady"].int()),
        Value::Int(status["updatedNumberScheduled"].int()),
        Value::Int(status["numberAvailable"].int()),
        Value::from(cells::labels_text(&spec["template"]["spec"]["nodeSelector"])),
        cells::age(object, now),
        names,
        images,
        Value::from(cells::selector_cell(&spec["selector"])),
    ]
}
