//! Namespace: a scope for names. Deleted in two steps, through spec.finalizers.

use crate::rules::finalizer;
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, value};
use resource::{Context, Descriptor, Hooks, MetadataRules, NameRule, Strategy, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Namespace", "namespaces")
        .cluster_scoped()
        .short_names(&["ns"])
        .storage_version_hash("Q3oi5N2YM8M=")
        .strategy(Strategy {
            delete_returns_object: true,
            name: NameRule::Label,
            marking_delete: true,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            reset_on_create: &["status"],
            keep_on_update: &["spec.finalizers", "status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .select_field("status.phase")
        .hooks(Namespace)
        .verbs(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update, Verb::Watch])
        .part(
            "finalize",
            &[Verb::Update],
            Strategy { keep_on_update: &["status"], reset_fields: &["status"], ..Strategy::default() },
            NamespaceFinalize,
        )
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            NamespaceStatus,
        );
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["status"]["phase"].str().into(), cells::age(object, now)]
    })
}

/// In spec.finalizers: the namespace's content is not gone yet.
const FINALIZER: &str = "kubernetes";
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

struct Namespace;

fn default(object: &mut Value) {
    if object["status"]["phase"].is_empty() {
        object.entry("status").set("phase", "Active");
    }
    let name = object["metadata"]["name"].clone();
    if !name.is_empty() {
        object.entry("metadata").entry("labels").set(NAME_LABEL, name);
    }
}

impl Hooks for Namespace {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        let finalizers = object.entry("spec").entry("finalizers").array_mut();
        if !finalizers.iter().any(|f| f.str() == FINALIZER) {
            finalizers.push(FINALIZER.into());
        }
        object.set("status", value!({"phase": "Active"}));
        default(object);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec").child("finalizers");
        for name in object["spec"]["finalizers"].items() {
            finalizer::validate(name.str(), &path, errs);
        }
    }

    fn validate_update(&self, _ctx: &Context, _object: &Value, _old: &Value, _errs: &mut ErrorList) {}

    fn prepare_delete(&self, _ctx: &Context, object: &mut Value) -> bool {
        let is_new = object["status"]["phase"].str() != "Terminating";
        object.entry("status").set("phase", "Terminating");
        is_new
    }

    /// The first deletion only marks, even when nothing is left to finalize.
    fn holds(&self, object: &Value) -> bool {
        !object["spec"]["finalizers"].is_empty() || object["metadata"]["deletionTimestamp"].is_null()
    }
}

struct NamespaceStatus;

impl Hooks for NamespaceStatus {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        // upstream writes the Go name of the field
        let path = Path::new("status").child("Phase");
        let phase = object["status"]["phase"].str();
        let deleting = !object["metadata"]["deletionTimestamp"].is_null();
        if !deleting && phase != "Active" {
            errs.invalid(&path, phase, "may only be 'Active' if `deletionTimestamp` is empty");
        }
        if deleting && phase != "Terminating" {
            errs.invalid(&path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
        }
    }
}

struct NamespaceFinalize;

impl Hooks for NamespaceFinalize {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec").child("finalizers");
        for (i, name) in object["spec"]["finalizers"].items().iter().enumerate() {
            finalizer::validate(name.str(), &path.index(i), errs);
        }
    }

    fn holds(&self, object: &Value) -> bool {
        !object["spec"]["finalizers"].is_empty()
    }
}
