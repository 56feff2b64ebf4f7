//! autoscaling/v1, which knows CPU utilization only, from and to v2. What v1 has no field for is in annotations.

use super::metrics;
use meta::{Map, Value, json, value};
use resource::Convert;

/// v1 ↔ v2.
pub struct V1;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Annotations that objects of v2 never have.
const ANNOTATIONS: [&str; 6] = [
    METRICS,
    CURRENT_METRICS,
    CONDITIONS,
    BEHAVIOR,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];

impl Convert for V1 {
    fn to_storage(&self, mut object: Value) -> Value {
        object.set("apiVersion", "autoscaling/v2");
        let annotations = object["metadata"]["annotations"].clone();
        let text = |key: &str| annotations[key].as_str();
        let spec = object.entry("spec");
        let target = spec.remove("targetCPUUtilizationPercentage").filter(|target| !target.is_null());
        let mut asked = text(METRICS).and_then(metrics::targets).unwrap_or_default();
        asked.extend(target.map(|percent| {
            value!({
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}
            })
        }));
        spec.set("metrics", Value::Array(asked));
        if let Some(behavior) = text(BEHAVIOR).and_then(read_behavior) {
            spec.set("behavior", behavior);
        }
        let status = object.entry("status");
        let current = status.remove("currentCPUUtilizationPercentage").filter(|current| !current.is_null());
        let own = current.map(|percent| {
            value!({
                "type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}
            })
        });
        let current = text(CURRENT_METRICS).and_then(metrics::current).or(own.map(|own| vec![own]));
        status.set("currentMetrics", current.map_or(Value::Null, Value::Array));
        if let Some(conditions) = text(CONDITIONS).and_then(|text| json::parse(text.as_bytes()).ok()) {
            status.set("conditions", conditions.value);
        }
        drop_annotations(&mut object);
        object
    }

    fn from_storage(&self, mut object: Value) -> Value {
        object.set("apiVersion", "autoscaling/v1");
        drop_annotations(&mut object);
        let texts = annotations_of(&object);
        if !texts.is_empty() {
            let annotations = object.entry("metadata").entry("annotations");
            texts.into_iter().for_each(|(key, text)| annotations.set(key, text));
        }
        let percent = object["spec"]["metrics"].items().iter().find_map(cpu_target).cloned();
        let current = object["status"]["currentMetrics"].items().iter().filter_map(cpu_current).next_back().cloned();
        keep_only(object.entry("spec").object_mut(), &["scaleTargetRef", "minReplicas", "maxReplicas"]);
        let status_fields = ["observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas"];
        keep_only(object.entry("status").object_mut(), &status_fields);
        object.entry("status").set_default("currentReplicas", 0);
        if let Some(percent) = percent {
            object.entry("spec").set("targetCPUUtilizationPercentage", percent);
        }
        if let Some(percent) = current {
            object.entry("status").set("currentCPUUtilizationPercentage", percent);
        }
        object
    }
}

/// Takes the annotations of v1 away.
pub fn drop_annotations(object: &mut Value) {
    let Some(annotations) = object.path_mut("metadata.annotations") else { return };
    for key in ANNOTATIONS {
        annotations.remove(key);
    }
    if annotations.is_empty() {
        object.entry("metadata").remove("annotations");
    }
}

/// What v1 has no field for.
fn annotations_of(object: &Value) -> Vec<(&'static str, String)> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let mut out = Vec::new();
    let mut others = spec["metrics"].items().iter().filter(|metric| cpu_target(metric).is_none()).peekable();
    if others.peek().is_some() {
        out.push((METRICS, metrics::targets_text(others)));
    }
    let (current, conditions) = (status["currentMetrics"].items(), status["conditions"].items());
    if !current.is_empty() {
        out.push((CURRENT_METRICS, metrics::current_text(current)));
    }
    if !spec["behavior"].is_null() {
        out.push((BEHAVIOR, behavior_text(&spec["behavior"])));
    }
    if !conditions.is_empty() {
        out.push((CONDITIONS, metrics::conditions_text(conditions)));
    }
    out
}

/// The behavior with the names of Go's fields, all of them.
fn behavior_text(behavior: &Value) -> String {
    let rules = |rules: &Value| {
        if rules.is_null() {
            return "null".to_string();
        }
        let policies = rules["policies"].items().iter().map(|policy| {
            let [kind, value, period] = ["type", "value", "periodSeconds"].map(|field| json::to_string(&policy[field]));
            format!("{{\"Type\":{kind},\"Value\":{value},\"PeriodSeconds\":{period}}}")
        });
        let policies = match rules["policies"].is_null() {
            true => "null".into(),
            false => format!("[{}]", policies.collect::<Vec<_>>().join(",")),
        };
        let [window, select, tolerance] =
            ["stabilizationWindowSeconds", "selectPolicy", "tolerance"].map(|field| json::to_string(&rules[field]));
        format!(
            "{{\"StabilizationWindowSeconds\":{window},\"SelectPolicy\":{select},\"Policies\":{policies},\"Tolerance\":{tolerance}}}"
        )
    };
    format!("{{\"ScaleUp\":{},\"ScaleDown\":{}}}", rules(&behavior["scaleUp"]), rules(&behavior["scaleDown"]))
}

fn read_behavior(text: &str) -> Option<Value> {
    let parsed = json::parse(text.as_bytes()).ok()?.value;
    parsed.as_object()?;
    let behavior = json_names(&parsed);
    let is_given = !behavior["scaleUp"].is_null() || !behavior["scaleDown"].is_null();
    is_given.then_some(behavior)
}

/// The names of Go's fields begin with capitals.
fn json_names(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let renamed = map.iter().map(|(key, value)| {
                let mut letters = key.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                let key: String = first.into_iter().chain(letters).collect();
                (key.as_str().into(), json_names(value))
            });
            Value::Object(renamed.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(json_names).collect()),
        other => other.clone(),
    }
}

fn keep_only(map: &mut Map, keys: &[&str]) {
    map.retain(|key, _| keys.contains(&key));
}

fn is_cpu(metric: &Value) -> bool {
    metric["type"].str() == "Resource" && metric["resource"]["name"].str() == "cpu"
}

fn cpu_target(metric: &Value) -> Option<&Value> {
    metric["resource"]["target"].get("averageUtilization").filter(|_| is_cpu(metric))
}

fn cpu_current(metric: &Value) -> Option<&Value> {
    metric["resource"]["current"].get("averageUtilization").filter(|_| is_cpu(metric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_v1_cannot_say_goes_through_annotations() {
        let stored = value!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
            "spec": {
                "maxReplicas": 5, "minReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                "metrics": [
                    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"}}},
                    {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
                ],
                "behavior": {"scaleDown": {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}}
            }
        });
        let v1 = V1.from_storage(stored.clone());
        assert_eq!(v1["spec"]["targetCPUUtilizationPercentage"].int(), 60);
        let annotations = &v1["metadata"]["annotations"];
        assert_eq!(
            annotations[METRICS].str(),
            r#"[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"100Mi"}},{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"10"}}]"#
        );
        assert_eq!(
            annotations[BEHAVIOR].str(),
            r#"{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":"Max","Policies":[{"Type":"Percent","Value":100,"PeriodSeconds":15}],"Tolerance":null}}"#
        );
        let back = V1.to_storage(v1);
        assert_eq!(back["spec"]["metrics"], stored["spec"]["metrics"]);
        assert_eq!(
            back["spec"]["behavior"]["scaleDown"]["policies"],
            stored["spec"]["behavior"]["scaleDown"]["policies"]
        );
        assert!(back["metadata"]["annotations"].is_null());
    }
}
