//! PriorityClass: a name for a pod priority.

use crate::rules::immutable;
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Result, Status, Value};
use resource::{Context, Descriptor, Generation, Hooks, SideWrite, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses")
        .cluster_scoped()
        .short_names(&["pc"])
        .storage_version_hash("1QwjyaZjj3Y=")
        .strategy(Strategy { generation: Generation::Hooks, ..Strategy::default() })
        .hooks(PriorityClass);
    columns::with(descriptor, priority_cells)
}

fn priority_cells(object: &Value, now: i64) -> Vec<Value> {
    vec![
        cells::name(object),
        object["value"].int().into(),
        object["globalDefault"].bool().into(),
        cells::age(object, now),
        object["preemptionPolicy"].str().into(),
    ]
}

const POLICIES: &[&str] = &["PreemptLowerPriority", "Never"];
const SYSTEM_PREFIX: &str = "system-";
const USER_PRIORITY_MAX: i64 = 1_000_000_000;
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

struct PriorityClass;

impl Hooks for PriorityClass {
    fn default(&self, object: &mut Value) {
        object.set_default("preemptionPolicy", "PreemptLowerPriority");
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let own = object["metadata"]["name"].str();
        let value = object["value"].int();
        if own.starts_with(SYSTEM_PREFIX) {
            validate_system(object, own, errs);
        } else if value > USER_PRIORITY_MAX {
            let detail = format!("maximum allowed value of a user defined priority is {USER_PRIORITY_MAX}");
            errs.forbidden(&Path::new("value"), &detail);
        }
        let path = Path::new("preemptionPolicy");
        match object["preemptionPolicy"].as_str() {
            Some("") => errs.required(&path, ""),
            Some(policy) if !POLICIES.contains(&policy) => errs.not_supported_in_order(&path, policy, POLICIES),
            _ => {}
        }
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        if object["value"].int() != old["value"].int() {
            errs.forbidden(&Path::new("value"), "may not be changed in an update.");
        }
        let path = Path::new("preemptionPolicy");
        immutable::validate(&object["preemptionPolicy"], &old["preemptionPolicy"], &path, errs);
    }

    fn plan_side_writes(
        &self,
        _ctx: &Context,
        object: Option<&mut Value>,
        old: Option<&Value>,
    ) -> Result<Vec<SideWrite>> {
        let own = old.map_or("", |old| old["metadata"]["name"].str());
        if object.is_none() && SYSTEM_CLASSES.iter().any(|(class, _)| *class == own) {
            let why = "this is a system priority class and cannot be deleted";
            return Err(Status::forbidden("scheduling.k8s.io", "priorityclasses", own, why));
        }
        Ok(Vec::new())
    }
}

/// Only the two that the server makes itself, as it makes them.
fn validate_system(object: &Value, own: &str, errs: &mut ErrorList) {
    let known = SYSTEM_CLASSES.iter().find(|(class, _)| *class == own);
    let why = match known {
        None => "only system priority classes may have names starting with the prefix".to_string(),
        Some((_, value)) if object["value"].int() != *value => {
            format!("value of {own} PriorityClass must be {value}")
        }
        Some(_) if object["globalDefault"].bool() => format!("globalDefault of {own} PriorityClass must be false"),
        Some(_) => return,
    };
    let detail =
        format!("priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {why}");
    errs.forbidden(&Path::new("metadata").child("name"), &detail);
}
