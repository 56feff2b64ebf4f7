//! ExtendedResourceToleration: a pod that asks for a node's special resource tolerates the taint of its name.

use crate::{Attributes, Plugin};
use meta::{Result, Value, value};
use std::collections::BTreeSet;

pub struct ExtendedResourceToleration;

impl Plugin for ExtendedResourceToleration {
    fn name(&self) -> &'static str {
        "ExtendedResourceToleration"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if !attributes.writes("", "pods") {
            return Ok(());
        }
        let spec = pod.entry("spec");
        let asked: BTreeSet<String> = ["containers", "initContainers"]
            .iter()
            .flat_map(|field| spec[*field].items())
            .flat_map(|container| container["resources"]["requests"].entries())
            .map(|(name, _)| name.to_string())
            .filter(|name| is_extended(name))
            .collect();
        for name in asked {
            let toleration = value!({"key": (&name), "operator": "Exists", "effect": "NoSchedule"});
            let list = spec.entry("tolerations").array_mut();
            if !list.contains(&toleration) {
                list.push(toleration);
            }
        }
        Ok(())
    }
}

/// A name with a domain that is not Kubernetes' own.
fn is_extended(name: &str) -> bool {
    let Some((domain, _)) = name.split_once('/') else { return false };
    domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io") && !name.starts_with("requests.")
}
