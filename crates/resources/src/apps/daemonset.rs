//! DaemonSet: one pod on every node that fits.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::{default_text, internal, template};
use crate::rules::label_selector;
use crate::strategies;
use crate::workload;
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::rules::semantically_equal;
use resource::{Context, Descriptor, Hooks};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "DaemonSet", "daemonsets")
        .short_names(&["ds"])
        .categories(&["all"])
        .storage_version_hash("dd7pWHUlMKQ=")
        .strategy(strategies::SPEC_AND_STATUS)
        .columns(COLUMNS, cells)
        .cell_fields(CELL_FIELDS)
        .hooks(DaemonSet)
        .status(strategies::STATUS, Status)
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

/// What [`cells`] reads.
const CELL_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "spec.selector",
    "spec.template.spec.nodeSelector",
    "spec.template.spec.containers.name",
    "spec.template.spec.containers.image",
    "status",
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

const TEMPLATE: &[&str] = &["spec", "template"];

/// Where the template's generation is kept: a field of the internal type that the API shows only so.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

struct DaemonSet;

impl Hooks for DaemonSet {
    fn default(&self, object: &mut Value) {
        // The internal type always has it, so the managers' fields do, too.
        let generation = template_generation(object);
        set_template_generation(object, generation);
        let spec = object.entry("spec");
        let strategy = spec.entry("updateStrategy");
        default_text(strategy, "type", "RollingUpdate");
        if strategy["type"].str() == "RollingUpdate" {
            let rolling = strategy.entry("rollingUpdate");
            rolling.set_default("maxUnavailable", 1);
            rolling.set_default("maxSurge", 0);
        }
        spec.set_default("revisionHistoryLimit", 10);
        template::default_template(spec.entry("template"));
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        let generation = template_generation(object).max(1);
        set_template_generation(object, generation);
        template::drop_disabled(object.entry("spec").entry("template"), None);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        template::drop_disabled(object.entry("spec").entry("template"), Some(&old["spec"]["template"]));
        let changed = !semantically_equal(&object["spec"]["template"], &old["spec"]["template"]);
        let generation = template_generation(old).saturating_add(i64::from(changed));
        set_template_generation(object, generation);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        workload::validate_selector_kept(&object["spec"], &old["spec"], &Path::new("spec"), errs);
        validate_spec(&object["spec"], Some(&old["spec"]["template"]), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        if old.is_none_or(|old| old["metadata"]["generation"] != object["metadata"]["generation"]) {
            workload::warn_template(object, TEMPLATE, out);
        }
    }
}

fn template_generation(object: &Value) -> i64 {
    object["metadata"]["annotations"][TEMPLATE_GENERATION].str().parse().unwrap_or(0)
}

fn set_template_generation(object: &mut Value, generation: i64) {
    object.entry("metadata").entry("annotations").set(TEMPLATE_GENERATION, generation.to_string());
}

fn validate_spec(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    let (selector, at) = (&spec["selector"], path.child("selector"));
    let mut wrong = ErrorList::new();
    label_selector::validate(selector, false, &at, &mut wrong);
    let readable = wrong.is_empty();
    errs.extend(wrong);
    if readable {
        workload::validate_labels_match(spec, &path, errs);
    }
    if !selector.is_null() && label_selector::is_empty(selector) {
        let detail = "empty selector is invalid for daemonset";
        errs.invalid(&at, internal::selector_shown(selector), detail);
    }
    workload::validate_always(spec, old, "DaemonSet", &path, errs);
    errs.non_negative(&path.child("minReadySeconds"), spec["minReadySeconds"].int());
    validate_strategy(&spec["updateStrategy"], &path.child("updateStrategy"), errs);
    errs.non_negative(&path.child("revisionHistoryLimit"), spec["revisionHistoryLimit"].int());
}

fn validate_strategy(strategy: &Value, path: &Path, errs: &mut ErrorList) {
    match strategy["type"].str() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let rolling = &strategy["rollingUpdate"];
            let path = path.child("rollingUpdate");
            let (unavailable, surge) = (&rolling["maxUnavailable"], &rolling["maxSurge"]);
            let (unavailable_at, surge_at) = (path.child("maxUnavailable"), path.child("maxSurge"));
            workload::validate_int_or_percent(unavailable, &unavailable_at, errs);
            workload::validate_int_or_percent(surge, &surge_at, errs);
            workload::validate_at_most_all(unavailable, &unavailable_at, errs);
            workload::validate_at_most_all(surge, &surge_at, errs);
            match (workload::number(unavailable) != 0, workload::number(surge) != 0) {
                (true, true) => errs.invalid(&surge_at, surge, "may not be set when maxUnavailable is non-zero"),
                (false, false) => errs.required(&unavailable_at, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        _ => {
            let shown = internal::shown("DaemonSetUpdateStrategy", strategy);
            errs.not_supported_in_order(path, shown, &["RollingUpdate", "OnDelete"]);
        }
    }
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        DaemonSet.default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let (status, path) = (&object["status"], Path::new("status"));
        let counts = [
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ];
        workload::validate_counts(status, &counts, &path, errs);
        workload::validate_collisions(status, &old["status"], &path, errs);
    }
}
