//! autoscaling/v1, which knows CPU utilization only, from and to v2.

use meta::{Map, Value, value};
use resource::Convert;

/// v1 ↔ v2.

pub struct V1;

/// What v1 asks for when it says nothing.
const CPU_PERCENT_DEFAULT: i64 = 80;

impl Convert for V1 {
    fn to_storage(&self, mut object: Value) -> Value {
        object.set("apiVersion", "autoscaling/v2");
        let target = object.entry("spec").remove("targetCPUUtilizationPercentage");
        let percent = target.unwrap_or(Value::Int(CPU_PERCENT_DEFAULT));
        let metric = value!({
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}
        });
        object.entry("spec").set("metrics", Value::Array(vec![metric]));
        if let Some(percent) = object.entry("status").remove("currentCPUUtilizationPercentage") {
            let metric = value!({
                "type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}
            });
            object.entry("status").set("currentMetrics", Value::Array(vec![metric]));
        } else {
            object.entry("status").set("currentMetrics", Value::Null);
        }
        object
    }

    fn from_storage(&self, mut object: Value) -> Value {
        object.set("apiVersion", "autoscaling/v1");
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
