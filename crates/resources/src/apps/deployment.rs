//! Deployment: pods like a template, replaced step by step when the template changes.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::{default_text, internal, template};
use crate::strategies;
use crate::workload;
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::rules::semantically_equal;
use resource::{Context, Descriptor, Generation, Hooks, PART_VERBS, ScaleSelector, Strategy, SubresourceKind};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "Deployment", "deployments")
        .short_names(&["deploy"])
        .categories(&["all"])
        .storage_version_hash("8aSe+NMegvE=")
        .strategy(Strategy { generation: Generation::Hooks, ..strategies::SPEC_AND_STATUS })
        .columns(COLUMNS, cells)
        .cell_fields(CELL_FIELDS)
        .hooks(Deployment)
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

/// What [`cells`] reads.
const CELL_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "spec.replicas",
    "spec.selector",
    "spec.template.spec.containers.name",
    "spec.template.spec.containers.image",
    "status.readyReplicas",
    "status.updatedReplicas",
    "status.availableReplicas",
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

const TEMPLATE: &[&str] = &["spec", "template"];

struct Deployment;

impl Hooks for Deployment {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        spec.set_default("replicas", 1);
        let strategy = spec.entry("strategy");
        default_text(strategy, "type", "RollingUpdate");
        if strategy["type"].str() == "RollingUpdate" {
            let rolling = strategy.entry("rollingUpdate");
            rolling.set_default("maxUnavailable", "25%");
            rolling.set_default("maxSurge", "25%");
        }
        spec.set_default("revisionHistoryLimit", 10);
        spec.set_default("progressDeadlineSeconds", 600);
        template::default_template(spec.entry("template"));
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        template::drop_disabled(object.entry("spec").entry("template"), None);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        template::drop_disabled(object.entry("spec").entry("template"), Some(&old["spec"]["template"]));
        // annotations count: rollbacks were annotations once
        let annotations = |o: &Value| o["metadata"]["annotations"].clone();
        if !semantically_equal(&object["spec"], &old["spec"])
            || !semantically_equal(&annotations(object), &annotations(old))
        {
            let next = old["metadata"]["generation"].int().saturating_add(1);
            object.entry("metadata").set("generation", next);
        }
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
    errs.non_negative(&path.child("replicas"), spec["replicas"].int());
    workload::validate_replicated(spec, old, &path, errs);
    validate_strategy(&spec["strategy"], &path.child("strategy"), errs);
    let ready = spec["minReadySeconds"].int();
    errs.non_negative(&path.child("minReadySeconds"), ready);
    errs.non_negative(&path.child("revisionHistoryLimit"), spec["revisionHistoryLimit"].int());
    if let Some(deadline) = spec["progressDeadlineSeconds"].as_int() {
        let path = path.child("progressDeadlineSeconds");
        errs.non_negative(&path, deadline);
        if deadline <= ready {
            errs.invalid(&path, deadline, "must be greater than minReadySeconds");
        }
    }
}

fn validate_strategy(strategy: &Value, path: &Path, errs: &mut ErrorList) {
    let (rolling, at) = (&strategy["rollingUpdate"], path.child("rollingUpdate"));
    match strategy["type"].str() {
        "Recreate" if !rolling.is_null() => {
            errs.forbidden(&at, "may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let (unavailable, surge) = (&rolling["maxUnavailable"], &rolling["maxSurge"]);
            let own = at.child("maxUnavailable");
            workload::validate_int_or_percent(unavailable, &own, errs);
            workload::validate_int_or_percent(surge, &at.child("maxSurge"), errs);
            if workload::number(unavailable) == 0 && workload::number(surge) == 0 {
                errs.invalid(&own, unavailable, "may not be 0 when `maxSurge` is 0");
            }
            workload::validate_at_most_all(unavailable, &own, errs);
        }
        _ => errs.not_supported(path, internal::shown("DeploymentStrategy", strategy), &["Recreate", "RollingUpdate"]),
    }
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        Deployment.default(object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        let labels = old["metadata"]["labels"].clone();
        let metadata = object.entry("metadata");
        if labels.is_null() {
            metadata.remove("labels");
        } else {
            metadata.set("labels", labels);
        }
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let (status, path) = (&object["status"], Path::new("status"));
        let counts = [
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ];
        workload::validate_counts(status, &counts, &path, errs);
        let parts = ["updatedReplicas", "readyReplicas", "availableReplicas"];
        workload::validate_at_most(status, &parts, "replicas", &path, errs);
        workload::validate_at_most(status, &["availableReplicas"], "readyReplicas", &path, errs);
        workload::validate_collisions(status, &old["status"], &path, errs);
    }
}
