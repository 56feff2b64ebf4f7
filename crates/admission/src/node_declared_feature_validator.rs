//! NodeDeclaredFeatureValidator: a pod on a node is not changed into one that needs what the node's kubelet does not say it
//! can do (k8s.io/kubernetes/plugin/pkg/admission/nodedeclaredfeatures, k8s.io/component-helpers/nodedeclaredfeatures).

use crate::pod_resize_validator::{changes_bound_pod, node_of};
use crate::{Attributes, Plugin};
use meta::{Result, Value};

pub struct NodeDeclaredFeatureValidator;

/// Whether a change from one pod to another needs a feature.
type Needs = fn(&Value, &Value) -> bool;

/// The features that changes of pods may need, sorted by name. Others concern where pods may be scheduled.
const FEATURES: &[(&str, Needs)] = &[
    ("InPlacePodLevelResourcesVerticalScaling", |old, new| old["spec"]["resources"] != new["spec"]["resources"]),
    ("InPlacePodVerticalScalingInitContainers", resizes_init_container),
];

/// Init containers that run for as long as the pod could always be resized.
fn resizes_init_container(old: &Value, new: &Value) -> bool {
    let [old, new] = [old, new].map(|pod| pod.path("spec.initContainers").items());
    let changes = |(old, new): (&Value, &Value)| old["resources"] != new["resources"];
    old.iter().zip(new).filter(|(old, _)| old["restartPolicy"].str() != "Always").any(changes)
}

impl Plugin for NodeDeclaredFeatureValidator {
    fn name(&self) -> &'static str {
        "NodeDeclaredFeatureValidator"
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        if !matches!(attributes.subresource(), "" | "resize") || !changes_bound_pod(attributes, object) {
            return Ok(());
        }
        let Some(old) = attributes.old else { return Ok(()) };
        let needed = FEATURES.iter().filter(|(_, needs)| needs(old, object)).map(|(name, _)| *name);
        let needed: Vec<&str> = needed.collect();
        if needed.is_empty() {
            return Ok(());
        }
        let node = node_of(attributes, object)?;
        let declared = node.path("status.declaredFeatures").items();
        let missing = needed.into_iter().filter(|name| !declared.iter().any(|declared| declared.str() == *name));
        let missing: Vec<&str> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let node = meta::field::quote(node["metadata"]["name"].str());
        let missing = missing.join(", ");
        Err(attributes
            .forbidden(&format!("pod update requires features {missing} which are not available on node {node}")))
    }
}
