//! IPAddress: one address of a service range, and whose it is.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "IPAddress", "ipaddresses")
        .cluster_scoped()
        .short_names(&["ip"])
        .storage_version_hash("3f/plJFChNE=")
        .strategy(Strategy { name: NameRule::Hooks, ..Strategy::default() })
        .hooks(IPAddress);
    columns::with(descriptor, ip_address_cells)
}

fn ip_address_cells(object: &Value, now: i64) -> Vec<Value> {
    let parent = &object["spec"]["parentRef"];
    let text = if parent.is_null() {
        cells::NONE.to_string()
    } else {
        let resource = meta::gvk::group_resource(parent["group"].str(), parent["resource"].str()).to_lowercase();
        match parent["namespace"].str() {
            "" => format!("{resource}/{}", parent["name"].str()),
            namespace => format!("{resource}/{namespace}/{}", parent["name"].str()),
        }
    };
    vec![cells::name(object), text.into(), cells::age(object, now)]
}

struct IPAddress;

impl Hooks for IPAddress {}
