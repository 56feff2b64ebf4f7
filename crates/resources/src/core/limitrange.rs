//! LimitRange: bounds and defaults for the resources of a namespace's pods, containers and claims.

use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "LimitRange", "limitranges")
        .short_names(&["limits"])
        .storage_version_hash("EBKMFVe6cwo=")
        .strategy(Strategy { create_on_update: true, ..Strategy::default() })
        .hooks(LimitRange)
}

struct LimitRange;

impl Hooks for LimitRange {}
