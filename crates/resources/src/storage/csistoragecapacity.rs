//! CSIStorageCapacity: how much storage a class has in a part of the cluster.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities")
        .storage_version_hash("xeVl+2Ly1kE=")
        .strategy(Strategy { unconditional_update: false, ..Strategy::default() })
        .hooks(CSIStorageCapacity);
    columns::with(descriptor, |object, _| {
        vec![
            cells::name(object),
            object["storageClassName"].str().into(),
            cells::text_or(&object["capacity"], cells::UNSET),
        ]
    })
}

struct CSIStorageCapacity;

impl Hooks for CSIStorageCapacity {}
