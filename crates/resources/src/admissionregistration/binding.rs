//! ValidatingAdmissionPolicyBinding and MutatingAdmissionPolicyBinding: where a policy applies, and with which parameters.

use super::rules;
use crate::rules::label_selector;
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::collections::HashSet;
use std::sync::Arc;

pub fn validating_admission_policy_binding(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("v9715VZqakg=")
    .strategy(Strategy {
        unconditional_update: false,
        metadata: MetadataRules::WHOLE.with_any_finalizers(),
        generation: Generation::Spec,
        ..Strategy::default()
    })
    .hooks(ValidatingAdmissionPolicyBinding);
    columns::with(descriptor, policy_binding_cells)
}

fn policy_binding_cells(object: &Value, now: i64) -> Vec<Value> {
    let param = &object["spec"]["paramRef"];
    let text = match (param["name"].str(), param["namespace"].str()) {
        ("", _) if param["selector"].is_null() => cells::UNSET.to_string(),
        ("", _) => selector_text(&param["selector"]),
        (name, "") => format!("*/{name}"),
        (name, namespace) => format!("{namespace}/{name}"),
    };
    vec![cells::name(object), object["spec"]["policyName"].str().into(), text.into(), cells::age(object, now)]
}

/// A label selector as Go prints the struct.
fn selector_text(selector: &Value) -> String {
    let labels = selector["matchLabels"].entries().map(|(key, value)| format!("{key}: {},", value.str()));
    let expressions = selector["matchExpressions"].items().iter().map(|expression| {
        let values: Vec<&str> = expression["values"].items().iter().map(Value::str).collect();
        let (key, operator) = (expression["key"].str(), expression["operator"].str());
        format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},", values.join(" "))
    });
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:[]LabelSelectorRequirement{{{}}},}}",
        labels.collect::<String>(),
        expressions.collect::<String>()
    )
}

struct ValidatingAdmissionPolicyBinding;

impl Hooks for ValidatingAdmissionPolicyBinding {
    fn default(&self, object: &mut Value) {
        rules::default_match_resources(object, "matchResources");
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_binding(&object["spec"], errs);
        validate_actions(&object["spec"]["validationActions"], errs);
    }
}

/// What a policy that says no may lead to.
const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];

fn validate_actions(actions: &Value, errs: &mut ErrorList) {
    let path = Path::new("spec").child("validationActions");
    if actions.is_empty() {
        errs.required(&path, "at least one validation action is required");
    }
    let mut seen = HashSet::new();
    for (i, action) in actions.items().iter().map(Value::str).enumerate() {
        if !ACTIONS.contains(&action) {
            errs.not_supported(&path.index(i), action, ACTIONS);
        }
        if !seen.insert(action) {
            errs.duplicate(&path.index(i), action);
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let shown: Vec<String> = actions.items().iter().map(|action| meta::field::quote(action.str())).collect();
        let shown = meta::field::Shown(format!("[{}]", shown.join(",")));
        errs.invalid(&path, shown, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)");
    }
}

fn validate_binding(spec: &Value, errs: &mut ErrorList) {
    let path = Path::new("spec");
    let policy = spec["policyName"].str();
    if policy.is_empty() {
        errs.required(&path.child("policyName"), "");
    } else {
        errs.invalid_each(&path.child("policyName"), policy, name::dns1123_subdomain(policy));
    }
    if !spec["paramRef"].is_null() {
        validate_param_ref(&spec["paramRef"], &path.child("paramRef"), errs);
    }
    rules::validate_match_resources(&spec["matchResources"], &path.child("matchResources"), errs);
}

fn validate_param_ref(param: &Value, path: &Path, errs: &mut ErrorList) {
    let (param_name, selector) = (param["name"].str(), &param["selector"]);
    let both = "name and selector are mutually exclusive";
    if !param_name.is_empty() {
        errs.invalid_each(&path.child("name"), param_name, name::path_segment(param_name));
        if !selector.is_null() {
            errs.forbidden(&path.child("name"), both);
        }
    }
    if !selector.is_null() {
        label_selector::validate(selector, false, &path.child("selector"), errs);
        if !param_name.is_empty() {
            errs.forbidden(&path.child("selector"), both);
        }
    }
    if param_name.is_empty() && selector.is_null() {
        errs.required(path, "one of name or selector must be specified");
    }
    let at = path.child("parameterNotFoundAction");
    match param["parameterNotFoundAction"].str() {
        "" => errs.required(&at, ""),
        "Deny" | "Allow" => {}
        other => errs.not_supported_in_order(&at, other, &["Deny", "Allow"]),
    }
}

pub fn mutating_admission_policy_binding(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("90V5FRZZ3Zg=")
    .strategy(Strategy {
        unconditional_update: false,
        metadata: MetadataRules::WHOLE.with_any_finalizers(),
        generation: Generation::Spec,
        ..Strategy::default()
    })
    .in_etcd(super::IN_ETCD)
    .hooks(MutatingAdmissionPolicyBinding);
    columns::with(descriptor, policy_binding_cells)
}

struct MutatingAdmissionPolicyBinding;

impl Hooks for MutatingAdmissionPolicyBinding {
    fn default(&self, object: &mut Value) {
        rules::default_match_resources(object, "matchResources");
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_binding(&object["spec"], errs);
        rules::validate_mutated_operations(&object["spec"], "matchResources", errs);
    }
}
