//! Volumes: names, and exactly one source each.

use super::options::Options;
use super::projected::{
    validate_downward_files, validate_items, validate_mode, validate_path_without_backsteps, validate_projected,
};
use super::{claim, volume_sources};
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Sources in upstream's order of judging: JSON name, the name in the path when it is the only one, the name in the
/// path when it is one too many.
const SOURCES: &[(&str, &str, &str)] = &[
    ("emptyDir", "emptyDir", "emptyDir"),
    ("hostPath", "hostPath", "hostPath"),
    ("gitRepo", "gitRepo", "gitRepo"),
    ("gcePersistentDisk", "persistentDisk", "gcePersistentDisk"),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore"),
    ("secret", "secret", "secret"),
    ("nfs", "nfs", "nfs"),
    ("iscsi", "iscsi", "iscsi"),
    ("glusterfs", "glusterfs", "glusterfs"),
    ("flocker", "flocker", "flocker"),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim"),
    ("rbd", "rbd", "rbd"),
    ("cinder", "cinder", "cinder"),
    ("cephfs", "cephfs", "cephFS"),
    ("quobyte", "quobyte", "quobyte"),
    ("downwardAPI", "downwardAPI", "downwarAPI"),
    ("fc", "fc", "fc"),
    ("flexVolume", "flexVolume", "flexVolume"),
    ("configMap", "configMap", "configMap"),
    ("azureFile", "azureFile", "azureFile"),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume"),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk"),
    ("portworxVolume", "portworxVolume", "portworxVolume"),
    ("azureDisk", "azureDisk", "azureDisk"),
    ("storageos", "storageos", "storageos"),
    ("projected", "projected", "projected"),
    ("scaleIO", "scaleIO", "scaleIO"),
    ("csi", "csi", "csi"),
    ("ephemeral", "ephemeral", "ephemeral"),
    ("image", "image", "image"),
];

/// The volumes that are right, by name. `pod_name` is "" in templates and while a name is still to be generated.
pub fn validate_volumes<'a>(
    spec: &'a Value,
    pod_name: &str,
    options: Options,
    path: &Path,
    errs: &mut ErrorList,
) -> Vec<(&'a str, &'a Value)> {
    let volumes = spec["volumes"].items();
    let claims: BTreeSet<String> = volumes
        .iter()
        .filter(|v| !pod_name.is_empty() && !v["ephemeral"].is_null())
        .map(|v| format!("{pod_name}-{}", v["name"].str()))
        .collect();
    let mut right: Vec<(&str, &Value)> = Vec::new();
    for (i, volume) in volumes.iter().enumerate() {
        let path = path.index(i);
        let own = volume["name"].str();
        let mut wrong = ErrorList::new();
        validate_source(volume, pod_name, options, &path, &mut wrong);
        if own.is_empty() {
            wrong.required(&path.child("name"), "");
        } else {
            wrong.invalid_each(&path.child("name"), own, name::dns1123_label(own));
        }
        if right.iter().any(|(name, _)| *name == own) {
            wrong.duplicate(&path.child("name"), own);
        }
        if wrong.is_empty() {
            right.push((own, volume));
        }
        errs.extend(wrong);
        let claim = volume["persistentVolumeClaim"]["claimName"].str();
        if claims.contains(claim) && !volume["persistentVolumeClaim"].is_null() {
            let path = path.child("persistentVolumeClaim").child("claimName");
            errs.invalid(&path, claim, "must not reference a PVC that gets created for an ephemeral volume");
        }
    }
    right
}

fn validate_source(volume: &Value, pod_name: &str, options: Options, path: &Path, errs: &mut ErrorList) {
    let mut count = 0;
    for (key, own, extra) in SOURCES {
        let source = &volume[*key];
        if source.is_null() {
            continue;
        }
        count += 1;
        if count > 1 {
            errs.forbidden(&path.child(extra), "may not specify more than 1 volume type");
        } else {
            validate_one(key, source, options, &path.child(own), errs);
        }
        match *key {
            "iscsi" => validate_iscsi_length(volume, path, errs),
            "ephemeral" if count == 1 => validate_claim_name(volume["name"].str(), pod_name, path, errs),
            _ => {}
        }
    }
    if count == 0 {
        errs.required(path, "must specify a volume type");
    }
}

fn validate_one(key: &str, source: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    match key {
        "emptyDir" => {
            if source["sizeLimit"].str().starts_with('-') {
                errs.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
            }
        }
        "hostPath" => validate_host_path(source, path, errs),
        "secret" | "configMap" => {
            let field = if key == "secret" { "secretName" } else { "name" };
            if source[field].str().is_empty() {
                errs.required(&path.child(field), "");
            }
            validate_mode(&source["defaultMode"], &path.child("defaultMode"), errs);
            validate_items(&source["items"], &path.child("items"), errs);
        }
        "downwardAPI" => {
            validate_mode(&source["defaultMode"], &path.child("defaultMode"), errs);
            validate_downward_files(&source["items"], path, errs);
        }
        "projected" => validate_projected(source, options, path, errs),
        "ephemeral" => {
            let (template, path) = (&source["volumeClaimTemplate"], path.child("volumeClaimTemplate"));
            if template.is_null() {
                errs.required(&path, "");
            } else {
                claim::validate_template(template, &path, errs);
            }
        }
        "image" => {
            if options.is_pod && source["reference"].str().is_empty() {
                errs.required(&path.child("reference"), "");
            }
            super::containers::validate_pull_policy(&source["pullPolicy"], &path.child("pullPolicy"), errs);
        }
        _ => volume_sources::validate(key, source, path, errs),
    }
}

fn validate_host_path(source: &Value, path: &Path, errs: &mut ErrorList) {
    let own = source["path"].str();
    if own.is_empty() {
        errs.required(&path.child("path"), "");
        return;
    }
    validate_path_without_backsteps(own, &path.child("path"), errs);
    super::containers::validate_optional_choice(&source["type"], HOST_PATH_TYPES, &path.child("type"), errs);
}

fn validate_iscsi_length(volume: &Value, path: &Path, errs: &mut ErrorList) {
    let own = volume["name"].str();
    let source = &volume["iscsi"];
    let length = own.len() + 1 + source["targetPortal"].str().len();
    if !source["initiatorName"].is_null() && length > 64 {
        let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        errs.invalid(&path.child("name"), own, detail);
    }
}

/// The claim made for an ephemeral volume is named after the pod and the volume.
fn validate_claim_name(volume: &str, pod_name: &str, path: &Path, errs: &mut ErrorList) {
    if pod_name.is_empty() || volume.is_empty() {
        return;
    }
    let claim = format!("{pod_name}-{volume}");
    for message in name::dns1123_subdomain(&claim) {
        let detail = format!("PVC name {}: {message}", meta::field::quote(&claim));
        errs.invalid(&path.child("name"), volume, &detail);
    }
}
