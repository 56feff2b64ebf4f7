//! VolumeAttributesClass: attributes of a volume that may change.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor =
        Descriptor::builtin(schema, "storage.k8s.io", "v1", "VolumeAttributesClass", "volumeattributesclasses")
            .cluster_scoped()
            .short_names(&["vac"])
            .storage_version_hash("tIjydgKBC5w=")
            .strategy(Strategy { delete_returns_object: true, ..Strategy::default() })
            .hooks(VolumeAttributesClass);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["driverName"].str().into(), cells::age(object, now)]
    })
}

struct VolumeAttributesClass;

impl Hooks for VolumeAttributesClass {}
