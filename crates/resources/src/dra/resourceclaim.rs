//! ResourceClaim: devices asked for, and which were given.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")
        .storage_version_hash("wgAZaHcZxUg=")
        .strategy(Strategy {
            delete_returns_object: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(ResourceClaim)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["metadata", "spec"], ..Strategy::default() },
            ResourceClaimStatus,
        );
    columns::with(descriptor, resource_claim_cells)
}

fn resource_claim_cells(object: &Value, now: i64) -> Vec<Value> {
    let status = &object["status"];
    let deleted = !object["metadata"]["deletionTimestamp"].is_null();
    let allocated = !status["allocation"].is_null();
    let states = [
        (deleted, "deleted"),
        (!deleted && !allocated, "pending"),
        (allocated, "allocated"),
        (allocated && !status["reservedFor"].is_empty(), "reserved"),
    ];
    let text = states.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect::<Vec<_>>().join(",");
    vec![cells::name(object), text.into(), cells::age(object, now)]
}

struct ResourceClaim;

impl Hooks for ResourceClaim {}

struct ResourceClaimStatus;

impl Hooks for ResourceClaimStatus {}
