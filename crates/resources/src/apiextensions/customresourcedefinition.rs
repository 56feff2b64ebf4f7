//! CustomResourceDefinition: a resource defined at run time.

use super::rules;
use crate::rules::webhook_client::SERVICE_PORT_DEFAULT;
use meta::field::ErrorList;
use meta::{Value, value};
use resource::{Context, DefaultGc, Descriptor, Generation, Hooks, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
        .cluster_scoped()
        .short_names(&["crd", "crds"])
        .categories(&["api-extensions"])
        .storage_prefix("/registry/apiextensions.k8s.io/customresourcedefinitions")
        .storage_version_hash("jfWCUB31mvA=")
        .stored_before("apiextensions.k8s.io/v1beta1", super::v1beta1::to_v1)
        .strategy(Strategy {
            unconditional_update: false,
            marking_delete: true,
            default_gc: DefaultGc::Unsupported,
            generation: Generation::Spec,
            name: NameRule::Hooks,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            metadata: MetadataRules::CHANGES.with_any_finalizers(),
            ..Strategy::default()
        })
        .hooks(CustomResourceDefinition)
        .status(
            Strategy {
                keep_on_update: &["spec"],
                reset_fields: &["spec"],
                metadata: MetadataRules::CHANGES.with_any_finalizers(),
                ..Strategy::default()
            },
            CustomResourceDefinitionStatus,
        )
}

struct CustomResourceDefinition;

impl Hooks for CustomResourceDefinition {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        let kind = spec["names"]["kind"].str().to_string();
        let names = spec.entry("names");
        if names["singular"].str().is_empty() {
            names.set("singular", kind.to_lowercase());
        }
        if names["listKind"].str().is_empty() && !kind.is_empty() {
            names.set("listKind", format!("{kind}List"));
        }
        spec.set_default("conversion", value!({"strategy": "None"}));
        if let Some(service) = spec.path_mut("conversion.webhook.clientConfig.service").filter(|s| !s.is_null()) {
            service.set_default("port", SERVICE_PORT_DEFAULT);
        }
        if object["status"]["storedVersions"].is_empty() {
            note_storage_version(object);
        }
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        note_storage_version(object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, _old: &Value) {
        note_storage_version(object);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        rules::validate_create(object, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        rules::validate_update(object, old, errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        rules::warn(object, old, warnings);
    }

    fn prepare_delete(&self, ctx: &Context, object: &mut Value) -> bool {
        let before = object.clone();
        custom::names::prepare_delete(object, &ctx.now.to_rfc3339());
        *object != before
    }

    /// Its objects go first: until it is marked as terminating, nobody can have seen to that.
    fn holds(&self, object: &Value) -> bool {
        !custom::names::is_true(object, "Terminating")
    }
}

/// A version that was ever stored stays listed until somebody has migrated its objects.
fn note_storage_version(object: &mut Value) {
    let mut versions = object["spec"]["versions"].items().iter();
    let Some(storage) = versions.find(|version| version["storage"].bool()).map(|v| v["name"].clone()) else { return };
    let stored = object.entry("status").entry("storedVersions").array_mut();
    if !stored.contains(&storage) {
        stored.push(storage);
    }
}

struct CustomResourceDefinitionStatus;

impl Hooks for CustomResourceDefinitionStatus {
    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        rules::validate_status(&object["status"], errs);
    }
}
