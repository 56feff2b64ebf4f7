//! Environment variables and where they come from.

use super::projected::{validate_field_selector, validate_path_without_backsteps, validate_resource_selector};
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;

/// Fields of the pod that a variable may show, besides single labels and annotations.
const FIELD_PATHS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

pub fn validate_env(vars: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, var) in vars.items().iter().enumerate() {
        let path = path.index(i);
        let own = var["name"].str();
        if own.is_empty() {
            errs.required(&path.child("name"), "");
        } else {
            errs.invalid_each(&path.child("name"), own, name::env_var_name(own));
        }
        validate_value_from(var, &path.child("valueFrom"), errs);
    }
}

fn validate_value_from(var: &Value, path: &Path, errs: &mut ErrorList) {
    let from = &var["valueFrom"];
    if from.is_null() {
        return;
    }
    let mut sources = 0;
    for key in ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"] {
        let source = &from[key];
        if source.is_null() {
            continue;
        }
        sources += 1;
        let path = path.child(key);
        match key {
            "fieldRef" => validate_field_selector(source, FIELD_PATHS, &path, errs),
            "resourceFieldRef" => validate_resource_selector(source, false, &path, errs),
            "fileKeyRef" => validate_file_key(source, &path, errs),
            _ => validate_key(source, &path, errs),
        }
    }
    if sources == 0 {
        let choices =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        errs.invalid(path, "", choices);
    } else if !var["value"].str().is_empty() {
        errs.invalid(path, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        errs.invalid(path, "", "may not have more than one field specified at a time");
    }
}

/// A key of a ConfigMap or Secret.
fn validate_key(source: &Value, path: &Path, errs: &mut ErrorList) {
    let own = source["name"].str();
    errs.invalid_each(&path.child("name"), own, name::dns1123_subdomain(own));
    match source["key"].str() {
        "" => errs.required(&path.child("key"), ""),
        key => errs.invalid_each(&path.child("key"), key, name::config_map_key(key)),
    }
}

fn validate_file_key(source: &Value, path: &Path, errs: &mut ErrorList) {
    match source["key"].str() {
        "" => errs.required(&path.child("key"), ""),
        key => errs.invalid_each(&path.child("key"), key, name::env_var_name(key)),
    }
    match source["volumeName"].str() {
        "" => errs.required(&path.child("volumeName"), ""),
        volume => errs.invalid_each(&path.child("volumeName"), volume, name::dns1123_label(volume)),
    }
    match source["path"].str() {
        "" => errs.required(&path.child("path"), ""),
        file => validate_path_without_backsteps(file, &path.child("path"), errs),
    }
}

/// Files with variables live in an emptyDir of the same pod.
pub fn validate_file_volumes(spec: &Value, path: &Path, errs: &mut ErrorList) {
    for (container, path) in super::containers::all_containers(spec, path) {
        for (i, var) in container["env"].items().iter().enumerate() {
            let source = &var["valueFrom"]["fileKeyRef"];
            if source.is_null() {
                continue;
            }
            let path = path.child("env").index(i).child("valueFrom").child("fileKeyRef").child("volumeName");
            let own = source["volumeName"].str();
            // of volumes with one name upstream sees the last
            match spec["volumes"].items().iter().rfind(|v| v["name"].str() == own) {
                None => errs.not_found(&path, own),
                Some(volume) if volume["emptyDir"].is_null() => {
                    errs.invalid(&path, own, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    }
}

pub fn validate_env_from(sources: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, source) in sources.items().iter().enumerate() {
        let list = path;
        let path = path.index(i);
        let prefix = source["prefix"].str();
        if !prefix.is_empty() {
            errs.invalid_each(&path.child("prefix"), prefix, name::env_var_name(prefix));
        }
        let mut count = 0;
        for key in ["configMapRef", "secretRef"] {
            if source[key].is_null() {
                continue;
            }
            count += 1;
            let path = path.child(key).child("name");
            match source[key]["name"].str() {
                "" => errs.required(&path, ""),
                own => errs.invalid_each(&path, own, name::dns1123_subdomain(&name::mask_trailing_dash(own))),
            }
        }
        match count {
            0 => errs.invalid(list, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errs.invalid(list, "", "may not have more than one field specified at a time"),
        }
    }
}
