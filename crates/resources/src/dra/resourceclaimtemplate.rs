//! ResourceClaimTemplate: what the claims of a pod are made from.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor =
        Descriptor::builtin(schema, "resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates")
            .storage_version_hash("TuzjC49aUfM=")
            .strategy(Strategy { delete_returns_object: true, ..Strategy::default() })
            .hooks(ResourceClaimTemplate);
    columns::with(descriptor, |object, now| vec![cells::name(object), cells::age(object, now)])
}

struct ResourceClaimTemplate;

impl Hooks for ResourceClaimTemplate {}
