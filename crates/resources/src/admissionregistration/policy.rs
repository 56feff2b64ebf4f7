//! ValidatingAdmissionPolicy and MutatingAdmissionPolicy: rules on requests, in CEL.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn validating_admission_policy(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("6OxvlMmQ6is=")
    .strategy(Strategy {
        unconditional_update: false,
        generation: Generation::Spec,
        reset_on_create: &["status"],
        keep_on_update: &["status"],
        reset_fields: &["status"],
        ..Strategy::default()
    })
    .hooks(ValidatingAdmissionPolicy)
    .status(
        Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
        ValidatingAdmissionPolicyStatus,
    );
    columns::with(descriptor, |object, now| {
        vec![
            cells::name(object),
            cells::count(&object["spec"]["validations"]),
            param_kind(object),
            cells::age(object, now),
        ]
    })
}

fn param_kind(object: &Value) -> Value {
    let kind = &object["spec"]["paramKind"];
    match kind.is_null() {
        true => cells::UNSET.into(),
        false => format!("{}/{}", kind["apiVersion"].str(), kind["kind"].str()).into(),
    }
}

struct ValidatingAdmissionPolicy;

impl Hooks for ValidatingAdmissionPolicy {}

struct ValidatingAdmissionPolicyStatus;

impl Hooks for ValidatingAdmissionPolicyStatus {}

pub fn mutating_admission_policy(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "MutatingAdmissionPolicy",
        "mutatingadmissionpolicies",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("LYmCf+UMVdg=")
    .strategy(Strategy { unconditional_update: false, generation: Generation::Spec, ..Strategy::default() })
    .hooks(MutatingAdmissionPolicy);
    columns::with(descriptor, |object, now| {
        vec![
            cells::name(object),
            cells::count(&object["spec"]["mutations"]),
            param_kind(object),
            cells::age(object, now),
        ]
    })
}

struct MutatingAdmissionPolicy;

impl Hooks for MutatingAdmissionPolicy {}
