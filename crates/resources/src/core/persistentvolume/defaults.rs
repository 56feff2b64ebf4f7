//! Defaults of a PersistentVolume (upstream: pkg/apis/core/v1/defaults.go).

use meta::{Value, value};

/// Text that stands in for what a source leaves out: source, field, default.
const SOURCE_DEFAULTS: [(&str, &str, &str); 9] = [
    ("iscsi", "iscsiInterface", "default"),
    ("rbd", "pool", "rbd"),
    ("rbd", "user", "admin"),
    ("rbd", "keyring", "/etc/ceph/keyring"),
    ("azureDisk", "cachingMode", "ReadWrite"),
    ("azureDisk", "fsType", "ext4"),
    ("azureDisk", "kind", "Shared"),
    ("scaleIO", "storageMode", "ThinProvisioned"),
    ("scaleIO", "fsType", "xfs"),
];

/// Fields whose set but empty text is kept, being pointers in Go.
const POINTERS: [(&str, &str); 3] = [("azureDisk", "cachingMode"), ("azureDisk", "fsType"), ("azureDisk", "kind")];

pub fn default(object: &mut Value) {
    if object["status"]["phase"].is_empty() {
        object.entry("status").set("phase", "Pending");
    }
    let spec = object.entry("spec");
    if spec["persistentVolumeReclaimPolicy"].is_empty() {
        spec.set("persistentVolumeReclaimPolicy", "Retain");
    }
    spec.set_default("volumeMode", "Filesystem");
    default_sources(spec);
}

/// Also for the volume that a VolumeAttachment holds inline.
pub fn default_sources(spec: &mut Value) {
    for (source, field, text) in SOURCE_DEFAULTS {
        let Some(source_value) = spec.get_mut(source).filter(|s| !s.is_null()) else { continue };
        let current = &source_value[field];
        let missing = if POINTERS.contains(&(source, field)) { current.is_null() } else { current.is_empty() };
        if missing {
            source_value.set(field, text);
        }
    }
    if let Some(disk) = spec.get_mut("azureDisk").filter(|s| !s.is_null()) {
        disk.set_default("readOnly", value!(false));
    }
    if let Some(host) = spec.get_mut("hostPath").filter(|s| !s.is_null()) {
        host.set_default("type", "");
    }
}
