//! Warnings about a PersistentVolume (upstream: pkg/api/persistentvolume/util.go).

use crate::rules::quantity;
use meta::Value;
use meta::field::quote;

/// Sources that no longer work: field, the name in the warning, since when.
const DEAD: [(&str, &str, &str); 6] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

pub fn warn(object: &Value, warnings: &mut Vec<String>) {
    let annotations = &object["metadata"]["annotations"];
    for (annotation, attribute) in [(CLASS, "storageClassName"), (MOUNT_OPTIONS, "mountOptions")] {
        if annotations.get(annotation).is_some() {
            let advice = format!("deprecated since v1.8; use \"{attribute}\" attribute instead");
            let advice = if annotation == CLASS { advice } else { advice.replace("v1.8", "v1.31") };
            warnings.push(format!("metadata.annotations[{annotation}]: {advice}"));
        }
    }
    let spec = &object["spec"];
    if spec["persistentVolumeReclaimPolicy"].str() == "Recycle" {
        warnings.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
                .into(),
        );
    }
    for (field, name, since) in DEAD {
        if !spec[field].is_null() {
            warnings.push(format!("spec.{name}: {since}"));
        }
    }
    let storage = &spec["capacity"]["storage"];
    if !quantity::parse(storage).is_integer() {
        let text = quote(storage.str());
        warnings.push(format!("spec.capacity[storage]: fractional byte value {text} is invalid, must be an integer"));
    }
}
