//! An autoscaler's row in tables.

use crate::cells::{self, AGE, ColumnRow, NAME};
use meta::Value;

/// More metrics than these are only counted.
const METRICS_SHOWN_MAX: usize = 2;

pub const COLUMNS: &[ColumnRow] = &[
    NAME,
    (
        "Reference",
        "string",
        "",
        0,
        "scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.",
    ),
    (
        "Targets",
        "string",
        "",
        0,
        "metrics contains the specifications for which to use to calculate the desired replica count (the maximum replica count across all metrics will be used).  The desired replica count is calculated multiplying the ratio between the target value and the current value by the current number of pods.  Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the individual metric source types for more information about how each type of metric must respond. If not set, the default metric will be set to 80% average CPU utilization.",
    ),
    (
        "MinPods",
        "string",
        "",
        0,
        "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.  It defaults to 1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero is enabled and at least one Object or External metric is configured.  Scaling is active as long as at least one metric value is available.",
    ),
    (
        "MaxPods",
        "string",
        "",
        0,
        "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. It cannot be less that minReplicas.",
    ),
    (
        "Replicas",
        "string",
        "",
        0,
        "currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by the autoscaler.",
    ),
    AGE,
];

pub fn cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let target = &spec["scaleTargetRef"];
    let min = spec["minReplicas"].as_int().map_or("<unset>".into(), |n| n.to_string());
    vec![
        cells::name(object),
        Value::from(format!("{}/{}", target["kind"].str(), target["name"].str())),
        Value::from(metrics(spec["metrics"].items(), status["currentMetrics"].items())),
        Value::from(min),
        Value::Int(spec["maxReplicas"].int()),
        Value::Int(status["currentReplicas"].int()),
        cells::age(object, now),
    ]
}

fn metrics(specs: &[Value], statuses: &[Value]) -> String {
    if specs.is_empty() {
        return "<none>".into();
    }
    let texts: Vec<String> = specs
        .iter()
        .enumerate()
        .take(METRICS_SHOWN_MAX)
        .map(|(i, spec)| metric(spec, statuses.get(i).unwrap_or(&Value::Null)))
        .collect();
    let shown = texts.join(", ");
    match specs.len().saturating_sub(METRICS_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

/// `current/target` of one metric.
fn metric(spec: &Value, status: &Value) -> String {
    let kind = match spec["type"].str() {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".into(),
    };
    let (target, current) = (&spec[kind]["target"], &status[kind]["current"]);
    let has_status = !status[kind].is_null();
    let average = !target["averageValue"].is_null();
    let quantity = |key: &str| if has_status { current[key].as_str().unwrap_or("0") } else { "<unknown>" };
    match kind {
        "external" | "object" if average => {
            let now = current["averageValue"].as_str().unwrap_or("<unknown>");
            format!("{now}/{} (avg)", target["averageValue"].str())
        }
        "external" | "object" => format!("{}/{}", quantity("value"), target["value"].str()),
        "pods" => format!("{}/{}", quantity("averageValue"), target["averageValue"].str()),
        _ if average => {
            format!("{}: {}/{}", spec[kind]["name"].str(), quantity("averageValue"), target["averageValue"].str())
        }
        _ => {
            let percent = |v: &Value, none: &str| v.as_int().map_or(none.to_string(), |n| format!("{n}%"));
            let now = percent(&current["averageUtilization"], "<unknown>");
            format!("{}: {now}/{}", spec[kind]["name"].str(), percent(&target["averageUtilization"], "<auto>"))
        }
    }
}
