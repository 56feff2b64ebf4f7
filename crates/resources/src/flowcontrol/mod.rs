//! flowcontrol.apiserver.k8s.io

mod flowschema;
mod prioritylevel;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![flowschema::descriptor(schema), prioritylevel::descriptor(schema)]
}
