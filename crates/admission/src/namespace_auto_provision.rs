//! NamespaceAutoProvision: what is created in a namespace that is missing makes the namespace, in the same commit.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value, value};
use resource::{Recorded, SideWrite};

pub struct NamespaceAutoProvision;

pub const NAME: &str = "NamespaceAutoProvision";

impl Plugin for NamespaceAutoProvision {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan_side_writes(&self, attributes: &Attributes, _object: &Value) -> Result<Vec<SideWrite>> {
        let namespace = attributes.namespace();
        let creates = attributes.operation == Operation::Create && attributes.resource != "namespaces";
        if !creates || namespace.is_empty() || attributes.ctx.reader.get("", "namespaces", "", namespace).is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![SideWrite::Create {
            group: "".into(),
            resource: "namespaces".into(),
            namespace: "".into(),
            name: namespace.into(),
            object: value!({
                "metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"}
            }),
            recorded: Recorded::Subresource(""),
        }])
    }
}
