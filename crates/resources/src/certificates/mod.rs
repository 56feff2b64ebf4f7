//! certificates.k8s.io

mod certificatesigningrequest;
mod signer_name;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![certificatesigningrequest::descriptor(schema)]
}
