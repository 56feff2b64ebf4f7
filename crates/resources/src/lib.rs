//! Every built-in resource: one folder per API group, in it one per kind. [`all`] is the list that everything
//! else loops over.

mod apps;
mod autoscaling;
mod batch;
mod cells;
mod core;
mod policy;
mod strategies;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

/// The descriptors of all built-in resources, in no particular order.
pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    [apps::all(schema), autoscaling::all(schema), batch::all(schema), core::all(schema), policy::all(schema)]
        .into_iter()
        .flatten()
        .collect()
}
