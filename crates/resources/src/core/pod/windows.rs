//! What depends on the pod's operating system.

use super::containers::all_containers;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;

const SPEC_BYTES_MAX: usize = 64 * 1024;
const DOMAIN_BYTES_MAX: usize = 256;
const USER_BYTES_MAX: usize = 104;

/// Fields that pods for Windows may not have: where upstream reports them, and where they are.
const NOT_ON_WINDOWS: &[(&str, bool)] = &[
    ("appArmorProfile", true),
    ("seLinuxOptions", true),
    ("hostUsers", false),
    ("hostPID", false),
    ("hostIPC", false),
    ("seccompProfile", true),
    ("fsGroup", true),
    ("fsGroupChangePolicy", true),
    ("sysctls", true),
    ("shareProcessNamespace", false),
    ("runAsUser", true),
    ("runAsGroup", true),
    ("supplementalGroups", true),
    ("supplementalGroupsPolicy", true),
    ("seLinuxChangePolicy", true),
];

const NOT_IN_WINDOWS_CONTAINERS: &[&str] = &[
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

const WINDOWS: &str = "cannot be set for a windows pod";
const LINUX: &str = "windows options cannot be set for a linux pod";

pub fn validate_os(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let os = &spec["os"];
    if os.is_null() {
        return;
    }
    match os["name"].str() {
        "" => errs.required(&path.child("os").child("name"), ""),
        "linux" => validate_linux(spec, path, errs),
        "windows" => validate_windows(spec, path, errs),
        other => errs.not_supported(&path.child("os"), other, &["linux", "windows"]),
    }
}

fn validate_linux(spec: &Value, path: &Path, errs: &mut ErrorList) {
    if !spec["securityContext"]["windowsOptions"].is_null() {
        errs.forbidden(&path.child("securityContext").child("windowsOptions"), LINUX);
    }
    for (container, path) in all_containers(spec, path) {
        if !container["securityContext"]["windowsOptions"].is_null() {
            errs.forbidden(&path.child("securityContext").child("windowsOptions"), LINUX);
        }
    }
}

fn validate_windows(spec: &Value, path: &Path, errs: &mut ErrorList) {
    for (field, in_context) in NOT_ON_WINDOWS {
        let (value, at) = if *in_context {
            (&spec["securityContext"][*field], path.child("securityContext").child(field))
        } else {
            (&spec[*field], path.child(field))
        };
        // hostPID and hostIPC count only when true, the others when they are there at all
        let is_set = !value.is_null() && (value.bool() || !matches!(*field, "hostPID" | "hostIPC"));
        if is_set {
            errs.forbidden(&at, WINDOWS);
        }
    }
    for (container, path) in all_containers(spec, path) {
        for field in NOT_IN_WINDOWS_CONTAINERS {
            if !container["securityContext"][*field].is_null() {
                errs.forbidden(&path.child("securityContext").child(field), WINDOWS);
            }
        }
    }
}

/// Windows options of a pod or container.
pub fn validate_options(options: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(own) = options["gmsaCredentialSpecName"].as_str() {
        errs.invalid_each(&path.child("gmsaCredentialSpecName"), own, name::dns1123_subdomain(own));
    }
    if let Some(own) = options["gmsaCredentialSpec"].as_str() {
        let path = path.child("gmsaCredentialSpec");
        if own.is_empty() {
            errs.invalid(&path, own, "gmsaCredentialSpec cannot be an empty string");
        } else if own.len() > SPEC_BYTES_MAX {
            errs.invalid(&path, own, &format!("gmsaCredentialSpec size must be under {} KiB", SPEC_BYTES_MAX / 1024));
        }
    }
    if let Some(own) = options["runAsUserName"].as_str() {
        for detail in user_name_errors(own) {
            errs.invalid(&path.child("runAsUserName"), own, &format!("runAsUserName{detail}"));
        }
    }
}

/// `[DOMAIN\]USER`
fn user_name_errors(own: &str) -> Vec<String> {
    let mut out = Vec::new();
    if own.is_empty() {
        return vec![" cannot be an empty string".into()];
    }
    if own.bytes().any(|b| b.is_ascii_control()) {
        return vec![" cannot contain control characters".into()];
    }
    let (domain, user) = match own.split('\\').collect::<Vec<_>>().as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec![" cannot contain more than one backslash".into()],
    };
    if let Some(domain) = domain {
        if domain.len() >= DOMAIN_BYTES_MAX {
            out.push(format!("'s Domain length must be under {DOMAIN_BYTES_MAX} characters"));
        }
        if !is_netbios_name(domain) && !is_dns_name(domain) {
            out.push("'s Domain doesn't match the NetBios nor the DNS format".into());
        }
    }
    if user.is_empty() {
        out.push("'s User cannot be empty".into());
    } else if user.len() > USER_BYTES_MAX {
        out.push(format!("'s User length must not be longer than {USER_BYTES_MAX} characters"));
    }
    if !user.is_empty() && user.chars().all(|c| c == '.' || c == ' ') {
        out.push("'s User cannot contain only periods or spaces".into());
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        out.push(r#"'s User cannot contain the following characters: "/\:;|=,+*?<>@[]"#.into());
    }
    out
}

fn is_netbios_name(text: &str) -> bool {
    let refused = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
    let length = text.chars().count();
    (1..=15).contains(&length) && !text.starts_with('.') && !text.contains(refused)
}

fn is_dns_name(text: &str) -> bool {
    text.split('.').all(|label| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        label.len() <= 63
            && ends(label.chars().next())
            && ends(label.chars().next_back())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

/// A pod has host-process containers only or none, and they need the host's network.
pub fn validate_host_process(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let of_pod = spec["securityContext"]["windowsOptions"]["hostProcess"].as_bool();
    let (mut all, mut host) = (0, 0);
    for (container, path) in all_containers(spec, path) {
        all += 1;
        let own = container["securityContext"]["windowsOptions"]["hostProcess"].as_bool();
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let path = path.child("securityContext").child("windowsOptions").child("hostProcess");
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errs.invalid(&path, own, &detail);
        }
        host += usize::from(own.or(of_pod).unwrap_or(false));
    }
    if host == 0 {
        return;
    }
    if host != all {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errs.invalid(path, "", detail);
    }
    if !spec["hostNetwork"].bool() {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errs.invalid(&path.child("hostNetwork"), false, detail);
    }
}

/// The choice of an operating system's effect on a status: used where an unknown one is skipped.
pub fn is_windows(spec: &Value) -> bool {
    spec["os"]["name"].str() == "windows"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_may_have_a_domain() {
        for (text, errors) in [
            ("user", 0),
            ("CORP\\user", 0),
            ("corp.example.com\\user", 0),
            ("", 1),
            ("a\\b\\c", 1),
            ("CORP\\", 1),
            (". .", 1),
            ("a*b", 1),
        ] {
            assert_eq!(user_name_errors(text).len(), errors, "{text}");
        }
    }
}
