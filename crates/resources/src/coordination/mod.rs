//! coordination.k8s.io

mod lease;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![lease::descriptor(schema)]
}
