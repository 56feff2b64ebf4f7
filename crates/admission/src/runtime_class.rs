//! RuntimeClass: a pod that names a runtime class gets the class's overhead, node selector and tolerations.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct RuntimeClass;

impl Plugin for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "pods") {
            return Ok(());
        }
        let spec = pod.entry("spec");
        let Some(class) = find_class(attributes, spec)? else { return Ok(()) };
        prepare_overhead(attributes, &class, spec)?;
        prepare_scheduling(attributes, &class["scheduling"], spec)
    }

    fn validate(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "pods") {
            return Ok(());
        }
        let class = find_class(attributes, &pod["spec"])?.unwrap_or_default();
        let overhead = &pod["spec"]["overhead"];
        if !overhead.is_empty() && class["overhead"].is_null() {
            let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
            return Err(attributes.forbidden(why));
        }
        Ok(())
    }
}

fn find_class(attributes: &Attributes, spec: &Value) -> Result<Option<Value>> {
    let Some(name) = spec["runtimeClassName"].as_str() else { return Ok(None) };
    match attributes.ctx.reader.get("node.k8s.io", "runtimeclasses", "", name) {
        Some(class) => Ok(Some(class)),
        None => {
            let why = format!("pod rejected: RuntimeClass {} not found", meta::field::quote(name));
            Err(attributes.forbidden(&why))
        }
    }
}

fn prepare_overhead(attributes: &Attributes, class: &Value, spec: &mut Value) -> Result<()> {
    let fixed = &class["overhead"]["podFixed"];
    if class["overhead"].is_null() {
        return Ok(());
    }
    if spec["overhead"].is_empty() {
        spec.set("overhead", fixed);
    } else if spec["overhead"] != *fixed {
        let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
        return Err(attributes.forbidden(why));
    }
    Ok(())
}

fn prepare_scheduling(attributes: &Attributes, scheduling: &Value, spec: &mut Value) -> Result<()> {
    for (key, value) in scheduling["nodeSelector"].entries() {
        let selector = spec.entry("nodeSelector");
        match selector.get(key) {
            Some(given) if given != value => {
                let why = format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                    value.str(),
                    given.str()
                );
                return Err(attributes.forbidden(&why));
            }
            _ => selector.set(key, value),
        }
    }
    for toleration in scheduling["tolerations"].items() {
        let tolerations = spec.entry("tolerations").array_mut();
        if !tolerations.contains(toleration) {
            tolerations.push(toleration.clone());
        }
    }
    Ok(())
}
