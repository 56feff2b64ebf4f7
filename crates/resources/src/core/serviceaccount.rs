//! ServiceAccount: an identity for pods.

use crate::{cells, columns};
use meta::Gvk;
use resource::{Descriptor, Hooks, Strategy, SubresourceKind, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ServiceAccount", "serviceaccounts")
        .short_names(&["sa"])
        .storage_version_hash("pbx9ZvyFpBE=")
        .strategy(Strategy { delete_returns_object: true, ..Strategy::default() })
        .hooks(ServiceAccount)
        .with_subresource(
            "token",
            Gvk::new("authentication.k8s.io", "v1", "TokenRequest"),
            &[Verb::Create],
            SubresourceKind::Action("token"),
        );
    columns::with(descriptor, |object, now| vec![cells::name(object), cells::age(object, now)])
}

struct ServiceAccount;

impl Hooks for ServiceAccount {}
