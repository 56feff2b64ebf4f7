//! admissionregistration.k8s.io

mod binding;
mod policy;
mod rules;
mod webhook;

use resource::{Descriptor, InEtcd};
use schema::Schema;
use std::sync::Arc;

/// Of kinds that came with 1.36: until 1.37 the release before can read them.
const IN_ETCD: InEtcd = InEtcd::ApiVersion("admissionregistration.k8s.io/v1beta1");

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        binding::validating_admission_policy_binding(schema),
        binding::mutating_admission_policy_binding(schema),
        policy::validating_admission_policy(schema),
        policy::mutating_admission_policy(schema),
        webhook::validating_webhook_configuration(schema),
        webhook::mutating_webhook_configuration(schema),
    ]
}
