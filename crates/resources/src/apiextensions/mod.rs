//! apiextensions.k8s.io

mod customresourcedefinition;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![customresourcedefinition::descriptor(schema)]
}
