//! PersistentVolumeClaimResize: a bound claim grows only when its storage class lets it.

use crate::{Attributes, Operation, Plugin};
use meta::quantity::Quantity;
use meta::{Result, Value};

pub struct PersistentVolumeClaimResize;

impl Plugin for PersistentVolumeClaimResize {
    fn name(&self) -> &'static str {
        "PersistentVolumeClaimResize"
    }

    fn validate(&self, attributes: &Attributes, claim: &Value) -> Result<()> {
        let Some(old) = attributes.old else { return Ok(()) };
        if attributes.operation != Operation::Update || !attributes.is("", "persistentvolumeclaims") {
            return Ok(());
        }
        let size = |claim: &Value| Quantity::parse(claim.path("spec.resources.requests.storage").str()).ok();
        if size(old) >= size(claim) {
            return Ok(());
        }
        if old["status"]["phase"].str() != "Bound" {
            return Err(attributes.forbidden("Only bound persistent volume claims can be expanded"));
        }
        if !may_grow(attributes, claim, old) {
            let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
            return Err(attributes.forbidden(why));
        }
        Ok(())
    }
}

/// The storage class, by its field or by the annotation that came before the field.
fn class_of(claim: &Value) -> &str {
    let annotated = claim["metadata"]["annotations"].get("volume.beta.kubernetes.io/storage-class");
    annotated.unwrap_or(&claim["spec"]["storageClassName"]).str()
}

fn may_grow(attributes: &Attributes, claim: &Value, old: &Value) -> bool {
    let name = class_of(claim);
    if name.is_empty() || name != class_of(old) {
        return false;
    }
    let class = attributes.ctx.reader.get("storage.k8s.io", "storageclasses", "", name);
    class.is_some_and(|class| class["allowVolumeExpansion"].bool())
}
