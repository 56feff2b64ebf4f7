//! Secret: sensitive bytes under keys, with rules by type.

use crate::{cells, columns};
use resource::{Descriptor, Hooks};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Secret", "secrets")
        .storage_version_hash("S6u1pOWzb84=")
        .select_field("type")
        .hooks(Secret);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["type"].str().into(), cells::count(&object["data"]), cells::age(object, now)]
    })
}

struct Secret;

impl Hooks for Secret {}
