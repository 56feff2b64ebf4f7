//! The checks of the restricted level: current hardening practice.

use super::baseline::{bad_seccomp, is_seccomp_type, seccomp as baseline_seccomp};
use super::checks::Violation;
use super::findings::*;
use meta::Value;
use std::collections::BTreeSet;

/// Windows has no such setting, so asking for it there would refuse every pod.
fn unless_windows(spec: &Value, check: impl FnOnce() -> Option<Violation>) -> Option<Violation> {
    if is_windows(spec) { None } else { check() }
}

/// Root inside a user namespace is nobody outside of it.
fn unless_user_namespace(spec: &Value, check: impl FnOnce() -> Option<Violation>) -> Option<Violation> {
    if has_user_namespace(spec) { None } else { check() }
}

pub fn privilege_escalation(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let bad = names_of(spec, |c| c["securityContext"]["allowPrivilegeEscalation"].as_bool() != Some(false));
    if bad.is_empty() {
        return None;
    }
    let who = containers_named(&bad);
    violation(
        "allowPrivilegeEscalation != false",
        format!("{who} must set securityContext.allowPrivilegeEscalation=false"),
    )
}

pub fn privilege_escalation_unless_windows(metadata: &Value, spec: &Value) -> Option<Violation> {
    unless_windows(spec, || privilege_escalation(metadata, spec))
}

pub fn capabilities(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let keeps = names_of(spec, |container| {
        let dropped = container["securityContext"]["capabilities"]["drop"].items();
        !dropped.iter().any(|capability| capability.str() == "ALL")
    });
    let mut added = BTreeSet::new();
    let adds = names_of(spec, |container| {
        let add = container["securityContext"]["capabilities"]["add"].items().iter().map(Value::str);
        let forbidden: Vec<&str> = add.filter(|capability| *capability != "NET_BIND_SERVICE").collect();
        let any = !forbidden.is_empty();
        added.extend(forbidden);
        any
    });
    let mut details = Vec::new();
    if !keeps.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers_named(&keeps)));
    }
    if !adds.is_empty() {
        let (who, what) = (containers_named(&adds), quoted(added));
        details.push(format!("{who} must not include {what} in securityContext.capabilities.add"));
    }
    if details.is_empty() { None } else { violation("unrestricted capabilities", details.join("; ")) }
}

pub fn capabilities_unless_windows(metadata: &Value, spec: &Value) -> Option<Violation> {
    unless_windows(spec, || capabilities(metadata, spec))
}

const VOLUME_KINDS: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

const OTHER_VOLUME_KINDS: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

pub fn volumes(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let is = |volume: &Value, kinds: &[&'static str]| kinds.iter().find(|kind| !volume[**kind].is_null()).copied();
    let bad: Vec<&Value> = spec["volumes"].items().iter().filter(|volume| is(volume, VOLUME_KINDS).is_none()).collect();
    if bad.is_empty() {
        return None;
    }
    let kinds: BTreeSet<&str> = bad.iter().map(|volume| is(volume, OTHER_VOLUME_KINDS).unwrap_or("unknown")).collect();
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", bad.len()),
        quoted(bad.iter().map(|volume| volume["name"].str())),
        plural("uses", "use", bad.len()),
        plural("restricted volume type", "restricted volume types", kinds.len()),
        quoted(kinds),
    );
    violation("restricted volume types", detail)
}

pub fn run_as_non_root(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let setters = Setters::find(spec, |context, _| context["runAsNonRoot"].as_bool() == Some(false));
    if setters.any() {
        let who = setters.words().join(" and ");
        return violation("runAsNonRoot != true", format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if spec["securityContext"]["runAsNonRoot"].bool() {
        return None;
    }
    let silent = names_of(spec, |container| container["securityContext"]["runAsNonRoot"].is_null());
    if silent.is_empty() {
        return None;
    }
    let who = containers_named(&silent);
    violation("runAsNonRoot != true", format!("pod or {who} must set securityContext.runAsNonRoot=true"))
}

pub fn run_as_non_root_unless_user_namespace(metadata: &Value, spec: &Value) -> Option<Violation> {
    unless_user_namespace(spec, || run_as_non_root(metadata, spec))
}

pub fn run_as_user(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let setters = Setters::find(spec, |context, _| context["runAsUser"].as_int() == Some(0));
    if !setters.any() {
        return None;
    }
    violation("runAsUser=0", format!("{} must not set runAsUser=0", setters.words().join(" and ")))
}

pub fn run_as_user_unless_user_namespace(metadata: &Value, spec: &Value) -> Option<Violation> {
    unless_user_namespace(spec, || run_as_user(metadata, spec))
}

pub fn seccomp(metadata: &Value, spec: &Value) -> Option<Violation> {
    if bad_seccomp(spec).any() {
        return baseline_seccomp(metadata, spec);
    }
    if is_seccomp_type(spec["securityContext"]["seccompProfile"]["type"].str()) {
        return None;
    }
    let silent = names_of(spec, |container| container["securityContext"]["seccompProfile"].is_null());
    if silent.is_empty() {
        return None;
    }
    let who = containers_named(&silent);
    let what = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    violation("seccompProfile", format!("pod or {who} {what}"))
}

pub fn seccomp_unless_windows(metadata: &Value, spec: &Value) -> Option<Violation> {
    unless_windows(spec, || seccomp(metadata, spec))
}
