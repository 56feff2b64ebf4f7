//! NamespaceExists: nothing is done in a namespace that is missing.

use crate::{Attributes, Plugin};
use meta::{Result, Status, Value};

pub struct NamespaceExists;

impl Plugin for NamespaceExists {
    fn name(&self) -> &'static str {
        "NamespaceExists"
    }

    fn validate(&self, attributes: &Attributes, _object: &Value) -> Result<()> {
        let namespace = attributes.namespace();
        let is_namespace = attributes.group.is_empty() && attributes.resource == "namespaces";
        if is_namespace || namespace.is_empty() || attributes.ctx.reader.get("", "namespaces", "", namespace).is_some()
        {
            return Ok(());
        }
        Err(Status::not_found("", "namespaces", namespace))
    }
}
