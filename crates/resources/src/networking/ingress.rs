//! Ingress: HTTP routes into the cluster.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "Ingress", "ingresses")
        .short_names(&["ing"])
        .storage_prefix("/registry/ingress")
        .storage_version_hash("39NQlfNR+bo=")
        .strategy(Strategy {
            generation: Generation::Spec,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(Ingress)
        .status(Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() }, IngressStatus);
    columns::with(descriptor, ingress_cells)
}

fn ingress_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        cells::name(object),
        cells::text_or(&spec["ingressClassName"], cells::NONE),
        hosts(spec["rules"].items()).into(),
        cells::load_balancer(&object["status"]["loadBalancer"]).into(),
        if spec["tls"].is_empty() { "80".into() } else { "80, 443".into() },
        cells::age(object, now),
    ]
}

/// The first three hosts; rules without one count only among those left out.
fn hosts(rules: &[Value]) -> String {
    let named = |rule: &Value| !rule["host"].is_empty();
    let list: Vec<&str> = rules.iter().filter(|r| named(r)).take(3).map(|r| r["host"].str()).collect();
    let third = rules.iter().enumerate().filter(|(_, r)| named(r)).nth(2).map(|(i, _)| i);
    match third {
        Some(i) if i + 1 < rules.len() => format!("{} + {} more...", list.join(","), rules.len() - 3),
        _ if list.is_empty() => "*".into(),
        _ => list.join(","),
    }
}

struct Ingress;

impl Hooks for Ingress {}

struct IngressStatus;

impl Hooks for IngressStatus {}
