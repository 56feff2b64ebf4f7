//! Validation of a PersistentVolume (upstream: ValidatePersistentVolume… in pkg/apis/core/validation).

use super::sources;
use crate::core::pod::{affinity, internal};
use crate::rules::immutable::{self, same};
use crate::rules::{diff, quantity};
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, name};

pub const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
pub const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
const RECLAIM_POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";
const NOT_POSITIVE: &str = "must be greater than zero";

/// Sources that take mount options.
const MOUNTED: [&str; 13] = [
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "portworxVolume",
];

pub fn validate(object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    if spec["accessModes"].is_empty() {
        errs.required(&path.child("accessModes"), "");
    }
    validate_access_modes(&spec["accessModes"], &path.child("accessModes"), errs);
    validate_capacity(&spec["capacity"], &path.child("capacity"), errs);
    let policy = spec["persistentVolumeReclaimPolicy"].str();
    let policy_path = path.child("persistentVolumeReclaimPolicy");
    if !policy.is_empty() && !RECLAIM_POLICIES.contains(&policy) {
        errs.not_supported(&policy_path, policy, RECLAIM_POLICIES);
    }
    let lenient = old.is_some_and(|old| has_invalid_value(&old["spec"]["nodeAffinity"]["required"]));
    let node_affinity = &spec["nodeAffinity"];
    if !node_affinity.is_null() {
        let at = path.child("nodeAffinity").child("required");
        if node_affinity["required"].is_null() {
            errs.required(&at, "must specify required node constraints");
        } else {
            affinity::validate_node_selector(&node_affinity["required"], lenient, &at, errs);
        }
    }
    sources::validate(spec, object["metadata"]["name"].str(), &path, errs);
    if policy == "Recycle" && is_root(spec["hostPath"]["path"].str()) {
        errs.forbidden(&policy_path, "may not be 'recycle' for a hostPath mount of '/'");
    }
    validate_classes(spec, &path, errs);
}

/// Whether an expression of a term has a value that is no label value.
fn has_invalid_value(selector: &Value) -> bool {
    let expressions = selector["nodeSelectorTerms"].items().iter().flat_map(|t| t["matchExpressions"].items());
    expressions.flat_map(|e| e["values"].items()).any(|v| !name::label_value(v.str()).is_empty())
}

/// The volume that a VolumeAttachment holds inline: CSI, and nothing that belongs to the object.
pub fn validate_inline(spec: &Value, path: &Path, errs: &mut ErrorList) {
    const FOREIGN: &str = "may not be specified in the context of inline volumes";
    for field in ["claimRef", "capacity"] {
        if !spec[field].is_empty() {
            errs.forbidden(&path.child(field), FOREIGN);
        }
    }
    if spec["csi"].is_null() {
        errs.required(&path.child("csi"), "has to be specified in the context of inline volumes");
    }
    if spec["accessModes"].is_empty() {
        errs.required(&path.child("accessModes"), "");
    }
    validate_access_modes(&spec["accessModes"], &path.child("accessModes"), errs);
    let policy = spec["persistentVolumeReclaimPolicy"].str();
    if !policy.is_empty() && policy != "Retain" {
        let detail = "may only be Retain in the context of inline volumes";
        errs.forbidden(&path.child("persistentVolumeReclaimPolicy"), detail);
    }
    if !spec["nodeAffinity"].is_null() {
        errs.forbidden(&path.child("nodeAffinity"), FOREIGN);
    }
    sources::validate(spec, "", path, errs);
    if !spec["storageClassName"].is_empty() {
        errs.forbidden(&path.child("storageClassName"), FOREIGN);
    }
    if spec["volumeMode"].as_str().is_some_and(|mode| mode != "Filesystem") {
        let detail = "may not specify volumeMode other than Filesystem in the context of inline volumes";
        errs.forbidden(&path.child("volumeMode"), detail);
    }
}

/// Known modes; ReadWriteOncePod only alone. Also for claims.
pub fn validate_access_modes(modes: &Value, path: &Path, errs: &mut ErrorList) {
    let known = |mode: &str| ACCESS_MODES.contains(&mode);
    for mode in modes.items().iter().map(Value::str).filter(|mode| !known(mode)) {
        errs.not_supported(path, mode, ACCESS_MODES);
    }
    let alone = modes.items().iter().any(|m| m.str() == "ReadWriteOncePod");
    let others = modes.items().iter().any(|m| m.str() != "ReadWriteOncePod" && known(m.str()));
    if alone && others {
        errs.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

fn validate_capacity(capacity: &Value, path: &Path, errs: &mut ErrorList) {
    if capacity.is_empty() {
        errs.required(path, "");
    }
    if capacity.get("storage").is_none() || capacity.entries().len() > 1 {
        errs.not_supported(path, capacity, &["storage"]);
    }
    for (key, value) in capacity.entries() {
        let at = path.key(key);
        let amount = quantity::parse(value);
        if amount.value() < 0 {
            errs.invalid(&at, amount.value(), "must be a valid resource quantity");
        }
        validate_positive(value, &at, errs);
    }
}

/// More than zero. Also for claims.
pub fn validate_positive(value: &Value, path: &Path, errs: &mut ErrorList) {
    if quantity::parse(value).sign() <= 0 {
        errs.invalid(path, value.as_str().unwrap_or("0"), NOT_POSITIVE);
    }
}

fn is_root(text: &str) -> bool {
    text.starts_with('/') && text.split('/').all(|part| part.is_empty() || part == ".")
}

fn validate_classes(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let class = spec["storageClassName"].str();
    if !class.is_empty() {
        errs.invalid_each(&path.child("storageClassName"), class, name::dns1123_subdomain(class));
    }
    if let Some(mode) = spec["volumeMode"].as_str()
        && !VOLUME_MODES.contains(&mode)
    {
        errs.not_supported(&path.child("volumeMode"), mode, VOLUME_MODES);
    }
    if let Some(class) = spec["volumeAttributesClassName"].as_str() {
        let at = path.child("volumeAttributesClassName");
        match class {
            "" => errs.required(&at, "an empty string is disallowed"),
            class => errs.invalid_each(&at, class, name::dns1123_subdomain(class)),
        }
        if spec["csi"].is_null() {
            errs.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
        }
    }
}

pub fn validate_mount_options(object: &Value, errs: &mut ErrorList) {
    let takes_options = MOUNTED.iter().any(|source| !object["spec"][*source].is_null());
    if !takes_options && object["metadata"]["annotations"].get(MOUNT_OPTIONS).is_some() {
        let path = Path::new("metadata").child("annotations").child(MOUNT_OPTIONS);
        errs.forbidden(&path, "may not specify mount options for this volume type");
    }
}

pub fn validate_change(object: &Value, old: &Value, errs: &mut ErrorList) {
    let (spec, stored) = (&object["spec"], &old["spec"]);
    let is_same = |field: &str| {
        let (new, old) = (&spec[field], &stored[field]);
        if field != "csi" || old.is_null() || new.is_null() || !old["controllerExpandSecretRef"].is_null() {
            return same(new, old);
        }
        // this reference may be added later
        let mut without = new.clone();
        without.remove("controllerExpandSecretRef");
        same(&without, old)
    };
    if !sources::fields().all(is_same) {
        let path = Path::new("spec").child("persistentvolumesource");
        let text = |spec: &Value| internal::text("PersistentVolumeSource", spec);
        let mut new = spec.clone();
        if stored["csi"]["controllerExpandSecretRef"].is_null()
            && let Some(csi) = new.get_mut("csi").filter(|_| !stored["csi"].is_null())
        {
            csi.remove("controllerExpandSecretRef");
        }
        let changes = diff::unified(&text(stored), &text(&new));
        errs.forbidden(&path, &format!("spec.persistentvolumesource is immutable after creation\n{changes}"));
    }
    immutable::validate(&spec["volumeMode"], &stored["volumeMode"], &Path::new("volumeMode"), errs);
    let affinity = &spec["nodeAffinity"];
    if !stored["nodeAffinity"].is_null() && !is_same_affinity(affinity, &stored["nodeAffinity"]) {
        let detail = "field is immutable, except for updating from beta label to GA";
        let shown = match affinity.is_null() {
            true => Shown::from(affinity),
            false => internal::shown("VolumeNodeAffinity", affinity),
        };
        errs.invalid(&Path::new("nodeAffinity"), shown, detail);
    }
    if !stored["volumeAttributesClassName"].is_null() && spec["volumeAttributesClassName"].is_null() {
        let path = Path::new("spec").child("volumeAttributesClassName");
        errs.forbidden(&path, "update from non-nil value to nil is forbidden");
    }
}

/// Beta labels of nodes and what replaced them.
const RENAMED_LABELS: [(&str, &str); 5] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
];

/// Whether nothing but the names of labels has changed, from beta to current ones. Upstream finds an empty name for a
/// label that has no other, and takes an empty key for it.
fn is_same_affinity(affinity: &Value, stored: &Value) -> bool {
    let mut stored = stored.clone();
    let terms = stored.path_mut("required.nodeSelectorTerms").map(Value::items_mut).unwrap_or_default();
    for (i, term) in terms.iter_mut().enumerate() {
        for list in ["matchExpressions", "matchFields"] {
            let expressions = term.get_mut(list).map(Value::items_mut).unwrap_or_default();
            for (j, expression) in expressions.iter_mut().enumerate() {
                let key = affinity["required"]["nodeSelectorTerms"][i][list][j]["key"].str();
                let renamed = RENAMED_LABELS.iter().find(|(beta, _)| *beta == expression["key"].str());
                if renamed.map_or("", |(_, current)| *current) == key {
                    expression.set("key", key);
                }
            }
        }
    }
    same(affinity, &stored)
}
