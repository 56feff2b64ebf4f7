//! Endpoints: the addresses behind a service, in the older form.

use crate::rules::{immutable, ip, port};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Endpoints", "endpoints")
        .short_names(&["ep"])
        .storage_prefix("/registry/services/endpoints")
        .storage_version_hash("fWeeMqaN/OA=")
        .strategy(Strategy {
            create_on_update: true,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
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

impl Hooks for Endpoints {
    fn default(&self, object: &mut Value) {
        for subset in object.get_mut("subsets").map(Value::items_mut).unwrap_or_default() {
            for port in subset.get_mut("ports").map(Value::items_mut).unwrap_or_default() {
                if port["protocol"].is_empty() {
                    port.set("protocol", "TCP");
                }
            }
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let path = Path::new("subsets");
        for (i, subset) in object["subsets"].items().iter().enumerate() {
            validate_subset(subset, &path.index(i), errs);
        }
    }

    /// Subsets that did not change are not judged again.
    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        if !immutable::same(&object["subsets"], &old["subsets"]) {
            self.validate(ctx, object, errs);
        }
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        let path = Path::new("subsets");
        for (i, subset) in object["subsets"].items().iter().enumerate() {
            for list in ["addresses", "notReadyAddresses"] {
                for (j, address) in subset[list].items().iter().enumerate() {
                    ip::warn(address["ip"].str(), &path.index(i).child(list).index(j).child("ip"), warnings);
                }
            }
        }
    }
}

fn validate_subset(subset: &Value, path: &Path, errs: &mut ErrorList) {
    if subset["addresses"].is_empty() && subset["notReadyAddresses"].is_empty() {
        errs.required(path, "must specify `addresses` or `notReadyAddresses`");
    }
    for list in ["addresses", "notReadyAddresses"] {
        for (i, address) in subset[list].items().iter().enumerate() {
            validate_address(address, &path.child(list).index(i), errs);
        }
    }
    let ports = subset["ports"].items();
    for (i, item) in ports.iter().enumerate() {
        let at = path.child("ports").index(i);
        match item["name"].str() {
            "" if ports.len() > 1 => errs.required(&at.child("name"), ""),
            "" => {}
            port_name => errs.invalid_each(&at.child("name"), port_name, name::dns1123_label(port_name)),
        }
        port::validate_number(item["port"].int(), &at.child("port"), errs);
        port::validate_protocol(item["protocol"].str(), &at.child("protocol"), errs);
        if let Some(protocol) = item["appProtocol"].as_str() {
            errs.invalid_each(&at.child("appProtocol"), protocol, name::qualified_name(protocol));
        }
    }
}

fn validate_address(address: &Value, path: &Path, errs: &mut ErrorList) {
    let ip = address["ip"].str();
    ip::validate_legacy(ip, &[], &path.child("ip"), errs);
    let host = address["hostname"].str();
    if !host.is_empty() {
        errs.invalid_each(&path.child("hostname"), host, name::dns1123_label(host));
    }
    if let Some(node) = address["nodeName"].as_str() {
        errs.invalid_each(&path.child("nodeName"), node, name::dns1123_subdomain(node));
    }
    ip::validate_not_special(ip, &path.child("ip"), errs);
}
