//! ReplicaSet: a number of pods like a template.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::template;
use crate::strategies;
use crate::workload;
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, PART_VERBS, ScaleSelector, SubresourceKind};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "ReplicaSet", "replicasets")
        .short_names(&["rs"])
        .categories(&["all"])
        .storage_version_hash("P1RzHs8/mWQ=")
        .strategy(strategies::SPEC_AND_STATUS)
        .columns(COLUMNS, cells)
        .cell_fields(CELL_FIELDS)
        .hooks(ReplicaSet)
        .status(strategies::STATUS, Status)
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

/// What [`cells`] reads.
const CELL_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "spec.replicas",
    "spec.selector",
    "spec.template.spec.containers.name",
    "spec.template.spec.containers.image",
    "status.replicas",
    "status.readyReplicas",
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

const TEMPLATE: &[&str] = &["spec", "template"];

struct ReplicaSet;

impl Hooks for ReplicaSet {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        spec.set_default("replicas", 1);
        template::default_template(spec.entry("template"));
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        template::drop_disabled(object.entry("spec").entry("template"), None);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        template::drop_disabled(object.entry("spec").entry("template"), Some(&old["spec"]["template"]));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], Some(&old["spec"]["template"]), errs);
        workload::validate_selector_kept(&object["spec"], &old["spec"], &Path::new("spec"), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        workload::warn(object, old, TEMPLATE, out);
    }
}

fn validate_spec(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    workload::validate_counts(spec, &["replicas", "minReadySeconds"], &path, errs);
    workload::validate_replicated(spec, old, &path, errs);
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        ReplicaSet.default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        let (status, path) = (&object["status"], Path::new("status"));
        let counts = [
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "terminatingReplicas",
            "observedGeneration",
        ];
        workload::validate_counts(status, &counts, &path, errs);
        let parts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
        workload::validate_at_most(status, &parts, "replicas", &path, errs);
        workload::validate_at_most(status, &["availableReplicas"], "readyReplicas", &path, errs);
    }
}
