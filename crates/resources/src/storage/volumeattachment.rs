//! VolumeAttachment: the wish to attach a volume to a node.

use crate::core::persistentvolume::{defaults, sources, validate};
use crate::core::pod::internal;
use crate::rules::immutable;
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments")
        .cluster_scoped()
        .storage_version_hash("tJx/ezt6UDU=")
        .strategy(Strategy {
            unconditional_update: false,
            delete_returns_object: true,
            metadata: MetadataRules::WHOLE,
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

const METADATA_BYTES_MAX: usize = 256 * 1024;
const MESSAGE_LENGTH_MAX: usize = 1024;

struct VolumeAttachment;

fn default(object: &mut Value) {
    if let Some(spec) = object.path_mut("spec.source.inlineVolumeSpec").filter(|s| !s.is_null()) {
        defaults::default_sources(spec);
    }
}

impl Hooks for VolumeAttachment {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_whole(object, errs);
        validate_volume_name(&object["spec"], errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_whole(object, errs);
        validate_volume_name(&object["spec"], errs);
        validate_immutable(&object["spec"], &old["spec"], errs);
    }
}

/// What holds in every version.
fn validate_whole(object: &Value, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    sources::validate_driver_name(spec["attacher"].str(), &path.child("attacher"), errs);
    validate_source(&spec["source"], &path.child("source"), errs);
    let node = spec["nodeName"].str();
    errs.invalid_each(&path.child("nodeName"), node, name::dns1123_subdomain(node));
    validate_status(&object["status"], errs);
}

fn validate_immutable(spec: &Value, old: &Value, errs: &mut ErrorList) {
    if !immutable::same(spec, old) {
        errs.invalid(&Path::new("spec"), internal::shown("VolumeAttachmentSpec", spec), immutable::MESSAGE);
    }
}

fn validate_volume_name(spec: &Value, errs: &mut ErrorList) {
    if let Some(volume) = spec["source"]["persistentVolumeName"].as_str() {
        let path = Path::new("spec").child("source").child("persistentVolumeName");
        errs.invalid_each(&path, volume, name::dns1123_subdomain(volume));
    }
}

fn validate_source(source: &Value, path: &Path, errs: &mut ErrorList) {
    let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    let inline = &source["inlineVolumeSpec"];
    match (inline.is_null(), source["persistentVolumeName"].as_str()) {
        (true, None) => errs.required(path, detail),
        (false, Some(_)) => errs.forbidden(path, detail),
        (true, Some("")) => {
            errs.required(&path.child("persistentVolumeName"), "must specify non empty persistentVolumeName");
        }
        (true, Some(_)) => {}
        (false, None) => validate::validate_inline(inline, &path.child("inlineVolumeSpec"), errs),
    }
}

fn validate_status(status: &Value, errs: &mut ErrorList) {
    let path = Path::new("status");
    let metadata = status["attachmentMetadata"].entries();
    let size: usize = metadata.map(|(key, value)| key.len() + value.str().len()).sum();
    if size > METADATA_BYTES_MAX {
        errs.too_long(&path.child("attachmentMetadata"), METADATA_BYTES_MAX);
    }
    for field in ["attachError", "detachError"] {
        if status[field]["message"].str().len() > MESSAGE_LENGTH_MAX {
            errs.too_long(&path.child(field).child("message"), MESSAGE_LENGTH_MAX);
        }
        errs.non_negative(&path.child(field).child("errorCode"), status[field]["errorCode"].int());
    }
}

struct VolumeAttachmentStatus;

impl Hooks for VolumeAttachmentStatus {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_whole(object, errs);
        validate_immutable(&object["spec"], &old["spec"], errs);
    }
}
