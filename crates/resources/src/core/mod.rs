//! The core group, `/api/v1`.

mod configmap;
mod node;
mod pod;
mod podtemplate;
mod replicationcontroller;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        configmap::descriptor(schema),
        node::descriptor(schema),
        pod::descriptor(schema),
        podtemplate::descriptor(schema),
        replicationcontroller::descriptor(schema),
    ]
}
