//! Volumes and block devices as containers use them.

use super::containers::{Pod, validate_optional_choice};
use super::projected::{has_backsteps, validate_relative_path};
use meta::Value;
use meta::field::{ErrorList, Path};
use std::collections::BTreeSet;

const PROPAGATIONS: &[&str] = &["Bidirectional", "HostToContainer", "None"];

pub fn validate_mounts(container: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let devices = container["volumeDevices"].items();
    let mut paths = BTreeSet::new();
    for (i, mount) in container["volumeMounts"].items().iter().enumerate() {
        // upstream reports some of a mount's fields at the list
        let list = path;
        let path = path.index(i);
        let (volume, at) = (mount["name"].str(), mount["mountPath"].str());
        if volume.is_empty() {
            errs.required(&path.child("name"), "");
        }
        if pod.volume(volume).is_none() {
            errs.not_found(&path.child("name"), volume);
        }
        if at.is_empty() {
            errs.required(&path.child("mountPath"), "");
        }
        if !paths.insert(at) {
            errs.invalid(&path.child("mountPath"), at, "must be unique");
        }
        if devices.iter().any(|d| d["name"].str() == volume) {
            errs.invalid(&path.child("name"), volume, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|d| d["devicePath"].str() == at) {
            errs.invalid(&path.child("mountPath"), at, "must not already exist as a path in volumeDevices");
        }
        let (sub, expr) = (mount["subPath"].str(), mount["subPathExpr"].str());
        if !sub.is_empty() {
            validate_relative_path(sub, &list.child("subPath"), errs);
        }
        if !expr.is_empty() {
            if !sub.is_empty() {
                let detail = "subPathExpr and subPath are mutually exclusive";
                errs.invalid(&path.child("subPathExpr"), expr, detail);
            }
            validate_relative_path(expr, &list.child("subPathExpr"), errs);
        }
        validate_propagation(mount, container, &list.child("mountPropagation"), errs);
        validate_recursive_read_only(mount, &list.child("recursiveReadOnly"), errs);
    }
}

fn validate_propagation(mount: &Value, container: &Value, path: &Path, errs: &mut ErrorList) {
    let propagation = &mount["mountPropagation"];
    validate_optional_choice(propagation, PROPAGATIONS, path, errs);
    if propagation.str() == "Bidirectional" && !container["securityContext"]["privileged"].bool() {
        errs.forbidden(path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

fn validate_recursive_read_only(mount: &Value, path: &Path, errs: &mut ErrorList) {
    match mount["recursiveReadOnly"].as_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount["readOnly"].bool() {
                errs.forbidden(path, "may only be specified when readOnly is true");
            }
            if !matches!(mount["mountPropagation"].as_str(), None | Some("None")) {
                errs.forbidden(path, "may only be specified when mountPropagation is None or not specified");
            }
        }
        Some(other) => errs.not_supported(path, other, &["Disabled", "IfPossible", "Enabled"]),
    }
}

pub fn validate_devices(container: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let mounts = container["volumeMounts"].items();
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in container["volumeDevices"].items().iter().enumerate() {
        let path = path.index(i);
        let (name_path, device_path) = (path.child("name"), path.child("devicePath"));
        let (volume, at) = (device["name"].str(), device["devicePath"].str());
        if volume.is_empty() {
            errs.required(&name_path, "");
        }
        if names.contains(volume) {
            errs.invalid(&name_path, volume, "must be unique");
        }
        match pod.volume(volume) {
            None => errs.not_found(&name_path, volume),
            Some(source) if source["persistentVolumeClaim"].is_null() && source["ephemeral"].is_null() => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errs.invalid(&name_path, volume, detail);
            }
            Some(_) => {}
        }
        if at.is_empty() {
            errs.required(&device_path, "");
        }
        if paths.contains(at) {
            errs.invalid(&device_path, at, "must be unique");
        }
        if has_backsteps(at) {
            errs.invalid(&device_path, at, "can not contain backsteps ('..')");
        } else {
            paths.insert(at);
        }
        if mounts.iter().any(|m| m["name"].str() == volume) {
            errs.invalid(&name_path, volume, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|m| m["mountPath"].str() == at) {
            errs.invalid(&device_path, at, "must not already exist as a path in volumeMounts");
        }
        if !volume.is_empty() {
            names.insert(volume);
        }
    }
}
