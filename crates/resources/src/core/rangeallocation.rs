//! RangeAllocation: which numbers of a range are taken. Stored where upstream has it, and served nowhere.

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub const PLURAL: &str = "rangeallocations";

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "RangeAllocation", PLURAL).cluster_scoped().storage_prefix("/registry/ranges")
}
