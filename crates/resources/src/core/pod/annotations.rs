//! Annotations that pods once had in place of fields.

use super::containers::all_containers;
use super::options::Options;
use super::projected::validate_relative_path;
use meta::Value;
use meta::field::{ErrorList, Path, quote};

pub const MIRROR: &str = "kubernetes.io/config.mirror";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
pub const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
pub const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
pub const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

const LOCALHOST: &str = "localhost/";
const RUNTIME_DEFAULT: &str = "runtime/default";
const DOCKER_DEFAULT: &str = "docker/default";
const UNCONFINED: &str = "unconfined";

/// Annotations of a pod or template; `path` is the annotations'.
pub fn validate(annotations: &Value, spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    if let Some(value) = annotations.get(MIRROR)
        && spec["nodeName"].str().is_empty()
    {
        errs.invalid(&path.key(MIRROR), value, "must set spec.nodeName if mirror pod annotation is set");
    }
    let tolerations = annotations[TOLERATIONS].str();
    if !tolerations.is_empty() {
        match meta::json::parse(tolerations.as_bytes()) {
            Ok(parsed) => {
                super::scheduling::validate_tolerations(&parsed.value, &path.child_named(TOLERATIONS), errs);
            }
            Err(why) => errs.invalid(path, TOLERATIONS, &why.0),
        }
    }
    if !options.allow_invalid_deletion_cost && !deletion_cost_is_valid(annotations) {
        errs.invalid(&path.key(DELETION_COST), &annotations[DELETION_COST], "must be a 32bit integer");
    }
    if let Some(profile) = annotations.get(SECCOMP_POD) {
        validate_seccomp(profile.str(), &path.child(SECCOMP_POD), errs);
    }
    for (key, profile) in annotations.entries().filter(|(key, _)| key.starts_with(SECCOMP_CONTAINER)) {
        validate_seccomp(profile.str(), &path.child_named(key), errs);
    }
    for (key, profile) in annotations.entries() {
        let Some(container) = key.strip_prefix(APP_ARMOR) else { continue };
        if !all_containers(spec, &Path::root()).any(|(c, _)| c["name"].str() == container) {
            errs.invalid(&path.key(key), container, "container not found");
        }
        let profile = profile.str();
        if !matches!(profile, "" | RUNTIME_DEFAULT | UNCONFINED) && !profile.starts_with(LOCALHOST) {
            let detail = format!("invalid AppArmor profile name: {}", quote(profile));
            errs.invalid(&path.key(key), profile, &detail);
        }
    }
}

/// A 32-bit integer without a leading plus or zeros.
pub fn deletion_cost_is_valid(annotations: &Value) -> bool {
    match annotations[DELETION_COST].as_str() {
        None => true,
        Some(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = digits == "0" && text == "0" || !digits.starts_with(['0', '+']);
            plain && text.parse::<i32>().is_ok()
        }
    }
}

fn validate_seccomp(profile: &str, path: &Path, errs: &mut ErrorList) {
    if matches!(profile, RUNTIME_DEFAULT | DOCKER_DEFAULT | UNCONFINED) {
        return;
    }
    match profile.strip_prefix(LOCALHOST) {
        Some(file) => validate_relative_path(file, path, errs),
        None => errs.invalid(path, profile, "must be a valid seccomp profile"),
    }
}

/// On create, an annotation and the field that replaced it must agree.
pub fn validate_seccomp_agrees(metadata: &Value, spec: &Value, path: &Path, errs: &mut ErrorList) {
    let annotations = &metadata["annotations"];
    let pod = (spec, path.clone(), SECCOMP_POD.to_string());
    let containers =
        all_containers(spec, path).map(|(c, path)| (c, path, format!("{SECCOMP_CONTAINER}{}", c["name"].str())));
    for (owner, path, key) in std::iter::once(pod).chain(containers) {
        let profile = &owner["securityContext"]["seccompProfile"];
        if let Some(annotation) = annotations.get(&key).filter(|_| !profile.is_null()) {
            let path = path.child("securityContext").child("seccompProfile");
            validate_agrees(annotation.str(), profile, "seccomp", &[RUNTIME_DEFAULT, DOCKER_DEFAULT], &path, errs);
        }
    }
}

/// As [`validate_seccomp_agrees`] for AppArmor; a container without a profile has the pod's.
pub fn validate_app_armor_agrees(metadata: &Value, spec: &Value, path: &Path, errs: &mut ErrorList) {
    if super::windows::is_windows(spec) {
        return;
    }
    let of_pod = &spec["securityContext"]["appArmorProfile"];
    for (container, path) in all_containers(spec, path) {
        let own = &container["securityContext"]["appArmorProfile"];
        let profile = if own.is_null() { of_pod } else { own };
        let key = format!("{APP_ARMOR}{}", container["name"].str());
        if let Some(annotation) = metadata["annotations"].get(&key).filter(|_| !profile.is_null()) {
            let path = path.child("securityContext").child("appArmorProfile");
            validate_agrees(annotation.str(), profile, "apparmor", &[RUNTIME_DEFAULT], &path, errs);
        }
    }
}

fn validate_agrees(
    annotation: &str,
    profile: &Value,
    what: &str,
    defaults: &[&str],
    path: &Path,
    errs: &mut ErrorList,
) {
    let wrong_type = match profile["type"].str() {
        "Unconfined" => annotation != UNCONFINED,
        "RuntimeDefault" => !defaults.contains(&annotation),
        "Localhost" => match annotation.strip_prefix(LOCALHOST) {
            None => true,
            Some(file) => {
                if profile["localhostProfile"].as_str() != Some(file) {
                    let detail = format!("{what} profile in annotation and field must match");
                    errs.forbidden(&path.child("localhostProfile"), &detail);
                }
                false
            }
        },
        _ => false,
    };
    if wrong_type {
        errs.forbidden(&path.child("type"), &format!("{what} type in annotation and field must match"));
    }
}

/// What an update may not do to annotations.
pub fn validate_update(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    for (key, value) in old.entries().filter(|(key, value)| new.get(key) != Some(value)) {
        let _ = value;
        if key.starts_with(APP_ARMOR) {
            errs.forbidden(&path.key(key), "may not remove or update AppArmor annotations");
        }
        if key == MIRROR {
            errs.forbidden(&path.key(key), "may not remove or update mirror pod annotation");
        }
    }
    for (key, _) in new.entries().filter(|(key, _)| old.get(key).is_none()) {
        if key.starts_with(APP_ARMOR) {
            errs.forbidden(&path.key(key), "may not add AppArmor annotations");
        }
        if key == MIRROR {
            errs.forbidden(&path.key(key), "may not add mirror pod annotation");
        }
    }
}

/// The profile that an AppArmor annotation means; `None` when it means none.
pub fn app_armor_profile(annotation: &str) -> Option<Value> {
    match annotation {
        UNCONFINED => Some(meta::value!({"type": "Unconfined"})),
        RUNTIME_DEFAULT => Some(meta::value!({"type": "RuntimeDefault"})),
        _ => annotation
            .strip_prefix(LOCALHOST)
            .filter(|file| !file.is_empty())
            .map(|file| meta::value!({"type": "Localhost", "localhostProfile": file})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn deletion_costs_are_plain_integers() {
        for (text, right) in
            [("0", true), ("-7", true), ("2147483647", true), ("2147483648", false), ("+1", false), ("01", false)]
        {
            assert_eq!(deletion_cost_is_valid(&value!({DELETION_COST: text})), right, "{text}");
        }
    }
}
