//! CSIStorageCapacity: how much storage a class has in a part of the cluster.

use crate::core::pod::internal;
use crate::rules::{immutable, label_selector, quantity};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities")
        .storage_version_hash("xeVl+2Ly1kE=")
        .strategy(Strategy {
            unconditional_update: false,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(CSIStorageCapacity)
}

struct CSIStorageCapacity;

impl Hooks for CSIStorageCapacity {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate(object, false, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let mut found = ErrorList::new();
        label_selector::validate(&old["nodeTopology"], false, &Path::root(), &mut found);
        validate(object, !found.is_empty(), errs);
        if !immutable::same(&object["nodeTopology"], &old["nodeTopology"]) {
            let shown = internal::selector_shown(&object["nodeTopology"]);
            errs.invalid(&Path::new("nodeTopology"), shown, immutable::MESSAGE);
        }
        let path = Path::new("storageClassName");
        immutable::validate_text(&object["storageClassName"], &old["storageClassName"], &path, errs);
    }
}

fn validate(object: &Value, lenient: bool, errs: &mut ErrorList) {
    label_selector::validate(&object["nodeTopology"], lenient, &Path::new("nodeTopology"), errs);
    let class = object["storageClassName"].str();
    errs.invalid_each(&Path::new("storageClassName"), class, name::dns1123_subdomain(class));
    for field in ["capacity", "maximumVolumeSize"] {
        quantity::validate_not_negative(&object[field], &Path::new(field), errs);
    }
}
