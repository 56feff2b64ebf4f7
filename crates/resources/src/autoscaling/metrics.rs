//! Metrics in the form of autoscaling/v1, whose objects carry those of v2 as JSON in annotations.

use crate::core::pod::internal;
use meta::field::quote;
use meta::{Value, json};

/// What of a member is written when it is missing.
#[derive(Clone, Copy)]
enum Zero {
    Text,
    Quantity,
    Nothing,
}

/// The name in v1, the path in v2.
type Member = (&'static str, &'static str, Zero);

/// The sources of metrics in the order of v1, each with its members.
type Sources = [(&'static str, &'static [Member]); 5];

const TARGETS: Sources = [
    (
        "object",
        &[
            ("target", "describedObject", Zero::Nothing),
            ("metricName", "metric.name", Zero::Text),
            ("targetValue", "target.value", Zero::Quantity),
            ("selector", "metric.selector", Zero::Nothing),
            ("averageValue", "target.averageValue", Zero::Nothing),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", "metric.name", Zero::Text),
            ("targetAverageValue", "target.averageValue", Zero::Quantity),
            ("selector", "metric.selector", Zero::Nothing),
        ],
    ),
    (
        "resource",
        &[
            ("name", "name", Zero::Text),
            ("targetAverageUtilization", "target.averageUtilization", Zero::Nothing),
            ("targetAverageValue", "target.averageValue", Zero::Nothing),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", "name", Zero::Text),
            ("targetAverageUtilization", "target.averageUtilization", Zero::Nothing),
            ("targetAverageValue", "target.averageValue", Zero::Nothing),
            ("container", "container", Zero::Text),
        ],
    ),
    (
        "external",
        &[
            ("metricName", "metric.name", Zero::Text),
            ("metricSelector", "metric.selector", Zero::Nothing),
            ("targetValue", "target.value", Zero::Nothing),
            ("targetAverageValue", "target.averageValue", Zero::Nothing),
        ],
    ),
];

const CURRENT: Sources = [
    (
        "object",
        &[
            ("target", "describedObject", Zero::Nothing),
            ("metricName", "metric.name", Zero::Text),
            ("currentValue", "current.value", Zero::Quantity),
            ("selector", "metric.selector", Zero::Nothing),
            ("averageValue", "current.averageValue", Zero::Nothing),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", "metric.name", Zero::Text),
            ("currentAverageValue", "current.averageValue", Zero::Quantity),
            ("selector", "metric.selector", Zero::Nothing),
        ],
    ),
    (
        "resource",
        &[
            ("name", "name", Zero::Text),
            ("currentAverageUtilization", "current.averageUtilization", Zero::Nothing),
            ("currentAverageValue", "current.averageValue", Zero::Quantity),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", "name", Zero::Text),
            ("currentAverageUtilization", "current.averageUtilization", Zero::Nothing),
            ("currentAverageValue", "current.averageValue", Zero::Quantity),
            ("container", "container", Zero::Text),
        ],
    ),
    (
        "external",
        &[
            ("metricName", "metric.name", Zero::Text),
            ("metricSelector", "metric.selector", Zero::Nothing),
            ("currentValue", "current.value", Zero::Quantity),
            ("currentAverageValue", "current.averageValue", Zero::Nothing),
        ],
    ),
];

/// The metrics that an object asks for, as v1 writes them.
pub fn targets_text<'a>(metrics: impl Iterator<Item = &'a Value>) -> String {
    list(metrics.map(|metric| metric_text(metric, &TARGETS)))
}

/// The metrics of a status, as v1 writes them.
pub fn current_text(metrics: &[Value]) -> String {
    list(metrics.iter().map(|metric| metric_text(metric, &CURRENT)))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn object(members: impl Iterator<Item = (&'static str, String)>) -> String {
    let members: Vec<String> = members.map(|(name, text)| format!("{}:{text}", quote(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn metric_text(metric: &Value, sources: &Sources) -> String {
    let kind = ("type", json::to_string(&Value::from(metric["type"].str())));
    let given = sources.iter().filter(|(source, _)| !metric[*source].is_null());
    let rest = given.map(|(source, members)| (*source, source_text(&metric[*source], members)));
    object(std::iter::once(kind).chain(rest))
}

fn source_text(source: &Value, members: &[Member]) -> String {
    let texts = members.iter().filter_map(|(name, path, zero)| {
        let value = source.path(path);
        let text = match (*name, zero) {
            ("target", _) => reference_text(value),
            (_, Zero::Text) if value.is_null() => "\"\"".into(),
            (_, Zero::Quantity) if value.is_null() => "\"0\"".into(),
            _ if value.is_null() => return None,
            ("selector" | "metricSelector", _) => internal::selector_shown(value).0,
            _ => json::to_string(value),
        };
        Some((*name, text))
    });
    object(texts)
}

fn reference_text(reference: &Value) -> String {
    let fields = ["kind", "name", "apiVersion"].into_iter();
    let given = fields.filter(|field| *field != "apiVersion" || !reference[*field].str().is_empty());
    object(given.map(|field| (field, json::to_string(&Value::from(reference[field].str())))))
}

/// Conditions as v1 writes them.
pub fn conditions_text(conditions: &[Value]) -> String {
    list(conditions.iter().map(|condition| {
        let fields = ["type", "status", "lastTransitionTime", "reason", "message"].into_iter();
        let given = fields.filter(|field| !["reason", "message"].contains(field) || !condition[*field].is_empty());
        object(given.map(|field| (field, json::to_string(&condition[field]))))
    }))
}

/// The metrics that v1 asks for in an annotation, as v2.
pub fn targets(text: &str) -> Option<Vec<Value>> {
    let mut metrics = read(text, &TARGETS)?;
    for metric in &mut metrics {
        for (source, _) in &TARGETS {
            if let Some(own) = metric.get_mut(source) {
                set_target_type(source, own.entry("target"));
            }
        }
    }
    Some(metrics)
}

/// The metrics of a status that v1 has in an annotation, as v2.
pub fn current(text: &str) -> Option<Vec<Value>> {
    read(text, &CURRENT)
}

fn read(text: &str, sources: &Sources) -> Option<Vec<Value>> {
    let parsed = json::parse(text.as_bytes()).ok()?.value;
    parsed.as_array()?.iter().map(|metric| read_metric(metric, sources)).collect()
}

fn read_metric(metric: &Value, sources: &Sources) -> Option<Value> {
    metric.as_object()?;
    let mut out = Value::object();
    out.set("type", metric["type"].str());
    for (source, members) in sources.iter().filter(|(source, _)| !metric[*source].is_null()) {
        let to = out.entry(source);
        to.object_mut();
        for (name, path, zero) in *members {
            let value = match (&metric[*source][*name], zero) {
                (Value::Null, Zero::Quantity) => Value::from("0"),
                (value, _) => value.clone(),
            };
            if !value.is_null() {
                *path.split('.').fold(&mut *to, Value::entry) = value;
            }
        }
    }
    Some(out)
}

/// v1 tells by the values that are there.
fn set_target_type(source: &str, target: &mut Value) {
    let has = |field: &str| !target[field].is_null();
    let kind = match source {
        "object" if !has("averageValue") => "Value",
        "external" if has("value") => "Value",
        "resource" | "containerResource" if has("averageUtilization") => "Utilization",
        _ => "AverageValue",
    };
    target.set("type", kind);
}
