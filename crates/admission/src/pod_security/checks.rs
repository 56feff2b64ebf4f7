//! The list of checks, by level and version, and how a pod is held against it.

use super::policy::{Level, LevelVersion, Version};
use super::{baseline, restricted};
use meta::Value;

/// What a check found: the reason in short, and the detail behind it in parentheses.
pub struct Violation {
    pub reason: String,
    pub detail: String,
}

/// A check gets a pod's metadata and spec.
pub type CheckPod = fn(&Value, &Value) -> Option<Violation>;

struct Check {
    id: &'static str,
    level: Level,
    /// The minor versions from which each form of the check holds, ascending.
    versions: &'static [(u32, CheckPod)],
    /// The baseline check that this restricted one stands in for.
    overrides: &'static str,
}

const fn baseline(id: &'static str, versions: &'static [(u32, CheckPod)]) -> Check {
    Check { id, level: Level::Baseline, versions, overrides: "" }
}

const fn restricted(id: &'static str, versions: &'static [(u32, CheckPod)], overrides: &'static str) -> Check {
    Check { id, level: Level::Restricted, versions, overrides }
}

/// Baseline first, then restricted, each sorted by id: the order of the texts.
const CHECKS: &[Check] = &[
    baseline("appArmorProfile", &[(0, baseline::app_armor)]),
    baseline("capabilities_baseline", &[(0, baseline::capabilities)]),
    baseline("hostNamespaces", &[(0, baseline::host_namespaces)]),
    baseline("hostPathVolumes", &[(0, baseline::host_path_volumes)]),
    baseline("hostPorts", &[(0, baseline::host_ports)]),
    baseline("hostProbesAndHostLifecycle", &[(34, baseline::host_probes)]),
    baseline("privileged", &[(0, baseline::privileged)]),
    baseline("procMount", &[(0, baseline::proc_mount), (35, baseline::proc_mount_unless_user_namespace)]),
    baseline("seLinuxOptions", &[(0, baseline::selinux_0), (31, baseline::selinux_31)]),
    baseline("seccompProfile_baseline", &[(0, baseline::seccomp_annotations), (19, baseline::seccomp)]),
    baseline(
        "sysctls",
        &[(0, baseline::sysctls_0), (27, baseline::sysctls_27), (29, baseline::sysctls_29), (32, baseline::sysctls_32)],
    ),
    baseline("windowsHostProcess", &[(0, baseline::windows_host_process)]),
    restricted(
        "allowPrivilegeEscalation",
        &[(8, restricted::privilege_escalation), (25, restricted::privilege_escalation_unless_windows)],
        "",
    ),
    restricted(
        "capabilities_restricted",
        &[(22, restricted::capabilities), (25, restricted::capabilities_unless_windows)],
        "capabilities_baseline",
    ),
    restricted("procMount_restricted", &[(35, baseline::proc_mount)], "procMount"),
    restricted("restrictedVolumes", &[(0, restricted::volumes)], "hostPathVolumes"),
    restricted(
        "runAsNonRoot",
        &[(0, restricted::run_as_non_root), (35, restricted::run_as_non_root_unless_user_namespace)],
        "",
    ),
    restricted("runAsUser", &[(23, restricted::run_as_user), (35, restricted::run_as_user_unless_user_namespace)], ""),
    restricted(
        "seccompProfile_restricted",
        &[(19, restricted::seccomp), (25, restricted::seccomp_unless_windows)],
        "seccompProfile_baseline",
    ),
];

impl Check {
    /// The form that holds at a version.
    fn at(&self, minor: u32) -> Option<CheckPod> {
        self.versions.iter().rev().find(|(from, _)| *from <= minor).map(|(_, check)| *check)
    }
}

/// Everything in which a pod violates a level of the standards.
pub fn evaluate(asked: LevelVersion, metadata: &Value, spec: &Value) -> Vec<Violation> {
    let minor = match asked.version {
        Version::Latest => u32::MAX,
        Version::Minor(minor) => minor,
    };
    let holds = |check: &&Check| check.level <= asked.level && asked.level != Level::Privileged;
    let active: Vec<(&Check, CheckPod)> =
        CHECKS.iter().filter(holds).filter_map(|check| Some((check, check.at(minor)?))).collect();
    let overridden = |id: &str| active.iter().any(|(check, _)| check.overrides == id);
    active.iter().filter(|(check, _)| !overridden(check.id)).filter_map(|(_, run)| run(metadata, spec)).collect()
}

/// `host namespaces (hostPID=true), privileged (…)`
pub fn details(violations: &[Violation]) -> String {
    let texts = violations.iter().map(|v| match v.detail.as_str() {
        "" => v.reason.clone(),
        detail => format!("{} ({detail})", v.reason),
    });
    texts.collect::<Vec<String>>().join(", ")
}

/// `host namespaces, privileged`
pub fn reasons(violations: &[Violation]) -> String {
    violations.iter().map(|v| v.reason.as_str()).collect::<Vec<&str>>().join(", ")
}
