//! PersistentVolume: a piece of storage in the cluster.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "PersistentVolume", "persistentvolumes")
        .cluster_scoped()
        .short_names(&["pv"])
        .storage_version_hash("HN/zwEC+JgM=")
        .strategy(Strategy {
            delete_returns_object: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(PersistentVolume)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            PersistentVolumeStatus,
        );
    columns::with(descriptor, volume_cells)
}

fn volume_cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let claim = &spec["claimRef"];
    let claim = match claim.is_null() {
        true => String::new(),
        false => format!("{}/{}", claim["namespace"].str(), claim["name"].str()),
    };
    vec![
        cells::name(object),
        cells::text_or(&spec["capacity"]["storage"], "0"),
        access_modes(&spec["accessModes"]).into(),
        spec["persistentVolumeReclaimPolicy"].str().into(),
        phase(object),
        claim.into(),
        storage_class(object),
        cells::text_or(&spec["volumeAttributesClassName"], cells::UNSET),
        status["reason"].str().into(),
        cells::age(object, now),
        cells::text_or(&spec["volumeMode"], cells::UNSET),
    ]
}

/// The phase, or Terminating when deletion has begun.
pub fn phase(object: &Value) -> Value {
    match object["metadata"]["deletionTimestamp"].is_null() {
        true => object["status"]["phase"].str().into(),
        false => "Terminating".into(),
    }
}

/// Access modes in short, in a fixed order, each once.
pub fn access_modes(modes: &Value) -> String {
    const SHORT: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let has = |long: &str| modes.items().iter().any(|m| m.str() == long);
    SHORT.iter().filter(|(long, _)| has(long)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// The beta annotation wins over the field.
pub fn storage_class(object: &Value) -> Value {
    match object["metadata"]["annotations"].get("volume.beta.kubernetes.io/storage-class") {
        Some(class) => class.clone(),
        None => object["spec"]["storageClassName"].str().into(),
    }
}

struct PersistentVolume;

impl Hooks for PersistentVolume {}

struct PersistentVolumeStatus;

impl Hooks for PersistentVolumeStatus {}
