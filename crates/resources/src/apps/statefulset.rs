//! StatefulSet: pods with names and volumes that stay.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::strategies;
use meta::Value;
use resource::{Descriptor, NameRule, NoHooks, PART_VERBS, ScaleSelector, Strategy, SubresourceKind};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "StatefulSet", "statefulsets")
        .short_names(&["sts"])
        .categories(&["all"])
        .storage_version_hash("H+vl74LkKdo=")
        .strategy(Strategy { name: NameRule::Hooks, ..strategies::SPEC_AND_STATUS })
        .columns(COLUMNS, cells)
        .status(strategies::STATUS, NoHooks)
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

const COLUMNS: &[ColumnRow] =
    &[NAME, ("Ready", "string", "", 0, "Number of the pod with ready state"), AGE, CONTAINERS, IMAGES];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let [names, images] = cells::containers(&spec["template"]["spec"]);
    let ready = format!("{}/{}", object["status"]["readyReplicas"].int(), spec["replicas"].int());
    vec![cells::name(object), Value::from(ready), cells::age(object, now), names, images]
}
