//! scheduling.k8s.io

mod priorityclass;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![priorityclass::descriptor(schema)]
}
