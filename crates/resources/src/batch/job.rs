//! Job: pods that run until enough of them have succeeded.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::strategies;
use meta::{Str, Value};
use resource::{DefaultGc, Descriptor, NoHooks, SelectValue, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "batch", "v1", "Job", "jobs")
        .categories(&["all"])
        .storage_version_hash("mudhfqk/qZY=")
        .strategy(Strategy { default_gc: DefaultGc::Orphan, ..strategies::SPEC_AND_STATUS })
        .columns(COLUMNS, cells)
        .select_value("status.successful", SelectValue::Function(successful))
        .status(strategies::STATUS, NoHooks)
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

fn has_condition(object: &Value, kind: &str) -> bool {
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
