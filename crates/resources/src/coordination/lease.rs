//! Lease: who holds a lock, and since when.

use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "coordination.k8s.io", "v1", "Lease", "leases")
        .storage_version_hash("gqkMMb/YqFM=")
        .strategy(Strategy {
            create_on_update: true,
            unconditional_update: false,
            metadata: MetadataRules::CHANGES.with_any_finalizers(),
            ..Strategy::default()
        })
        .hooks(Lease);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["spec"]["holderIdentity"].str().into(), cells::age(object, now)]
    })
}

struct Lease;

/// Fields of a feature that is off by default.
fn drop_disabled(object: &mut Value) {
    let spec = object.entry("spec");
    spec.remove("strategy");
    spec.remove("preferredHolder");
}

impl Hooks for Lease {
    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        drop_disabled(object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, _old: &Value) {
        drop_disabled(object);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let spec = &object["spec"];
        let path = Path::new("spec");
        if let Some(seconds) = spec["leaseDurationSeconds"].as_int()
            && seconds <= 0
        {
            errs.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
        }
        errs.non_negative(&path.child("leaseTransitions"), spec["leaseTransitions"].int());
    }
}
