//! NetworkPolicy: who may talk to a set of pods.

use crate::{cells, columns};
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
        .short_names(&["netpol"])
        .storage_version_hash("YpfwF18m1G8=")
        .strategy(Strategy { generation: Generation::Spec, ..Strategy::default() })
        .hooks(NetworkPolicy);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::selector_cell(&object["spec"]["podSelector"]).into(), cells::age(object, now)]
    })
}

struct NetworkPolicy;

impl Hooks for NetworkPolicy {}
