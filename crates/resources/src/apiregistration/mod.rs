//! apiregistration.k8s.io

mod apiservice;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![apiservice::descriptor(schema)]
}
