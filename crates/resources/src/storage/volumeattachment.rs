//! VolumeAttachment: the wish to attach a volume to a node.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments")
        .cluster_scoped()
        .storage_version_hash("tJx/ezt6UDU=")
        .strategy(Strategy {
            unconditional_update: false,
            delete_returns_object: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(VolumeAttachment)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["metadata", "spec"], ..Strategy::default() },
            VolumeAttachmentStatus,
        );
    columns::with(descriptor, attachment_cells)
}

fn attachment_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        cells::name(object),
        spec["attacher"].str().into(),
        spec["source"]["persistentVolumeName"].str().into(),
        spec["nodeName"].str().into(),
        object["status"]["attached"].bool().into(),
        cells::age(object, now),
    ]
}

struct VolumeAttachment;

impl Hooks for VolumeAttachment {}

struct VolumeAttachmentStatus;

impl Hooks for VolumeAttachmentStatus {}
