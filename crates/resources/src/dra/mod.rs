//! resource.k8s.io: dynamic resource allocation.

mod deviceclass;
mod resourceclaim;
mod resourceclaimtemplate;
mod resourceslice;

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
