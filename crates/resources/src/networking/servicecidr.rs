//! ServiceCIDR: a range of service addresses.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs")
        .cluster_scoped()
        .storage_version_hash("gNLvruQhW2g=")
        .strategy(Strategy {
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(ServiceCIDR)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["metadata", "spec"], ..Strategy::default() },
            ServiceCIDRStatus,
        );
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::joined(object["spec"]["cidrs"].items()).into(), cells::age(object, now)]
    })
}

struct ServiceCIDR;

impl Hooks for ServiceCIDR {}

struct ServiceCIDRStatus;

impl Hooks for ServiceCIDRStatus {}
