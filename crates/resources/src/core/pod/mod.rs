//! Pod: containers that run together on one node. The rules of the pod spec are shared with every workload's template.

pub mod affinity;
mod annotations;
pub mod binding;
pub mod claim;
mod containers;
mod defaults;
mod env;
mod eviction;
mod image;
pub mod internal;
mod mounts;
mod options;
mod ports;
mod prepare;
mod probes;
mod projected;
mod qos;
mod resize;
pub mod resources;
mod restart;
pub mod scheduling;
mod security;
mod spec;
mod status;
mod table;
pub mod template;
mod topology;
mod update;
mod virtual_paths;
mod volume_sources;
mod volumes;
mod warnings;
mod windows;

pub use defaults::{default_text, round_quantities, set_claim_spec};
pub use warnings::warn_claim;

use self::options::Options;
use crate::connect::{PodLog, PodProxy, PodStream, StreamKind};
use crate::settings::Settings;
use meta::field::{ErrorList, Path};
use meta::{Gvk, Str, Value, name};
use resource::{
    Connect, Context, Descriptor, Generation, Hooks, MetadataRules, PART_VERBS, SelectValue, Strategy, SubresourceKind,
    Verb,
};
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

const PROXY_VERBS: &[Verb] = &[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update];
const STREAM_VERBS: &[Verb] = &[Verb::Create, Verb::Get];

/// A stream to the pod: name, options kind, verbs, where it goes.
type Streamed = (&'static str, &'static str, &'static [Verb], Arc<dyn Connect>);

fn streams(settings: &Settings) -> [Streamed; 5] {
    let types = &settings.kubelet_address_types;
    let stream = |kind| Arc::new(PodStream { kind, address_types: types.clone() });
    [
        ("attach", "PodAttachOptions", STREAM_VERBS, stream(StreamKind::Attach)),
        ("exec", "PodExecOptions", STREAM_VERBS, stream(StreamKind::Exec)),
        ("log", "Pod", &[Verb::Get], Arc::new(PodLog(types.clone()))),
        ("portforward", "PodPortForwardOptions", STREAM_VERBS, stream(StreamKind::PortForward)),
        ("proxy", "PodProxyOptions", PROXY_VERBS, Arc::new(PodProxy)),
    ]
}

/// Kubelets corrupted owner references in status updates once: they stay as they are.
const STATUS: Strategy = Strategy {
    keep_on_update: &["spec", "metadata.ownerReferences"],
    reset_fields: &["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"],
    ..crate::strategies::STATUS
};

/// The hooks keep what these subresources may not change.
const PART: Strategy = Strategy {
    generation: Generation::Spec,
    keep_on_update: &[],
    reset_fields: &[],
    metadata: MetadataRules::WHOLE_AND_CHANGES,
    ..crate::strategies::STATUS
};

pub fn descriptor(schema: &Arc<Schema>, settings: &Settings) -> Descriptor {
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
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(Pod)
        .columns(table::COLUMNS, table::cells)
        .cell_fields(table::FIELDS)
        .select_value("spec.hostNetwork", SelectValue::Function(host_network))
        .select_value("spec.host", SelectValue::Path("spec.nodeName".into()))
        .select_value("status.podIPs", SelectValue::Function(|_| Str::default()));
    for name in SELECT_FIELDS {
        descriptor = descriptor.select_field(name);
    }
    for (name, kind, verbs, connect) in streams(settings) {
        let does = SubresourceKind::Connect(connect);
        descriptor = descriptor.with_subresource(name, Gvk::new("", "v1", kind), verbs, does);
    }
    descriptor
        .status(STATUS, status::Status)
        .part("ephemeralcontainers", PART_VERBS, PART, resize::EphemeralContainers)
        .part("resize", PART_VERBS, PART, resize::Resize)
        .with_subresource(
            "binding",
            Gvk::new("", "v1", "Binding"),
            &[Verb::Create],
            SubresourceKind::Action(&binding::Binding { is_legacy: false }),
        )
        .with_subresource(
            "eviction",
            Gvk::new("policy", "v1", "Eviction"),
            &[Verb::Create],
            SubresourceKind::Action(&eviction::Eviction),
        )
}

/// Always "true" or "false", unlike a missing field.
fn host_network(pod: &Value) -> Str {
    pod["spec"]["hostNetwork"].bool().to_string().into()
}

struct Pod;

impl Hooks for Pod {
    fn default(&self, pod: &mut Value) {
        defaults::set_pod(pod);
    }

    fn prepare_create(&self, ctx: &Context, pod: &mut Value) {
        prepare::prepare_create(pod, ctx.now);
    }

    fn prepare_update(&self, _ctx: &Context, pod: &mut Value, old: &Value) {
        prepare::drop_disabled(pod.entry("spec"), Some(&old["spec"]));
    }

    fn validate(&self, _ctx: &Context, pod: &Value, errs: &mut ErrorList) {
        validate_pod(pod, Options::pod(), errs);
        let (spec, path) = (&pod["spec"], Path::new("spec"));
        if !spec["ephemeralContainers"].items().is_empty() {
            errs.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
        }
        if !spec["nodeName"].str().is_empty() && !spec["schedulingGates"].items().is_empty() {
            errs.forbidden(&path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
        }
        annotations::validate_seccomp_agrees(&pod["metadata"], spec, &path, errs);
        annotations::validate_app_armor_agrees(&pod["metadata"], spec, &path, errs);
    }

    fn validate_update(&self, _ctx: &Context, pod: &Value, old: &Value, errs: &mut ErrorList) {
        update::validate(pod, old, errs);
    }

    fn warn(&self, _ctx: &Context, pod: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        // updates are frequent and rarely made by people
        if old.is_some() {
            return;
        }
        prepare::warn_app_armor(pod, out);
        let own = pod["metadata"]["name"].str();
        let wrong = name::dns1123_label(own);
        if !wrong.is_empty() {
            out.push(format!(
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
                wrong.join(" ")
            ));
        }
        warnings::warn(pod, &Path::root(), false, out);
    }

    fn grace_period_seconds(&self, pod: &Value, requested: Option<i64>) -> i64 {
        let spec = &pod["spec"];
        let is_over = matches!(pod["status"]["phase"].str(), "Failed" | "Succeeded");
        if spec["nodeName"].str().is_empty() || is_over {
            return 0;
        }
        let period = requested.unwrap_or(spec["terminationGracePeriodSeconds"].int());
        if period < 0 { 1 } else { period }
    }
}

/// What holds for a pod on create and update alike, without its generic metadata.
fn validate_pod(pod: &Value, options: Options, errs: &mut ErrorList) {
    let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
    let (meta_path, path) = (Path::new("metadata"), Path::new("spec"));
    annotations::validate(&metadata["annotations"], spec, options, &meta_path.child("annotations"), errs);
    spec::validate(spec, Some(metadata), options, &path, errs);
    if spec["serviceAccountName"].str().is_empty() {
        for (i, volume) in spec["volumes"].items().iter().enumerate() {
            for (j, source) in volume["projected"]["sources"].items().iter().enumerate() {
                if !source["serviceAccountToken"].is_null() {
                    let at = path.child("volumes").index(i).child("projected").child("sources").index(j);
                    let detail = "must not be specified when serviceAccountName is not set";
                    errs.forbidden(&at.child("serviceAccountToken"), detail);
                }
            }
        }
    }
    for list in ["containers", "initContainers"] {
        for (i, container) in spec[list].items().iter().enumerate() {
            containers::validate_image_spaces(container, &path.child(list).index(i), errs);
        }
    }
}
