//! ResourceClaim: devices asked for, and which were given.

use super::{admin, requests, status};
use crate::rules::{immutable, shown};
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")
        .storage_version_hash("wgAZaHcZxUg=")
        .strategy(Strategy {
            delete_returns_object: true,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .with_opaque_data()
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

impl Hooks for ResourceClaim {
    fn default(&self, object: &mut Value) {
        default_claim(object);
    }

    fn validate(&self, ctx: &Context, object: &Value, errs: &mut ErrorList) {
        admin::validate_requests(ctx, object, &object["spec"]["devices"]["requests"], errs);
        requests::validate_spec(&object["spec"], false, &Path::new("spec"), errs);
    }

    /// What cannot change is not judged again.
    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        if !immutable::same(&object["spec"], &old["spec"]) {
            let shown = shown::internal("io.k8s.api.resource.v1.ResourceClaimSpec", &object["spec"]);
            errs.invalid(&Path::new("spec"), shown, immutable::MESSAGE);
        }
    }
}

fn default_claim(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec") {
        requests::default_spec(spec);
    }
    status::default_status(object);
}

struct ResourceClaimStatus;

impl Hooks for ResourceClaimStatus {
    fn default(&self, object: &mut Value) {
        default_claim(object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        status::drop_deallocated(object, old);
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        admin::validate_results(ctx, object, old, errs);
        status::validate_update(object, old, errs);
    }
}
