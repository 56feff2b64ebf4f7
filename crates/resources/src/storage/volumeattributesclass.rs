//! VolumeAttributesClass: attributes of a volume that may change.

use super::parameters;
use crate::rules::immutable;
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor =
        Descriptor::builtin(schema, "storage.k8s.io", "v1", "VolumeAttributesClass", "volumeattributesclasses")
            .cluster_scoped()
            .short_names(&["vac"])
            .storage_version_hash("tIjydgKBC5w=")
            .strategy(Strategy {
                delete_returns_object: true,
                metadata: MetadataRules::WHOLE_AND_CHANGES,
                ..Strategy::default()
            })
            .hooks(VolumeAttributesClass);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["driverName"].str().into(), cells::age(object, now)]
    })
}

struct VolumeAttributesClass;

impl Hooks for VolumeAttributesClass {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        parameters::validate_provisioner(object["driverName"].str(), &Path::new("driverName"), errs);
        parameters::validate(&object["parameters"], false, errs);
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        for field in ["driverName", "parameters"] {
            if !immutable::same(&object[field], &old[field]) {
                errs.forbidden(&Path::new(field), &format!("updates to {field} are forbidden."));
            }
        }
        self.validate(ctx, object, errs);
    }
}
