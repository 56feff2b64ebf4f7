//! The checks of the baseline level: known ways out of a container.

use super::checks::Violation;
use super::findings::*;
use meta::Value;
use std::collections::BTreeSet;

const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

pub fn app_armor(metadata: &Value, spec: &Value) -> Option<Violation> {
    let setters = Setters::find(spec, |context, values| {
        let profile = &context["appArmorProfile"];
        let bad = !profile.is_null() && !matches!(profile["type"].str(), "RuntimeDefault" | "Localhost");
        if bad {
            values.insert(profile["type"].str());
        }
        bad
    });
    let annotations: Vec<String> = metadata["annotations"]
        .entries()
        .filter(|(key, _)| key.starts_with(APP_ARMOR_ANNOTATION))
        .map(|(key, value)| (key, value.str()))
        .filter(|(_, v)| !v.is_empty() && *v != "runtime/default" && !v.starts_with("localhost/"))
        .map(|(key, value)| format!("{key}={}", meta::field::quote(value)))
        .collect();
    let mut who = setters.words();
    if !annotations.is_empty() {
        who.push(plural("annotation", "annotations", annotations.len()).to_string());
    }
    if who.is_empty() {
        return None;
    }
    let values: Vec<&str> = setters.values.iter().copied().chain(annotations.iter().map(String::as_str)).collect();
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    violation(reason, format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(values)))
}

const CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

pub fn capabilities(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let mut added = BTreeSet::new();
    let bad = names_of(spec, |container| {
        let add = container["securityContext"]["capabilities"]["add"].items().iter().map(Value::str);
        let forbidden: Vec<&str> = add.filter(|capability| !CAPABILITIES.contains(capability)).collect();
        let any = !forbidden.is_empty();
        added.extend(forbidden);
        any
    });
    if bad.is_empty() {
        return None;
    }
    let (who, what) = (containers_named(&bad), quoted(added));
    violation("non-default capabilities", format!("{who} must not include {what} in securityContext.capabilities.add"))
}

pub fn host_namespaces(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .filter(|field| spec[**field].bool())
        .map(|field| format!("{field}=true"))
        .collect();
    if shared.is_empty() { None } else { violation("host namespaces", shared.join(", ")) }
}

pub fn host_path_volumes(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let host_paths = spec["volumes"].items().iter().filter(|volume| !volume["hostPath"].is_null());
    let names: Vec<&str> = host_paths.map(|volume| volume["name"].str()).collect();
    if names.is_empty() {
        return None;
    }
    violation("hostPath volumes", format!("{} {}", plural("volume", "volumes", names.len()), quoted(names)))
}

pub fn host_ports(_metadata: &Value, spec: &Value) -> Option<Violation> {
    // Sorted as text, as upstream does.
    let mut ports = BTreeSet::new();
    let bad = names_of(spec, |container| {
        let used = container["ports"].items().iter().map(|port| port["hostPort"].int()).filter(|port| *port != 0);
        let used: Vec<String> = used.map(|port| port.to_string()).collect();
        let any = !used.is_empty();
        ports.extend(used);
        any
    });
    if bad.is_empty() {
        return None;
    }
    let uses = plural("uses", "use", bad.len());
    let noun = plural("hostPort", "hostPorts", ports.len());
    let list = ports.into_iter().collect::<Vec<String>>().join(", ");
    violation("hostPort", format!("{} {uses} {noun} {list}", containers_named(&bad)))
}

pub fn host_probes(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let mut hosts = BTreeSet::new();
    let bad = names_of(spec, |container| {
        let probes = ["livenessProbe", "readinessProbe", "startupProbe"].iter().map(|field| &container[*field]);
        let handlers = ["postStart", "preStop"].iter().map(|field| &container["lifecycle"][*field]);
        let named =
            probes.chain(handlers).flat_map(|handler| ["httpGet", "tcpSocket"].map(|how| handler[how]["host"].str()));
        let named: Vec<&str> = named.filter(|host| !host.is_empty()).collect();
        let any = !named.is_empty();
        hosts.extend(named);
        any
    });
    if bad.is_empty() {
        return None;
    }
    let sorted: BTreeSet<&str> = bad.into_iter().collect();
    let names: Vec<&str> = sorted.into_iter().collect();
    let uses = plural("uses", "use", names.len());
    let noun = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    violation("probe or lifecycle host", format!("{} {uses} {noun} {}", containers_named(&names), quoted(hosts)))
}

pub fn privileged(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let bad = names_of(spec, |container| container["securityContext"]["privileged"].bool());
    if bad.is_empty() {
        return None;
    }
    violation("privileged", format!("{} must not set securityContext.privileged=true", containers_named(&bad)))
}

pub fn proc_mount(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let mut kinds = BTreeSet::new();
    let bad = names_of(spec, |container| match container["securityContext"]["procMount"].as_str() {
        Some(kind) if kind != "Default" => {
            kinds.insert(kind);
            true
        }
        _ => false,
    });
    if bad.is_empty() {
        return None;
    }
    let (who, what) = (containers_named(&bad), quoted(kinds));
    violation("procMount", format!("{who} must not set securityContext.procMount to {what}"))
}

pub fn proc_mount_unless_user_namespace(metadata: &Value, spec: &Value) -> Option<Violation> {
    if has_user_namespace(spec) { None } else { proc_mount(metadata, spec) }
}

const SELINUX_TYPES_0: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t"];
const SELINUX_TYPES_31: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub fn selinux_0(_metadata: &Value, spec: &Value) -> Option<Violation> {
    selinux(spec, SELINUX_TYPES_0)
}

pub fn selinux_31(_metadata: &Value, spec: &Value) -> Option<Violation> {
    selinux(spec, SELINUX_TYPES_31)
}

fn selinux(spec: &Value, allowed: &[&str]) -> Option<Violation> {
    let (mut user, mut role) = (false, false);
    let setters = Setters::find(spec, |context, types| {
        let options = &context["seLinuxOptions"];
        let bad_type = !allowed.contains(&options["type"].str());
        if bad_type {
            types.insert(options["type"].str());
        }
        let (sets_user, sets_role) = (!options["user"].str().is_empty(), !options["role"].str().is_empty());
        user |= sets_user;
        role |= sets_role;
        bad_type || sets_user || sets_role
    });
    if !setters.any() {
        return None;
    }
    let mut what = Vec::new();
    if !setters.values.is_empty() {
        let noun = plural("type", "types", setters.values.len());
        what.push(format!("{noun} {}", quoted(setters.values.iter().copied())));
    }
    if user {
        what.push("user may not be set".to_string());
    }
    if role {
        what.push("role may not be set".to_string());
    }
    let who = setters.words().join(" and ");
    violation("seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", what.join("; ")))
}

pub fn seccomp_annotations(metadata: &Value, spec: &Value) -> Option<Violation> {
    let of_containers = containers(spec).map(|c| format!("{SECCOMP_CONTAINER_ANNOTATION}{}", c["name"].str()));
    let mut forbidden = BTreeSet::new();
    for key in std::iter::once(SECCOMP_POD_ANNOTATION.to_string()).chain(of_containers) {
        let Some(value) = metadata["annotations"].get(&key).map(Value::str) else { continue };
        if value != "runtime/default" && value != "docker/default" && !value.starts_with("localhost/") {
            forbidden.insert(format!("{key}={}", meta::field::quote(value)));
        }
    }
    if forbidden.is_empty() {
        return None;
    }
    let noun = plural("annotation", "annotations", forbidden.len());
    let list = forbidden.into_iter().collect::<Vec<String>>().join(", ");
    violation("seccompProfile", format!("forbidden {noun} {list}"))
}

pub fn is_seccomp_type(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Who set a seccomp profile type that is not allowed.
pub fn bad_seccomp(spec: &Value) -> Setters<'_> {
    Setters::find(spec, |context, values| {
        let profile = &context["seccompProfile"];
        let bad = !profile.is_null() && !is_seccomp_type(profile["type"].str());
        if bad {
            values.insert(profile["type"].str());
        }
        bad
    })
}

pub fn seccomp(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let setters = bad_seccomp(spec);
    if !setters.any() {
        return None;
    }
    let (who, what) = (setters.words().join(" and "), quoted(setters.values.iter().copied()));
    violation("seccompProfile", format!("{who} must not set securityContext.seccompProfile.type to {what}"))
}

/// Safe sysctls, each with the minor version from which it is one.
const SYSCTLS: &[(&str, u32)] = &[
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

fn sysctls(spec: &Value, minor: u32) -> Option<Violation> {
    let allowed = |name: &str| SYSCTLS.iter().any(|(safe, from)| *safe == name && *from <= minor);
    let set = spec["securityContext"]["sysctls"].items().iter().map(|sysctl| sysctl["name"].str());
    let forbidden: Vec<&str> = set.filter(|name| !allowed(name)).collect();
    if forbidden.is_empty() { None } else { violation("forbidden sysctls", forbidden.join(", ")) }
}

pub fn sysctls_0(_metadata: &Value, spec: &Value) -> Option<Violation> {
    sysctls(spec, 0)
}

pub fn sysctls_27(_metadata: &Value, spec: &Value) -> Option<Violation> {
    sysctls(spec, 27)
}

pub fn sysctls_29(_metadata: &Value, spec: &Value) -> Option<Violation> {
    sysctls(spec, 29)
}

pub fn sysctls_32(_metadata: &Value, spec: &Value) -> Option<Violation> {
    sysctls(spec, 32)
}

pub fn windows_host_process(_metadata: &Value, spec: &Value) -> Option<Violation> {
    let setters = Setters::find(spec, |context, _| context["windowsOptions"]["hostProcess"].bool());
    if !setters.any() {
        return None;
    }
    let who = setters.words().join(" and ");
    violation("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"))
}
