//! Job: pods that run until enough of them have succeeded.

mod failure_policy;
mod indexes;
mod selector;
pub mod spec;
mod status;
mod success_policy;

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::{default_text, template};
use crate::{strategies, workload};
use meta::field::{ErrorList, Path};
use meta::{Str, Value, name};
use resource::{Context, DefaultGc, Descriptor, Hooks, MetadataRules, SelectValue, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "batch", "v1", "Job", "jobs")
        .categories(&["all"])
        .storage_version_hash("mudhfqk/qZY=")
        .strategy(Strategy {
            default_gc: DefaultGc::Orphan,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..strategies::SPEC_AND_STATUS
        })
        .columns(COLUMNS, cells)
        .cell_fields(CELL_FIELDS)
        .unknown_field_names_kind()
        .select_value("status.successful", SelectValue::Function(successful))
        .hooks(Job)
        .status(strategies::STATUS, status::Status)
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Status", "string", "", 0, "Status of the job."),
    (
        "Completions",
        "string",
        "",
        0,
        "The number of pods which reached phase Succeeded. The value increases monotonically for a given spec. However, it may decrease in reaction to scale down of elastic indexed jobs.",
    ),
    ("Duration", "string", "", 0, "Time required to complete the job."),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        "",
        1,
        "A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

/// What [`cells`] reads.
const CELL_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "spec.selector",
    "spec.completions",
    "spec.parallelism",
    "spec.template.spec.containers.name",
    "spec.template.spec.containers.image",
    "status",
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let [names, images] = cells::containers(&spec["template"]["spec"]);
    vec![
        cells::name(object),
        Value::from(state(object)),
        Value::from(completions(object)),
        Value::from(duration(&object["status"], now)),
        cells::age(object, now),
        names,
        images,
        Value::from(cells::selector_cell(&spec["selector"])),
    ]
}

fn successful(object: &Value) -> Str {
    object["status"]["succeeded"].int().to_string().into()
}

pub fn has_condition(object: &Value, kind: &str) -> bool {
    let condition = object["status"]["conditions"].items().iter().find(|c| c["type"].str() == kind);
    condition.is_some_and(|c| c["status"].str() == "True")
}

fn state(object: &Value) -> &'static str {
    let deleting = object["metadata"].get("deletionTimestamp").is_some();
    match () {
        _ if has_condition(object, "Complete") => "Complete",
        _ if has_condition(object, "Failed") => "Failed",
        _ if deleting => "Terminating",
        _ if has_condition(object, "Suspended") => "Suspended",
        _ if has_condition(object, "FailureTarget") => "FailureTarget",
        _ if has_condition(object, "SuccessCriteriaMet") => "SuccessCriteriaMet",
        _ => "Running",
    }
}

fn completions(object: &Value) -> String {
    let succeeded = object["status"]["succeeded"].int();
    match (object["spec"]["completions"].as_int(), object["spec"]["parallelism"].int()) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

/// From start to end, or to now; "" before the start.
fn duration(status: &Value, now: i64) -> String {
    let Some(start) = cells::unix_seconds(status["startTime"].str()) else { return String::new() };
    let end = cells::unix_seconds(status["completionTime"].str()).unwrap_or(now);
    cells::human_duration(end.saturating_sub(start))
}

const BACKOFF_LIMIT: i64 = 6;
const MANY_COMPLETIONS: i64 = 100_000;
const MUCH_PARALLELISM: i64 = 10_000;

/// Defaults of the spec of a job in a template.
pub fn default_template(spec: &mut Value) {
    template::default_template(spec.entry("template"));
    let rules = spec.path_mut("podFailurePolicy.rules").map_or(&mut [][..], Value::items_mut);
    let conditions = rules.iter_mut().filter_map(|rule| rule.get_mut("onPodConditions"));
    for condition in conditions.flat_map(Value::items_mut) {
        default_text(condition, "status", "True");
    }
}

/// What is told of the spec of a job.
pub fn warn_spec(spec: &Value, template_at: &[&'static str], object: &Value, out: &mut Vec<String>) {
    let many = spec["completions"].int() > MANY_COMPLETIONS && spec["parallelism"].int() > MUCH_PARALLELISM;
    if spec::is_indexed(spec) && many {
        out.push("In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail".into());
    }
    workload::warn_template(object, template_at, out);
}

struct Job;

impl Hooks for Job {
    fn warn_delete(&self, options: &resource::rules::DeleteOptions, warnings: &mut Vec<String>) {
        if options.orphan_dependents.is_none() && options.propagation_policy.is_none() {
            let text = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
            warnings.push(text.into());
        }
    }

    fn default(&self, object: &mut Value) {
        let labels = object["spec"]["template"]["metadata"]["labels"].clone();
        if !labels.is_null() && object["metadata"]["labels"].is_empty() {
            object.entry("metadata").set("labels", labels);
        }
        let spec = object.entry("spec");
        if spec["parallelism"].is_null() {
            spec.set_default("completions", 1);
        }
        spec.set_default("parallelism", 1);
        let unlimited = !spec["backoffLimitPerIndex"].is_null();
        spec.set_default("backoffLimit", if unlimited { i64::from(i32::MAX) } else { BACKOFF_LIMIT });
        spec.set_default("completionMode", "NonIndexed");
        spec.set_default("suspend", false);
        let with_failed = !spec["podFailurePolicy"].is_null();
        spec.set_default("podReplacementPolicy", if with_failed { "Failed" } else { "TerminatingOrFailed" });
        spec.set_default("manualSelector", false);
        default_template(spec);
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        selector::generate(object);
        template::drop_disabled(object.entry("spec").entry("template"), None);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        template::drop_disabled(object.entry("spec").entry("template"), Some(&old["spec"]["template"]));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate(object, None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate(object, Some(old), errs);
        let (spec, stored, path) = (&object["spec"], &old["spec"], Path::new("spec"));
        spec::validate(spec, Some(stored), &path, errs);
        let stopped = old["status"]["startTime"].is_null() || has_condition(old, "Suspended");
        spec::validate_kept(spec, stored, stored["suspend"].bool() && stopped, &path, errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        match old {
            None => workload::warn_name(object, "Pod names and hostnames", out),
            Some(old) if old["metadata"]["generation"] == object["metadata"]["generation"] => return,
            Some(_) => {}
        }
        warn_spec(&object["spec"], &["spec", "template"], object, out);
    }
}

fn validate(object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    selector::validate_generated(object, old.is_none_or(selector::has_prefixed_labels), errs);
    let spec = &object["spec"];
    spec::validate(spec, old.map(|old| &old["spec"]), &Path::new("spec"), errs);
    let last = spec["completions"].int() - 1;
    let own = object["metadata"]["name"].str();
    let pod = format!("{own}-{last}");
    if spec::is_indexed(spec) && last >= 0 && !name::dns1123_label(&pod).is_empty() {
        let detail = format!("will not able to create pod with invalid DNS label: {pod}");
        errs.invalid(&Path::new("metadata").child("name"), own, &detail);
    }
}
