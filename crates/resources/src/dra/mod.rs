//! resource.k8s.io: dynamic resource allocation.

mod admin;
mod capacity;
mod configuration;
mod deviceclass;
mod devices;
mod names;
mod requests;
mod resourceclaim;
mod resourceclaimtemplate;
mod resourceslice;
mod status;
mod taints;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        deviceclass::descriptor(schema),
        resourceclaim::descriptor(schema),
        resourceclaimtemplate::descriptor(schema),
        resourceslice::descriptor(schema),
    ]
}
