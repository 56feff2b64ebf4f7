//! ReplicationController: a number of pods like a template, found by plain labels.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::template;
use crate::workload;
use meta::field::{ErrorList, Path, Shown};
use meta::json;
use meta::{Str, Value};
use resource::{
    Context, DefaultGc, Descriptor, Generation, Hooks, NameRule, PART_VERBS, ScaleSelector, SelectValue, Strategy,
    SubresourceKind,
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
            name: NameRule::LongName,
            generation: Generation::Spec,
            default_gc: DefaultGc::Orphan,
            ..crate::strategies::SPEC_AND_STATUS
        })
        .columns(COLUMNS, cells)
        .select_value("status.replicas", SelectValue::Function(replicas))
        .hooks(ReplicationController)
        .status(crate::strategies::STATUS, Status)
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

const TEMPLATE: &[&str] = &["spec", "template"];

struct ReplicationController;

impl Hooks for ReplicationController {
    fn default(&self, object: &mut Value) {
        let labels = object["spec"]["template"]["metadata"]["labels"].clone();
        if !labels.is_empty() {
            if object["spec"]["selector"].is_empty() {
                object.entry("spec").set("selector", &labels);
            }
            if object["metadata"]["labels"].is_empty() {
                object.entry("metadata").set("labels", labels);
            }
        }
        object.entry("spec").set_default("replicas", 1);
        if let Some(template) = workload::template_mut(object, TEMPLATE) {
            template::default_template(template);
        }
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        if let Some(template) = workload::template_mut(object, TEMPLATE) {
            template::drop_disabled(template, None);
        }
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        if let Some(template) = workload::template_mut(object, TEMPLATE) {
            template::drop_disabled(template, Some(&old["spec"]["template"]));
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], Some(&old["spec"]["template"]), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        match old {
            // upstream looks at the template that was
            Some(old) if old["metadata"]["generation"] != object["metadata"]["generation"] => {
                workload::warn_template(old, TEMPLATE, out);
            }
            _ => workload::warn(object, old, TEMPLATE, out),
        }
    }
}

fn validate_spec(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    errs.non_negative(&path.child("minReadySeconds"), spec["minReadySeconds"].int());
    let selector = &spec["selector"];
    if selector.is_empty() {
        errs.required(&path.child("selector"), "");
    }
    errs.non_negative(&path.child("replicas"), spec["replicas"].int());
    let (template, at) = (&spec["template"], path.child("template"));
    if template.is_null() {
        errs.required(&at, "");
        return;
    }
    let labels = &template["metadata"]["labels"];
    if selector.entries().any(|(key, value)| labels.get(key) != Some(value)) {
        let shown = Shown(json::to_string(labels));
        errs.invalid(&at.child("metadata").child("labels"), shown, "`selector` does not match template `labels`");
    }
    workload::validate_always(spec, old, "ReplicationController", &path, errs);
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        ReplicationController.default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        let (status, path) = (&object["status"], Path::new("status"));
        let counts = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];
        workload::validate_counts(status, &counts, &path, errs);
        let parts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
        workload::validate_at_most(status, &parts, "replicas", &path, errs);
        workload::validate_at_most(status, &["availableReplicas"], "readyReplicas", &path, errs);
    }
}
