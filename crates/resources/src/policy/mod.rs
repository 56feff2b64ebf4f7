//! policy/v1: limits on disruption.

mod poddisruptionbudget;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![poddisruptionbudget::descriptor(schema)]
}
