//! Pod: containers that run together on one node. The rules of the pod spec are shared with every workload's template.

mod table;

use crate::connect::{PodLog, PodProxy, PodStream};
use meta::{Gvk, Str, Value};
use resource::{Connect, Descriptor, Generation, SelectValue, Strategy, SubresourceKind, Verb};
use schema::Schema;
use std::sync::Arc;

/// Fields that field selectors may name, besides those with a rule of their own below.
const SELECT_FIELDS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

/// Streams to the pod: name, options kind, verbs.
const STREAMS: &[(&str, &str, &[Verb], &dyn Connect)] = &[
    ("attach", "PodAttachOptions", &[Verb::Create, Verb::Get], &PodStream::Attach),
    ("exec", "PodExecOptions", &[Verb::Create, Verb::Get], &PodStream::Exec),
    ("log", "Pod", &[Verb::Get], &PodLog),
    ("portforward", "PodPortForwardOptions", &[Verb::Create, Verb::Get], &PodStream::PortForward),
    ("proxy", "PodProxyOptions", &[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update], &PodProxy),
];

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let mut descriptor = Descriptor::builtin(schema, "", "v1", "Pod", "pods")
        .short_names(&["po"])
        .categories(&["all"])
        .storage_version_hash("xPOwRZ+Yhw8=")
        .strategy(Strategy {
            generation: Generation::Spec,
            delete_returns_object: true,
            graceful_delete: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .columns(table::COLUMNS, table::cells)
        .select_value("spec.hostNetwork", SelectValue::Function(host_network))
        .select_value("spec.host", SelectValue::Path("spec.nodeName".into()))
        .select_value("status.podIPs", SelectValue::Function(|_| Str::default()));
    for name in SELECT_FIELDS {
        descriptor = descriptor.select_field(name);
    }
    for (name, kind, verbs, connect) in STREAMS {
        let does = SubresourceKind::Connect(*connect);
        descriptor = descriptor.with_subresource(name, Gvk::new("", "v1", kind), verbs, does);
    }
    descriptor
        .with_subresource("binding", Gvk::new("", "v1", "Binding"), &[Verb::Create], SubresourceKind::Action("binding"))
        .with_subresource(
            "eviction",
            Gvk::new("policy", "v1", "Eviction"),
            &[Verb::Create],
            SubresourceKind::Action("eviction"),
        )
}

/// Always "true" or "false", unlike a missing field.
fn host_network(pod: &Value) -> Str {
    pod["spec"]["hostNetwork"].bool().to_string().into()
}
