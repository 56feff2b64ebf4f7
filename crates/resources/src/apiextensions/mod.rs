//! apiextensions.k8s.io

mod conversion;
mod customresourcedefinition;
mod internal;
mod rules;
mod v1beta1;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![customresourcedefinition::descriptor(schema)]
}
