//! PodTopologyLabels: pods carry the zone and the region of the node that they are bound to
//! (k8s.io/kubernetes/plugin/pkg/admission/podtopologylabels).

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct PodTopologyLabels;

const LABELS: &[&str] = &["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

impl Plugin for PodTopologyLabels {
    fn name(&self) -> &'static str {
        "PodTopologyLabels"
    }

    /// What a binding carries is put on the pod by the binding itself.
    fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || (attributes.group, attributes.resource) != ("", "pods") {
            return Ok(());
        }
        let node = match attributes.subresource() {
            "" => object.path("spec.nodeName").str(),
            "binding" if object.path("target.kind").str() == "Node" => object.path("target.name").str(),
            _ => "",
        };
        if node.is_empty() {
            return Ok(());
        }
        let Some(node) = attributes.ctx.reader.get("", "nodes", "", node) else { return Ok(()) };
        for label in LABELS {
            if let Some(value) = node["metadata"]["labels"].get(label) {
                object.entry("metadata").entry("labels").set(label, value);
            }
        }
        Ok(())
    }
}
