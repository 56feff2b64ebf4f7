//! autoscaling: HorizontalPodAutoscaler, served as v1 and v2, stored as v2.

mod convert;
mod metrics;
mod rules;
mod table;

use crate::{strategies, workload};
use meta::field::{ErrorList, Path};
use meta::{Gvk, Value, value};
use resource::{Context, Convert as _, Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

const CPU_PERCENT_DEFAULT: i64 = 80;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    let v1 = descriptor(schema, "v1").stored_as(Gvk::new("autoscaling", "v2", "HorizontalPodAutoscaler"), convert::V1);
    let v2 = descriptor(schema, "v2").stored_before("autoscaling/v1", |object| convert::V1.to_storage(object));
    vec![v1, v2]
}

fn descriptor(schema: &Arc<Schema>, version: &str) -> Descriptor {
    Descriptor::builtin(schema, "autoscaling", version, "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .short_names(&["hpa"])
        .categories(&["all"])
        .storage_version_hash("qwQve8ut294=")
        .strategy(Strategy { generation: Generation::None, ..strategies::SPEC_AND_STATUS })
        .columns(table::COLUMNS, table::cells)
        .hooks(Autoscaler)
        .status(strategies::STATUS, Status)
}

struct Autoscaler;

impl Hooks for Autoscaler {
    fn default(&self, object: &mut Value) {
        convert::drop_annotations(object);
        let spec = object.entry("spec");
        spec.set_default("minReplicas", 1);
        if spec["metrics"].is_empty() {
            let target = value!({"type": "Utilization", "averageUtilization": CPU_PERCENT_DEFAULT});
            let metric = value!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
            spec.set("metrics", Value::Array(vec![metric]));
        }
        if !spec["behavior"].is_null() {
            default_behavior(spec.entry("behavior"));
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        rules::validate(&object["spec"], None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        rules::validate(&object["spec"], Some(&old["spec"]), errs);
    }
}

/// Behavior that is given in part has the rest of what is usual.
fn default_behavior(behavior: &mut Value) {
    let by_percent = value!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let up = behavior.entry("scaleUp");
    up.set_default("stabilizationWindowSeconds", 0);
    up.set_default("selectPolicy", "Max");
    let by_number = value!({"type": "Pods", "value": 4, "periodSeconds": 15});
    up.set_default("policies", Value::Array(vec![by_number, by_percent.clone()]));
    let down = behavior.entry("scaleDown");
    down.set_default("selectPolicy", "Max");
    down.set_default("policies", Value::Array(vec![by_percent]));
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        Autoscaler.default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        let counts = ["currentReplicas", "desiredReplicas"];
        workload::validate_counts(&object["status"], &counts, &Path::new("status"), errs);
    }
}
