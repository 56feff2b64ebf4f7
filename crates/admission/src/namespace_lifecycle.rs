//! NamespaceLifecycle: nothing is created in a namespace that is missing or going away, and the system's own
//! namespaces are not deleted.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Status, Value};

#[derive(Default)]
pub struct NamespaceLifecycle {
    /// A missing namespace is made along with what is created in it.
    pub provisions: bool,
}

/// Deleting one of these is refused.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn admit(&self, attributes: &Attributes, _object: &mut Value) -> Result<()> {
        let is_namespace = attributes.group.is_empty() && attributes.resource == "namespaces";
        if is_namespace && attributes.operation == Operation::Delete && IMMORTAL.contains(&attributes.name) {
            return Err(attributes.forbidden("this namespace may not be deleted"));
        }
        let namespace = attributes.namespace();
        if is_namespace || namespace.is_empty() || attributes.operation != Operation::Create {
            return Ok(());
        }
        // A review asks about rights in a namespace, which need not exist.
        if attributes.group == "authorization.k8s.io" && attributes.resource == "localsubjectaccessreviews" {
            return Ok(());
        }
        let Some(found) = attributes.ctx.reader.get("", "namespaces", "", namespace) else {
            if self.provisions {
                return Ok(());
            }
            return Err(Status::not_found("", "namespaces", namespace));
        };
        if found["status"]["phase"].str() != "Terminating" && found["metadata"]["deletionTimestamp"].is_null() {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let gone = format!("namespace {namespace} is being terminated");
        Err(attributes.forbidden(&why).with_cause("NamespaceTerminating", gone, "metadata.namespace"))
    }
}
