//! Security contexts of pods and containers.

use super::containers::{Pod, all_containers, validate_optional_choice};
use super::options::Options;
use super::projected::validate_relative_path;
use super::{internal, windows};
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const APP_ARMOR_PROFILE_BYTES_MAX: usize = 4095;
const SYSCTL_BYTES_MAX: usize = 253;
const SYSCTL_RE: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// Sysctls that are the network namespace's or the IPC namespace's.
const SYSCTL_NET: &str = "net.";
const SYSCTLS_IPC: &[&str] = &[
    "kernel.msg",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];
const SYSCTLS_IPC_PREFIX: &str = "fs.mqueue.";

pub fn validate_container(container: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let context = &container["securityContext"];
    if context.is_null() {
        return;
    }
    validate_user_ids(context, &["runAsUser", "runAsGroup"], path, errs);
    let proc_mount = &context["procMount"];
    validate_optional_choice(proc_mount, &["Default", "Unmasked"], &path.child("procMount"), errs);
    if pod.host_users() && proc_mount.str() == "Unmasked" {
        errs.invalid(&path.child("procMount"), proc_mount, "`hostUsers` must be false to use `Unmasked`");
    }
    validate_seccomp(&context["seccompProfile"], &path.child("seccompProfile"), errs);
    if context["allowPrivilegeEscalation"] == Value::Bool(false) {
        let shown = || internal::shown("SecurityContext", context);
        if context["privileged"].bool() {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errs.invalid(path, shown(), detail);
        }
        for _ in context["capabilities"]["add"].items().iter().filter(|c| c.str() == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errs.invalid(path, shown(), detail);
        }
    }
    windows::validate_options(&context["windowsOptions"], &path.child("windowsOptions"), errs);
    validate_app_armor(&context["appArmorProfile"], &path.child("appArmorProfile"), errs);
}

pub fn validate_pod(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    let context = &spec["securityContext"];
    if context.is_null() {
        return;
    }
    validate_user_ids(context, &["fsGroup", "runAsUser", "runAsGroup"], path, errs);
    for (i, group) in context["supplementalGroups"].items().iter().enumerate() {
        errs.invalid_each(&path.child("supplementalGroups").index(i), group.int(), name::user_id(group.int()));
    }
    if spec["shareProcessNamespace"].bool() && spec["hostPID"].bool() {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errs.invalid(&path.child("shareProcessNamespace"), true, detail);
    }
    validate_sysctls(spec, options, &path.child("sysctls"), errs);
    let choice = |field: &'static str, choices: &[&str], errs: &mut ErrorList| {
        validate_optional_choice(&context[field], choices, &path.child(field), errs);
    };
    choice("fsGroupChangePolicy", &["Always", "OnRootMismatch"], errs);
    validate_seccomp(&context["seccompProfile"], &path.child("seccompProfile"), errs);
    windows::validate_options(&context["windowsOptions"], &path.child("windowsOptions"), errs);
    validate_app_armor(&context["appArmorProfile"], &path.child("appArmorProfile"), errs);
    choice("supplementalGroupsPolicy", &["Merge", "Strict"], errs);
    // MountOption comes with a feature that is not on by default
    let policies: &[&str] =
        if options.allow_any_selinux_change { &["MountOption", "Recursive"] } else { &["Recursive"] };
    choice("seLinuxChangePolicy", policies, errs);
}

fn validate_user_ids(context: &Value, fields: &[&'static str], path: &Path, errs: &mut ErrorList) {
    for field in fields {
        if let Some(id) = context[*field].as_int() {
            errs.invalid_each(&path.child(field), id, name::user_id(id));
        }
    }
}

fn validate_seccomp(profile: &Value, path: &Path, errs: &mut ErrorList) {
    if profile.is_null() {
        return;
    }
    let kind = profile["type"].str();
    match kind {
        "" => errs.required(&path.child("type"), "type is required when seccompProfile is set"),
        other => validate_optional_choice(&Value::from(other), PROFILES, &path.child("type"), errs),
    }
    let local = path.child("localhostProfile");
    match (kind, profile["localhostProfile"].as_str()) {
        ("Localhost", None) => errs.required(&local, "must be set when seccomp type is Localhost"),
        ("Localhost", Some(file)) => validate_relative_path(file, &local, errs),
        (_, Some(_)) => {
            let shown = internal::shown("SeccompProfile", profile);
            errs.invalid(&local, shown, "can only be set when seccomp type is Localhost");
        }
        (_, None) => {}
    }
}

fn validate_app_armor(profile: &Value, path: &Path, errs: &mut ErrorList) {
    if profile.is_null() {
        return;
    }
    const REQUIRED: &str = "must be set when AppArmor type is Localhost";
    let local = path.child("localhostProfile");
    match (profile["type"].str(), profile["localhostProfile"].as_str()) {
        ("Localhost", None) => errs.required(&local, REQUIRED),
        ("Localhost", Some(own)) => {
            if own.trim() != own {
                errs.invalid(&local, own, "must not be padded with whitespace");
            } else if own.is_empty() {
                errs.required(&local, REQUIRED);
            }
            if own.len() > APP_ARMOR_PROFILE_BYTES_MAX {
                errs.too_long(&local, APP_ARMOR_PROFILE_BYTES_MAX);
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(own)) => {
            errs.invalid(&local, own, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errs.required(&path.child("type"), "type is required when appArmorProfile is set"),
        (other, _) => errs.not_supported(&path.child("type"), other, PROFILES),
    }
}

/// Segments of lower-case letters, digits, dashes and underscores, between dots or slashes.
fn is_sysctl_name(text: &str) -> bool {
    let ends = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_segment = |segment: &str| match segment.as_bytes() {
        [] => false,
        [b] => ends(b),
        [b, inner @ .., e] => ends(b) && ends(e) && inner.iter().all(|b| ends(b) || matches!(b, b'-' | b'_')),
    };
    text.len() <= SYSCTL_BYTES_MAX && text.split(['.', '/']).all(is_segment)
}

fn validate_sysctls(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    let mut names = BTreeSet::new();
    for (i, sysctl) in spec["securityContext"]["sysctls"].items().iter().enumerate() {
        let path = path.index(i).child("name");
        let own = sysctl["name"].str();
        if own.is_empty() {
            errs.required(&path, "");
        } else if !is_sysctl_name(own) {
            let detail = format!("must have at most {SYSCTL_BYTES_MAX} characters and match regex {SYSCTL_RE}");
            errs.invalid(&path, own, &detail);
        } else if names.contains(own) {
            errs.duplicate(&path, own);
        }
        if !options.allow_host_sysctls {
            validate_host_sysctl(own, spec, &path, errs);
        }
        names.insert(own);
    }
}

/// A pod in the host's namespaces may not turn their knobs.
fn validate_host_sysctl(own: &str, spec: &Value, path: &Path, errs: &mut ErrorList) {
    let dotted = dotted(own);
    let is_ipc = SYSCTLS_IPC.contains(&dotted.as_str()) || dotted.starts_with(SYSCTLS_IPC_PREFIX);
    if spec["hostNetwork"].bool() && dotted.starts_with(SYSCTL_NET) {
        errs.invalid(path, own, "may not be specified when 'hostNetwork' is true");
    } else if spec["hostIPC"].bool() && is_ipc {
        errs.invalid(path, own, "may not be specified when 'hostIPC' is true");
    }
}

/// In the slash form (`net/ipv4/conf/eno2.100`) slashes and dots trade places.
fn dotted(own: &str) -> String {
    match own.find(['.', '/']) {
        Some(i) if own.as_bytes().get(i) == Some(&b'/') => own
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => own.to_string(),
    }
}

pub fn validate_host_sysctls(spec: &Value, path: &Path, errs: &mut ErrorList) {
    for sysctl in spec["securityContext"]["sysctls"].items() {
        validate_host_sysctl(sysctl["name"].str(), spec, path, errs);
    }
}

/// A pod with a user namespace of its own stays out of the host's other namespaces.
pub fn validate_host_users(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    if spec["hostUsers"] != Value::Bool(false) {
        return;
    }
    // upstream capitalises two of these paths
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec[field].bool() {
            errs.forbidden(&path.child(shown), "when `hostUsers` is false");
        }
    }
    if options.allow_devices_in_user_namespace {
        return;
    }
    for (container, path) in all_containers(spec, path) {
        if !container["volumeDevices"].is_empty() {
            errs.forbidden(&path.child("volumeDevices"), "when `hostUsers` is false");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysctls_have_dots_or_slashes() {
        for (text, right) in [
            ("net.ipv4.tcp_syncookies", true),
            ("net/ipv4/conf/eno2.100/x", true),
            ("Net.a", false),
            ("a..b", false),
            ("", false),
        ] {
            assert_eq!(is_sysctl_name(text), right, "{text}");
        }
        assert_eq!(dotted("net/ipv4/eno2.100"), "net.ipv4.eno2/100");
    }
}
