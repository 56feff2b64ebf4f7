//! StorageClass: how volumes are provisioned.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "StorageClass", "storageclasses")
        .cluster_scoped()
        .short_names(&["sc"])
        .storage_version_hash("K+m6uJwbjGY=")
        .strategy(Strategy { delete_returns_object: true, ..Strategy::default() })
        .hooks(StorageClass);
    columns::with(descriptor, class_cells)
}

fn class_cells(object: &Value, now: i64) -> Vec<Value> {
    let annotations = &object["metadata"]["annotations"];
    let default = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
        .iter()
        .any(|key| annotations[*key].str() == "true");
    let name = object["metadata"]["name"].str();
    vec![
        if default { format!("{name} (default)").into() } else { name.into() },
        object["provisioner"].str().into(),
        cells::text_or(&object["reclaimPolicy"], "Delete"),
        cells::text_or(&object["volumeBindingMode"], "Immediate"),
        object["allowVolumeExpansion"].bool().into(),
        cells::age(object, now),
    ]
}

struct StorageClass;

impl Hooks for StorageClass {}
