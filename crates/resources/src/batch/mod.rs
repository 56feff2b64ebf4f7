//! batch/v1: pods that end.

mod cronjob;
mod job;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![cronjob::descriptor(schema), job::descriptor(schema)]
}
