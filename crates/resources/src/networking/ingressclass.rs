//! IngressClass: which controller implements an Ingress.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "IngressClass", "ingressclasses")
        .cluster_scoped()
        .storage_version_hash("l/iqIbDgFyQ=")
        .strategy(Strategy { generation: Generation::Spec, ..Strategy::default() })
        .hooks(IngressClass);
    columns::with(descriptor, ingress_class_cells)
}

fn ingress_class_cells(object: &Value, now: i64) -> Vec<Value> {
    let parameters = &object["spec"]["parameters"];
    let text = match (parameters.is_null(), parameters["apiGroup"].as_str()) {
        (true, _) => cells::NONE.to_string(),
        (false, Some(group)) => format!("{}.{group}/{}", parameters["kind"].str(), parameters["name"].str()),
        (false, None) => format!("{}/{}", parameters["kind"].str(), parameters["name"].str()),
    };
    vec![cells::name(object), object["spec"]["controller"].str().into(), text.into(), cells::age(object, now)]
}

struct IngressClass;

impl Hooks for IngressClass {}
