//! discovery.k8s.io

mod endpointslice;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![endpointslice::descriptor(schema)]
}
