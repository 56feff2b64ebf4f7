//! Containers of all three sorts.

use super::options::Options;
use super::{env, mounts, ports, probes, resources, restart, security};
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const EPHEMERAL: &str = "cannot be set for an Ephemeral Container";

/// What an ephemeral container may not have, in upstream's order.
const NOT_IN_EPHEMERAL: &[&str] = &[
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// The pod as its containers' rules see it.
pub struct Pod<'a> {
    pub spec: &'a Value,
    /// Names and sources of the volumes that are right.
    pub volumes: Vec<(&'a str, &'a Value)>,
    pub options: Options,
}

impl<'a> Pod<'a> {
    pub fn volume(&self, name: &str) -> Option<&'a Value> {
        self.volumes.iter().find(|(n, _)| *n == name).map(|(_, source)| *source)
    }

    pub fn restart_policy(&self) -> &'a str {
        self.spec["restartPolicy"].str()
    }

    /// False only when the pod asks for a user namespace.
    pub fn host_users(&self) -> bool {
        self.spec["hostUsers"].as_bool().unwrap_or(true)
    }
}

/// Init containers, containers, ephemeral containers, each with its path: upstream's order of visiting.
pub fn all_containers<'a>(spec: &'a Value, path: &Path) -> impl Iterator<Item = (&'a Value, Path)> {
    let lists = ["initContainers", "containers", "ephemeralContainers"].map(|key| (key, path.child(key)));
    lists.into_iter().flat_map(move |(key, path)| {
        spec[key].items().iter().enumerate().map(move |(i, c)| (c, path.index(i))).collect::<Vec<_>>()
    })
}

/// A sidecar: an init container that keeps running.
pub fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"].str() == "Always"
}

pub fn validate_containers(pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let containers = pod.spec["containers"].items();
    if containers.is_empty() {
        errs.required(path, "");
        return;
    }
    let mut names = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let path = path.index(i);
        validate_any(container, pod, &path, errs);
        let own = container["name"].str();
        if !names.insert(own) {
            errs.duplicate(&path.child("name"), own);
        }
        probes::validate_all(container, pod.spec, &path, errs);
        restart::validate(container, &path, errs);
    }
    ports::validate_host_ports(containers, path, errs);
}

pub fn validate_init_containers(pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let mut names: BTreeSet<&str> = pod.spec["containers"].items().iter().map(|c| c["name"].str()).collect();
    for (i, container) in pod.spec["initContainers"].items().iter().enumerate() {
        let list = path;
        let path = path.index(i);
        validate_any(container, pod, &path, errs);
        restart::validate_init(container, &path, errs);
        let own = container["name"].str();
        if names.contains(own) {
            errs.duplicate(&path.child("name"), own);
        } else if !own.is_empty() {
            names.insert(own);
        }
        // upstream gives each init container a list of its own, at index 0
        ports::validate_host_ports(std::slice::from_ref(container), list, errs);
        if is_sidecar(container) {
            probes::validate_all(container, pod.spec, &path, errs);
            continue;
        }
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if !container[field].is_null() {
                errs.forbidden(&path.child(field), "may not be set for init containers without restartPolicy=Always");
            }
        }
    }
}

pub fn validate_ephemeral_containers(pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let names_of = |key: &str| pod.spec[key].items().iter().map(|c| c["name"].str()).collect::<Vec<_>>();
    let others: BTreeSet<&str> = [names_of("containers"), names_of("initContainers")].concat().into_iter().collect();
    let mut names = others.clone();
    for (i, container) in pod.spec["ephemeralContainers"].items().iter().enumerate() {
        let path = path.index(i);
        validate_any(container, pod, &path, errs);
        validate_image_spaces(container, &path, errs);
        let own = container["name"].str();
        if !names.insert(own) {
            errs.duplicate(&path.child("name"), own);
        }
        let target = container["targetContainerName"].str();
        if !target.is_empty() && !others.contains(target) {
            errs.not_found(&path.child("targetContainerName"), target);
        }
        for field in NOT_IN_EPHEMERAL {
            if !container[*field].is_empty() {
                errs.forbidden(&path.child(field), EPHEMERAL);
            }
        }
        for (i, mount) in container["volumeMounts"].items().iter().enumerate() {
            let path = path.child("volumeMounts").index(i);
            for field in ["subPath", "subPathExpr"] {
                if !mount[field].str().is_empty() {
                    errs.forbidden(&path.child(field), EPHEMERAL);
                }
            }
        }
    }
}

/// What holds for containers of every sort.
fn validate_any(container: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let own = container["name"].str();
    if own.is_empty() {
        errs.required(&path.child("name"), "");
    } else {
        errs.invalid_each(&path.child("name"), own, name::dns1123_label(own));
    }
    if container["image"].str().is_empty() {
        errs.required(&path.child("image"), "");
    }
    let policies = &["File", "FallbackToLogsOnError"];
    validate_choice(&container["terminationMessagePolicy"], policies, &path.child("terminationMessagePolicy"), errs);
    ports::validate_ports(&container["ports"], &path.child("ports"), errs);
    env::validate_env(&container["env"], &path.child("env"), errs);
    env::validate_env_from(&container["envFrom"], &path.child("envFrom"), errs);
    mounts::validate_mounts(container, pod, &path.child("volumeMounts"), errs);
    mounts::validate_devices(container, pod, &path.child("volumeDevices"), errs);
    validate_pull_policy(&container["imagePullPolicy"], &path.child("imagePullPolicy"), errs);
    resources::validate_container(&container["resources"], pod, &path.child("resources"), errs);
    restart::validate_resize_policy(container, pod, &path.child("resizePolicy"), errs);
    security::validate_container(container, pod, &path.child("securityContext"), errs);
}

/// Required, and one of these; told in the given order.
pub fn validate_choice(value: &Value, choices: &[&str], path: &Path, errs: &mut ErrorList) {
    match value.str() {
        "" => errs.required(path, ""),
        text if choices.contains(&text) => {}
        text => errs.not_supported_in_order(path, text, choices),
    }
}

/// Optional, and one of these when it is there, "" not being one; told in the given order.
pub fn validate_optional_choice(value: &Value, choices: &[&str], path: &Path, errs: &mut ErrorList) {
    match value.as_str() {
        Some(text) if !choices.contains(&text) => errs.not_supported_in_order(path, text, choices),
        _ => {}
    }
}

pub fn validate_pull_policy(policy: &Value, path: &Path, errs: &mut ErrorList) {
    validate_choice(policy, PULL_POLICIES, path, errs);
}

/// Pods, unlike templates, take no image with spaces around it.
pub fn validate_image_spaces(container: &Value, path: &Path, errs: &mut ErrorList) {
    let image = container["image"].str();
    if image.trim() != image {
        errs.invalid(&path.child("image"), image, "must not have leading or trailing whitespace");
    }
}
