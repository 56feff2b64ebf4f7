//! Lease: who holds a lock, and since when.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "coordination.k8s.io", "v1", "Lease", "leases")
        .storage_version_hash("gqkMMb/YqFM=")
        .strategy(Strategy { create_on_update: true, unconditional_update: false, ..Strategy::default() })
        .hooks(Lease);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["spec"]["holderIdentity"].str().into(), cells::age(object, now)]
    })
}

struct Lease;

impl Hooks for Lease {}
