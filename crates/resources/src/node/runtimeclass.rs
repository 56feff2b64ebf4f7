//! RuntimeClass: how a node runs a pod.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "node.k8s.io", "v1", "RuntimeClass", "runtimeclasses")
        .cluster_scoped()
        .storage_version_hash("WQTu1GL3T2Q=")
        .strategy(Strategy { create_on_update: true, unconditional_update: false, ..Strategy::default() })
        .hooks(RuntimeClass);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["handler"].str().into(), cells::age(object, now)]
    })
}

struct RuntimeClass;

impl Hooks for RuntimeClass {}
