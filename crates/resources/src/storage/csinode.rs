//! CSINode: the CSI drivers of a node.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "CSINode", "csinodes")
        .cluster_scoped()
        .storage_version_hash("Pe62DkZtjuo=")
        .strategy(Strategy { unconditional_update: false, delete_returns_object: true, ..Strategy::default() })
        .hooks(CSINode);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::count(&object["spec"]["drivers"]), cells::age(object, now)]
    })
}

struct CSINode;

impl Hooks for CSINode {}
