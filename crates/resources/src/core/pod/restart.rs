//! Restart policies and rules of single containers, and what a resize restarts.

use super::containers::{self, Pod, is_sidecar};
use meta::Value;
use meta::field::{ErrorList, Path};
use std::collections::BTreeSet;

const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const ACTIONS: &[&str] = &["Restart", "RestartAllContainers"];

pub fn validate(container: &Value, path: &Path, errs: &mut ErrorList) {
    let rules = container["restartPolicyRules"].items();
    let policy = &container["restartPolicy"];
    if policy.is_null() {
        if rules.is_empty() {
            return;
        }
        errs.required(&path.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
    }
    containers::validate_optional_choice(policy, POLICIES, &path.child("restartPolicy"), errs);
    if rules.len() > RULES_MAX {
        errs.too_long(&path.child("restartPolicyRules"), RULES_MAX);
    }
    for (i, rule) in rules.iter().enumerate() {
        let path = path.child("restartPolicyRules").index(i);
        let action = rule["action"].str();
        if !ACTIONS.contains(&action) {
            errs.not_supported_in_order(&path.child("action"), action, ACTIONS);
        }
        let codes = &rule["exitCodes"];
        if codes.is_null() {
            errs.required(&path.child("exitCodes"), "must be specified");
            continue;
        }
        let path = path.child("exitCodes");
        let operator = codes["operator"].str();
        if !["In", "NotIn"].contains(&operator) {
            errs.not_supported(&path.child("operator"), operator, &["In", "NotIn"]);
        }
        if codes["values"].items().len() > EXIT_CODES_MAX {
            errs.too_long(&path.child("values"), EXIT_CODES_MAX);
        }
    }
}

/// An init container says its policy only when it is a sidecar or has rules.
pub fn validate_init(container: &Value, path: &Path, errs: &mut ErrorList) {
    if container["restartPolicy"].is_null() {
        if !container["restartPolicyRules"].items().is_empty() {
            errs.required(&path.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
        }
    } else if !is_sidecar(container) {
        validate(container, path, errs);
    } else if !container["restartPolicyRules"].items().is_empty() {
        errs.forbidden(
            &path.child("restartPolicyRules"),
            "restartPolicyRules are not allowed for init containers with restart policy Always",
        );
    }
}

pub fn validate_resize_policy(container: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, entry) in container["resizePolicy"].items().iter().enumerate() {
        let (resource, policy) = (&entry["resourceName"], &entry["restartPolicy"]);
        if !seen.insert(resource.str()) {
            errs.duplicate(&path.index(i), resource);
        }
        containers::validate_choice(resource, &["cpu", "memory"], path, errs);
        containers::validate_choice(policy, &["NotRequired", "RestartContainer"], path, errs);
        if pod.restart_policy() == "Never" && policy.str() != "NotRequired" {
            errs.invalid(path, policy.str(), "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
    }
}
