//! ValidatingWebhookConfiguration and MutatingWebhookConfiguration: webhooks that judge and change requests.

use crate::{cells, columns};
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn validating_webhook_configuration(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("B0wHjQmsGNk=")
    .strategy(Strategy { unconditional_update: false, generation: Generation::Hooks, ..Strategy::default() })
    .hooks(ValidatingWebhookConfiguration);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::count(&object["webhooks"]), cells::age(object, now)]
    })
}

struct ValidatingWebhookConfiguration;

impl Hooks for ValidatingWebhookConfiguration {}

pub fn mutating_webhook_configuration(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("Sqi0GUgDaX0=")
    .strategy(Strategy { unconditional_update: false, generation: Generation::Hooks, ..Strategy::default() })
    .hooks(MutatingWebhookConfiguration);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::count(&object["webhooks"]), cells::age(object, now)]
    })
}

struct MutatingWebhookConfiguration;

impl Hooks for MutatingWebhookConfiguration {}
