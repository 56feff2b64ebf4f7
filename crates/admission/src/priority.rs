//! Priority: turns a pod's priorityClassName into numbers, and keeps clients from inventing them.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct Priority;

impl Plugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if !attributes.is("", "pods") {
            return Ok(());
        }
        match (attributes.operation, attributes.old) {
            (Operation::Create, _) => prepare_created(attributes, pod.entry("spec")),
            (Operation::Update, Some(old)) => {
                // An update that leaves the numbers out keeps what creation computed.
                let spec = pod.entry("spec");
                for field in ["priority", "preemptionPolicy"] {
                    if let Some(value) = old["spec"].get(field) {
                        spec.set_default(field, value);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn validate(&self, attributes: &Attributes, class: &Value) -> Result<()> {
        let is_class = attributes.is("scheduling.k8s.io", "priorityclasses");
        let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
        if !is_class || !writes || !class["globalDefault"].bool() {
            return Ok(());
        }
        match default_class(attributes) {
            Some(other) if other["metadata"]["name"] != class["metadata"]["name"] => {
                let name = other["metadata"]["name"].str();
                let why = format!("PriorityClass {name} is already marked as default. Only one default can exist");
                Err(attributes.forbidden(&why))
            }
            _ => Ok(()),
        }
    }
}

/// The class for pods that name none: of several defaults the one with the lowest value.
fn default_class(attributes: &Attributes) -> Option<Value> {
    let classes = attributes.ctx.reader.list("scheduling.k8s.io", "priorityclasses", "");
    classes.into_iter().filter(|class| class["globalDefault"].bool()).min_by_key(|class| class["value"].int())
}

fn prepare_created(attributes: &Attributes, spec: &mut Value) -> Result<()> {
    let name = spec["priorityClassName"].str();
    let class = if name.is_empty() {
        default_class(attributes)
    } else {
        let found = attributes.ctx.reader.get("scheduling.k8s.io", "priorityclasses", "", name);
        let missing = || attributes.forbidden(&format!("no PriorityClass with name {name} was found"));
        Some(found.ok_or_else(missing)?)
    };
    if let Some(class) = &class {
        spec.set("priorityClassName", &class["metadata"]["name"]);
    }
    let class = class.unwrap_or_default();
    let priority = class["value"].int();
    if let Some(given) = spec["priority"].as_int().filter(|given| *given != priority) {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; \
             priority admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(attributes.forbidden(&why));
    }
    spec.set("priority", priority);
    let policy = class["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority");
    if let Some(given) = spec["preemptionPolicy"].as_str().filter(|given| *given != policy) {
        let why = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(attributes.forbidden(&why));
    }
    spec.set("preemptionPolicy", policy);
    Ok(())
}
