//! ResourceSlice: devices that a driver offers.

use crate::{cells, columns};
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "resource.k8s.io", "v1", "ResourceSlice", "resourceslices")
        .cluster_scoped()
        .storage_version_hash("KsC072WgaEY=")
        .strategy(Strategy { generation: Generation::Spec, delete_returns_object: true, ..Strategy::default() })
        .select_field("spec.nodeName")
        .select_field("spec.driver")
        .hooks(ResourceSlice);
    columns::with(descriptor, |object, now| {
        vec![
            cells::name(object),
            object["spec"]["nodeName"].str().into(),
            object["spec"]["driver"].str().into(),
            object["spec"]["pool"]["name"].str().into(),
            cells::age(object, now),
        ]
    })
}

struct ResourceSlice;

impl Hooks for ResourceSlice {}
