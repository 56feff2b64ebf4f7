//! ValidatingAdmissionPolicyBinding and MutatingAdmissionPolicyBinding: where a policy applies, and with which parameters.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
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
    .strategy(Strategy { unconditional_update: false, generation: Generation::Spec, ..Strategy::default() })
    .hooks(ValidatingAdmissionPolicyBinding);
    columns::with(descriptor, policy_binding_cells)
}

fn policy_binding_cells(object: &Value, now: i64) -> Vec<Value> {
    let param = &object["spec"]["paramRef"];
    let text = match (param["name"].str(), param["namespace"].str()) {
        ("", _) => cells::UNSET.to_string(),
        (name, "") => format!("*/{name}"),
        (name, namespace) => format!("{namespace}/{name}"),
    };
    vec![cells::name(object), object["spec"]["policyName"].str().into(), text.into(), cells::age(object, now)]
}

struct ValidatingAdmissionPolicyBinding;

impl Hooks for ValidatingAdmissionPolicyBinding {}

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
    .strategy(Strategy { unconditional_update: false, generation: Generation::Spec, ..Strategy::default() })
    .hooks(MutatingAdmissionPolicyBinding);
    columns::with(descriptor, policy_binding_cells)
}

struct MutatingAdmissionPolicyBinding;

impl Hooks for MutatingAdmissionPolicyBinding {}
