//! Node: a machine that runs pods.

mod rules;

use crate::cells::{self, AGE, ColumnRow, NAME};
use crate::core::pod::round_quantities;
use crate::rules::ip;
use crate::settings::Settings;
use meta::field::{ErrorList, Path};
use meta::{Gvk, Str, Value};
use resource::{Context, Descriptor, Hooks, MetadataRules, SelectValue, Strategy, SubresourceKind, Verb};
use schema::Schema;
use std::sync::Arc;

const PROXY_VERBS: &[Verb] = &[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update];

pub fn descriptor(schema: &Arc<Schema>, settings: &Settings) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "Node", "nodes")
        .cluster_scoped()
        .short_names(&["no"])
        .storage_prefix("/registry/minions")
        .storage_version_hash("XwShjMxG9Fs=")
        // a kubelet registers itself with its status: create keeps it
        .strategy(Strategy {
            keep_on_update: &["status"],
            reset_fields: &["status"],
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .columns(COLUMNS, cells)
        .cell_fields(CELL_FIELDS)
        .select_value("spec.unschedulable", SelectValue::Function(unschedulable))
        .hooks(Node)
        .status(crate::strategies::STATUS, Status)
        .with_subresource(
            "proxy",
            Gvk::new("", "v1", "NodeProxyOptions"),
            PROXY_VERBS,
            SubresourceKind::Connect(Arc::new(crate::connect::NodeProxy(settings.kubelet_address_types.clone()))),
        )
}

/// Always "true" or "false", unlike a missing field.
fn unschedulable(node: &Value) -> Str {
    node["spec"]["unschedulable"].bool().to_string().into()
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Status", "string", "", 0, "The status of the node"),
    ("Roles", "string", "", 0, "The roles of the node"),
    AGE,
    ("Version", "string", "", 0, "Kubelet Version reported by the node."),
    (
        "Internal-IP",
        "string",
        "",
        1,
        "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).",
    ),
    (
        "External-IP",
        "string",
        "",
        1,
        "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).",
    ),
    (
        "OS-Image",
        "string",
        "",
        1,
        "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).",
    ),
    (
        "Kernel-Version",
        "string",
        "",
        1,
        "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).",
    ),
    (
        "Container-Runtime",
        "string",
        "",
        1,
        "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).",
    ),
];

/// What [`cells`] reads.
const CELL_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "metadata.labels",
    "spec.unschedulable",
    "status.conditions.type",
    "status.conditions.status",
    "status.addresses",
    "status.nodeInfo",
];

fn cells(node: &Value, now: i64) -> Vec<Value> {
    let info = &node["status"]["nodeInfo"];
    let or_unknown = |text: &str| Value::from(if text.is_empty() { "<unknown>" } else { text });
    let arch = Some(info["architecture"].str()).filter(|arch| !arch.is_empty());
    let mut kernel = or_unknown(info["kernelVersion"].str());
    if let Some(arch) = arch {
        kernel = format!("{} ({arch})", kernel.str()).into();
    }
    vec![
        cells::name(node),
        Value::from(status(node)),
        Value::from(roles(node)),
        cells::age(node, now),
        Value::from(info["kubeletVersion"].str()),
        address(node, "InternalIP"),
        address(node, "ExternalIP"),
        or_unknown(info["osImage"].str()),
        kernel,
        or_unknown(info["containerRuntimeVersion"].str()),
    ]
}

fn status(node: &Value) -> String {
    let ready = node["status"]["conditions"].items().iter().rfind(|c| c["type"].str() == "Ready");
    let mut out = match ready {
        Some(condition) if condition["status"].str() == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_string();
    if node["spec"]["unschedulable"].bool() {
        out.push_str(",SchedulingDisabled");
    }
    out
}

/// From the labels `node-role.kubernetes.io/<role>` and `kubernetes.io/role=<role>`, sorted.
fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = Vec::new();
    for (key, value) in node["metadata"]["labels"].entries() {
        let role = match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => role,
            None if key == "kubernetes.io/role" => value.str(),
            None => "",
        };
        if !role.is_empty() {
            roles.push(role);
        }
    }
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { "<none>".into() } else { roles.join(",") }
}

fn address(node: &Value, kind: &str) -> Value {
    let found = node["status"]["addresses"].items().iter().find(|a| a["type"].str() == kind);
    Value::from(found.map_or("<none>", |a| a["address"].str()))
}

struct Node;

impl Hooks for Node {
    fn default(&self, object: &mut Value) {
        mirror_cidrs(object.entry("spec"));
        let status = object.entry("status");
        for list in ["capacity", "allocatable"] {
            if let Some(list) = status.get_mut(list) {
                round_quantities(list);
            }
        }
        if !status["capacity"].is_null() && status["allocatable"].is_null() {
            let capacity = status["capacity"].clone();
            status.set("allocatable", capacity);
        }
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        drop_config(object, &Value::Null);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        drop_config(object, old);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        rules::validate(object, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        rules::validate(object, errs);
        rules::validate_change(object, old, errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, out: &mut Vec<String>) {
        let spec = &object["spec"];
        if !spec["configSource"].is_null() {
            out.push("spec.configSource: the feature is removed".into());
        }
        if !spec["externalID"].is_empty() {
            out.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".into());
        }
        for (i, cidr) in spec["podCIDRs"].items().iter().enumerate() {
            ip::warn_cidr(cidr.str(), &Path::new("spec").child("podCIDRs").index(i), out);
        }
    }
}

/// podCIDR is the first of podCIDRs, and wins over them.
fn mirror_cidrs(spec: &mut Value) {
    let own = spec["podCIDR"].clone();
    let first = spec["podCIDRs"].items().first().cloned();
    if !own.is_empty() && first.as_ref() != Some(&own) {
        spec.set("podCIDRs", Value::Array(vec![own]));
    } else if let Some(first) = first.filter(|_| own.is_empty()) {
        spec.set("podCIDR", first);
    }
}

/// Fields of a feature of the past, for nodes that do not use it.
fn drop_config(object: &mut Value, old: &Value) {
    for (part, field) in [("spec", "configSource"), ("status", "config")] {
        if old[part][field].is_null() {
            object.entry(part).remove(field);
        }
    }
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        Node.default(object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        drop_config(object, old);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        rules::validate_change(object, old, errs);
    }
}
