//! certificates.k8s.io

mod certificatesigningrequest;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![certificatesigningrequest::descriptor(schema)]
}
