//! PersistentVolume: a piece of storage in the cluster.

pub mod defaults;
pub mod sources;
pub mod validate;
mod warn;

use crate::{cells, columns};
use meta::field::ErrorList;
use meta::{Value, value};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "PersistentVolume", "persistentvolumes")
        .cluster_scoped()
        .short_names(&["pv"])
        .storage_version_hash("HN/zwEC+JgM=")
        .strategy(Strategy {
            delete_returns_object: true,
            metadata: MetadataRules::WHOLE_TWICE,
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

impl Hooks for PersistentVolume {
    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    fn prepare_create(&self, ctx: &Context, object: &mut Value) {
        let now = ctx.now.to_rfc3339();
        object.set("status", value!({"phase": "Pending", "lastPhaseTransitionTime": now}));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate::validate(object, None, errs);
        validate::validate_mount_options(object, errs);
    }

    /// Upstream checks the whole volume twice on update.
    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate::validate(object, Some(old), errs);
        validate::validate_mount_options(object, errs);
        validate::validate(object, Some(old), errs);
        validate::validate_change(object, old, errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        warn::warn(object, warnings);
    }
}

struct PersistentVolumeStatus;

impl Hooks for PersistentVolumeStatus {
    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    /// A change of phase is dated, unless the client did so itself.
    fn prepare_update(&self, ctx: &Context, object: &mut Value, old: &Value) {
        let stored = &old["status"];
        let status = object.entry("status");
        let dated = !status["lastPhaseTransitionTime"].is_null();
        let same_date = status["lastPhaseTransitionTime"] == stored["lastPhaseTransitionTime"];
        if status["phase"] != stored["phase"] {
            if !dated || same_date {
                status.set("lastPhaseTransitionTime", ctx.now.to_rfc3339());
            }
        } else if !dated && !stored["lastPhaseTransitionTime"].is_null() {
            status.set("lastPhaseTransitionTime", &stored["lastPhaseTransitionTime"]);
        }
    }

    fn validate_update(&self, _ctx: &Context, _object: &Value, _old: &Value, _errs: &mut ErrorList) {}
}
