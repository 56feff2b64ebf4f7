//! Every built-in resource: one folder per API group, in it one per kind. [`all`] is the list that everything
//! else loops over.

mod core;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

/// The descriptors of all built-in resources, in no particular order.
pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    [core::all(schema)].into_iter().flatten().collect()
}
