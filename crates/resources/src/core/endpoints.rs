//! Endpoints: the addresses behind a service, in the older form.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Endpoints", "endpoints")
        .short_names(&["ep"])
        .storage_prefix("/registry/services/endpoints")
        .storage_version_hash("fWeeMqaN/OA=")
        .strategy(Strategy { create_on_update: true, ..Strategy::default() })
        .hooks(Endpoints)
        .deprecated("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), endpoints_text(&object["subsets"]).into(), cells::age(object, now)]
    })
}

/// The first three `address:port` of all subsets.
fn endpoints_text(subsets: &Value) -> String {
    let mut texts = Vec::new();
    for subset in subsets.items() {
        let addresses = || subset["addresses"].items().iter().map(|a| a["ip"].str());
        if subset["ports"].is_empty() {
            texts.extend(addresses().map(String::from));
        }
        for port in subset["ports"].items() {
            let number = port["port"].int();
            texts.extend(addresses().map(|ip| match ip.contains(':') {
                true => format!("[{ip}]:{number}"),
                false => format!("{ip}:{number}"),
            }));
        }
    }
    cells::first_three(&texts, if subsets.is_empty() { cells::NONE } else { "" })
}

struct Endpoints;

impl Hooks for Endpoints {}
