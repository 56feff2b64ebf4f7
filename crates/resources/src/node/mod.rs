//! node.k8s.io

mod runtimeclass;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![runtimeclass::descriptor(schema)]
}
