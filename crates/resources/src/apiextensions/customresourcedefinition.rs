//! CustomResourceDefinition: a resource defined at run time.

use resource::{Descriptor, Generation, Hooks, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
        .cluster_scoped()
        .short_names(&["crd", "crds"])
        .categories(&["api-extensions"])
        .storage_prefix("/registry/apiextensions.k8s.io/customresourcedefinitions")
        .storage_version_hash("jfWCUB31mvA=")
        .strategy(Strategy {
            unconditional_update: false,
            generation: Generation::Spec,
            name: NameRule::Hooks,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(CustomResourceDefinition)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            CustomResourceDefinitionStatus,
        )
}

struct CustomResourceDefinition;

impl Hooks for CustomResourceDefinition {}

struct CustomResourceDefinitionStatus;

impl Hooks for CustomResourceDefinitionStatus {}
