//! Binding: the legacy way to bind a pod to a node; the name in the body is the pod.

use super::pod::binding::Binding;
use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "Binding", "bindings").acts(&Binding { is_legacy: true })
}
