//! flowcontrol.apiserver.k8s.io

pub mod bootstrap;
mod flowschema;
mod prioritylevel;
mod rules;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![flowschema::descriptor(schema), prioritylevel::descriptor(schema)]
}
