//! CSIDriver: what a CSI driver can do.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "CSIDriver", "csidrivers")
        .cluster_scoped()
        .storage_version_hash("hL6j/rwBV5w=")
        .strategy(Strategy {
            unconditional_update: false,
            generation: Generation::Hooks,
            delete_returns_object: true,
            ..Strategy::default()
        })
        .hooks(CSIDriver);
    columns::with(descriptor, driver_cells)
}

fn driver_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let audiences = spec["tokenRequests"].items().iter().map(|t| t["audience"].str()).collect::<Vec<_>>().join(",");
    let modes = cells::joined(spec["volumeLifecycleModes"].items());
    vec![
        cells::name(object),
        spec["attachRequired"].as_bool().unwrap_or(true).into(),
        spec["podInfoOnMount"].bool().into(),
        spec["storageCapacity"].bool().into(),
        if spec["tokenRequests"].is_null() { cells::UNSET.into() } else { audiences.into() },
        spec["requiresRepublish"].bool().into(),
        if modes.is_empty() { cells::NONE.into() } else { modes.into() },
        cells::age(object, now),
    ]
}

struct CSIDriver;

impl Hooks for CSIDriver {}
