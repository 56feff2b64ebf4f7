//! storage.k8s.io

mod csidriver;
mod csinode;
mod csistoragecapacity;
mod parameters;
mod storageclass;
mod volumeattachment;
mod volumeattributesclass;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        csidriver::descriptor(schema),
        csinode::descriptor(schema),
        csistoragecapacity::descriptor(schema),
        storageclass::descriptor(schema),
        volumeattachment::descriptor(schema),
        volumeattributesclass::descriptor(schema),
    ]
}
