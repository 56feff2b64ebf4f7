//! LimitPodHardAntiAffinityTopology: a pod may keep others from its node, not from a whole zone.

use crate::{Attributes, Plugin};
use meta::{Result, Value};

pub struct LimitPodHardAntiAffinityTopology;

const HOSTNAME: &str = "kubernetes.io/hostname";

impl Plugin for LimitPodHardAntiAffinityTopology {
    fn name(&self) -> &'static str {
        "LimitPodHardAntiAffinityTopology"
    }

    fn validate(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        if !attributes.writes("", "pods") {
            return Ok(());
        }
        let required = &pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        match required.items().iter().map(|term| term["topologyKey"].str()).find(|key| *key != HOSTNAME) {
            None => Ok(()),
            Some(key) => Err(attributes.forbidden(&format!(
                "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {HOSTNAME} is allowed"
            ))),
        }
    }
}
