//! The core group, `/api/v1`.

mod configmap;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![configmap::descriptor(schema)]
}
