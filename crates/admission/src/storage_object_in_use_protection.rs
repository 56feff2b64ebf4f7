//! StorageObjectInUseProtection: storage objects carry a finalizer that their controller removes when nothing uses them.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct StorageObjectInUseProtection;

const FINALIZERS: &[(&str, &str, &str)] = &[
    ("", "persistentvolumes", "kubernetes.io/pv-protection"),
    ("", "persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("storage.k8s.io", "volumeattributesclasses", "kubernetes.io/vac-protection"),
];

impl Plugin for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }

    fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create {
            return Ok(());
        }
        let mine = FINALIZERS.iter().find(|(group, resource, _)| attributes.is(group, resource));
        let Some((_, _, finalizer)) = mine else { return Ok(()) };
        let finalizers = object.entry("metadata").entry("finalizers").array_mut();
        if !finalizers.iter().any(|f| f.str() == *finalizer) {
            finalizers.push(Value::from(finalizer));
        }
        Ok(())
    }
}
