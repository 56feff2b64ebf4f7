//! PersistentVolumeClaim: a request for storage.

use super::persistentvolume::{access_modes, phase, storage_class};
use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
        .short_names(&["pvc"])
        .storage_version_hash("QWTyNDq0dC4=")
        .strategy(Strategy {
            delete_returns_object: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(PersistentVolumeClaim)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            PersistentVolumeClaimStatus,
        );
    columns::with(descriptor, claim_cells)
}

fn claim_cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let bound = !spec["volumeName"].is_empty();
    let (capacity, modes) = match bound {
        true => (cells::text_or(&status["capacity"]["storage"], "0"), access_modes(&status["accessModes"])),
        false => ("".into(), String::new()),
    };
    vec![
        cells::name(object),
        phase(object),
        spec["volumeName"].str().into(),
        capacity,
        modes.into(),
        storage_class(object),
        cells::text_or(&spec["volumeAttributesClassName"], cells::UNSET),
        cells::age(object, now),
        cells::text_or(&spec["volumeMode"], cells::UNSET),
    ]
}

struct PersistentVolumeClaim;

impl Hooks for PersistentVolumeClaim {}

struct PersistentVolumeClaimStatus;

impl Hooks for PersistentVolumeClaimStatus {}
