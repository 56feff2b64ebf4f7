//! Service: a name and addresses for a set of pods.

use crate::{cells, columns};
use meta::{Gvk, Value};
use resource::{Descriptor, Hooks, NameRule, Strategy, SubresourceKind, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Service", "services")
        .short_names(&["svc"])
        .categories(&["all"])
        .storage_prefix("/registry/services/specs")
        .storage_version_hash("0/CO1lhkEBI=")
        .strategy(Strategy {
            create_on_update: true,
            delete_returns_object: true,
            name: NameRule::Hooks,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .select_field("spec.clusterIP")
        .select_field("spec.type")
        .hooks(Service)
        .with_subresource(
            "proxy",
            Gvk::new("", "v1", "ServiceProxyOptions"),
            PROXY_VERBS,
            SubresourceKind::Connect("proxy"),
        )
        .status(Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() }, ServiceStatus);
    columns::with(descriptor, service_cells)
}

fn service_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = spec["ports"].items().iter().map(port_text).collect();
    vec![
        cells::name(object),
        spec["type"].str().into(),
        cells::text_or(&spec["clusterIPs"][0], cells::NONE),
        external_ip(object).into(),
        if ports.is_empty() { cells::NONE.into() } else { ports.join(",").into() },
        cells::age(object, now),
        cells::labels_text(&spec["selector"]).into(),
    ]
}

fn port_text(port: &Value) -> String {
    let (number, protocol) = (port["port"].int(), port["protocol"].str());
    match port["nodePort"].int() {
        0 => format!("{number}/{protocol}"),
        node_port => format!("{number}:{node_port}/{protocol}"),
    }
}

fn external_ip(object: &Value) -> String {
    let spec = &object["spec"];
    let external = cells::joined(spec["externalIPs"].items());
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_string() } else { text };
    match spec["type"].str() {
        "ClusterIP" | "NodePort" => or(external, cells::NONE),
        "LoadBalancer" => match (cells::load_balancer(&object["status"]["loadBalancer"]), external.is_empty()) {
            (addresses, true) => or(addresses, "<pending>"),
            (addresses, false) if addresses.is_empty() => external,
            (addresses, false) => format!("{addresses},{external}"),
        },
        "ExternalName" => spec["externalName"].str().into(),
        _ => cells::UNKNOWN.into(),
    }
}

const PROXY_VERBS: &[Verb] = &[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update];

struct Service;

impl Hooks for Service {}

struct ServiceStatus;

impl Hooks for ServiceStatus {}
