//! EndpointSlice: some of the addresses behind a service.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
        .storage_version_hash("qgS0xkrxYAI=")
        .strategy(Strategy { generation: Generation::Hooks, ..Strategy::default() })
        .hooks(EndpointSlice);
    columns::with(descriptor, slice_cells)
}

fn slice_cells(object: &Value, now: i64) -> Vec<Value> {
    let port_text = |port: &Value| match (port["port"].as_int(), port["name"].as_str()) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_string(),
        (None, None) => "*".to_string(),
    };
    let ports: Vec<String> = object["ports"].items().iter().map(port_text).collect();
    let addresses = object["endpoints"].items().iter().flat_map(|e| e["addresses"].items());
    let addresses: Vec<String> = addresses.map(|a| a.str().to_string()).collect();
    vec![
        cells::name(object),
        object["addressType"].str().into(),
        cells::first_three(&ports, cells::UNSET).into(),
        cells::first_three(&addresses, cells::UNSET).into(),
        cells::age(object, now),
    ]
}

struct EndpointSlice;

impl Hooks for EndpointSlice {}
