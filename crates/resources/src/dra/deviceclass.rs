//! DeviceClass: a kind of device that claims may ask for.

use crate::{cells, columns};
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "resource.k8s.io", "v1", "DeviceClass", "deviceclasses")
        .cluster_scoped()
        .storage_version_hash("Yk2PTc1Ybxk=")
        .strategy(Strategy { generation: Generation::Spec, delete_returns_object: true, ..Strategy::default() })
        .hooks(DeviceClass);
    columns::with(descriptor, |object, now| vec![cells::name(object), cells::age(object, now)])
}

struct DeviceClass;

impl Hooks for DeviceClass {}
