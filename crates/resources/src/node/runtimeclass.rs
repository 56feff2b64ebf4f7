//! RuntimeClass: how a node runs a pod.

use crate::core::pod::resources;
use crate::core::pod::scheduling;
use crate::rules::{immutable, label_selector};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "node.k8s.io", "v1", "RuntimeClass", "runtimeclasses")
        .cluster_scoped()
        .storage_version_hash("WQTu1GL3T2Q=")
        .strategy(Strategy {
            create_on_update: true,
            unconditional_update: false,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(RuntimeClass);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["handler"].str().into(), cells::age(object, now)]
    })
}

struct RuntimeClass;

impl Hooks for RuntimeClass {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let handler = object["handler"].str();
        match handler {
            "" => errs.required(&Path::new("handler"), ""),
            handler => errs.invalid_each(&Path::new("handler"), handler, name::dns1123_label(handler)),
        }
        // upstream judges the overhead as the limits of a container
        let path = Path::new("overhead").child("limits");
        for (key, amount) in object["overhead"]["podFixed"].entries() {
            resources::validate_container_name(key, &path.key(key), errs);
            resources::validate_amount(key, amount, &path.key(key), errs);
        }
        let scheduling = &object["scheduling"];
        let path = Path::new("scheduling");
        label_selector::validate_labels(&scheduling["nodeSelector"], &path.child("nodeSelector"), errs);
        validate_tolerations(&scheduling["tolerations"], &path.child("tolerations"), errs);
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.validate(ctx, object, errs);
        immutable::validate_text(&object["handler"], &old["handler"], &Path::new("handler"), errs);
    }
}

/// As a pod's, and each only once.
fn validate_tolerations(tolerations: &Value, path: &Path, errs: &mut ErrorList) {
    scheduling::validate_tolerations(tolerations, path, errs);
    let items = tolerations.items();
    for (i, toleration) in items.iter().enumerate() {
        if items.iter().take(i).any(|other| other == toleration) {
            let shown = crate::rules::shown::internal("io.k8s.api.core.v1.Toleration", toleration);
            errs.duplicate(&path.index(i), shown);
        }
    }
}
