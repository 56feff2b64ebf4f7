//! ConfigMap: text and binary data under keys. Immutable ones change only in their metadata.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ConfigMap", "configmaps")
        .short_names(&["cm"])
        .storage_version_hash("qFsyl6wFWjQ=")
        .hooks(ConfigMap);
    columns::with(descriptor, |object, now| vec![cells::name(object), data_count(object), cells::age(object, now)])
}

/// Text and binary entries together.
fn data_count(object: &Value) -> Value {
    let entries = |key: &str| object[key].entries().len() as i64;
    Value::Int(entries("data") + entries("binaryData"))
}

struct ConfigMap;

impl Hooks for ConfigMap {}
