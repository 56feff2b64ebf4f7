//! Namespace: a scope for names. Deleted in two steps, through spec.finalizers.

use crate::{cells, columns};
use resource::{Descriptor, Hooks, NameRule, Strategy, Verb};
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
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .select_field("status.phase")
        .hooks(Namespace)
        .verbs(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update, Verb::Watch])
        .part(
            "finalize",
            &[Verb::Update],
            Strategy { keep_on_update: &["status"], ..Strategy::default() },
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

struct Namespace;

impl Hooks for Namespace {}

struct NamespaceStatus;

impl Hooks for NamespaceStatus {}

struct NamespaceFinalize;

impl Hooks for NamespaceFinalize {}
