//! Binding: the legacy way to bind a pod to a node; the name in the body is the pod.

use resource::{Descriptor, Hooks, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "Binding", "bindings").verbs(&[Verb::Create]).not_stored().hooks(Binding)
}

struct Binding;

impl Hooks for Binding {}
