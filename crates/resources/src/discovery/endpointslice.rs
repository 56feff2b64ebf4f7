//! EndpointSlice: some of the addresses behind a service.

use crate::rules::{immutable, ip, label_selector, port};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
        .storage_version_hash("qgS0xkrxYAI=")
        .strategy(Strategy { generation: Generation::Hooks, metadata: MetadataRules::WHOLE, ..Strategy::default() })
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

const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const TOPOLOGY_LABELS_MAX: usize = 16;
const HINTS_MAX: usize = 8;
const PORTS_MAX: usize = 20_000;

struct EndpointSlice;

impl Hooks for EndpointSlice {
    fn default(&self, object: &mut Value) {
        for port in object.get_mut("ports").map(Value::items_mut).unwrap_or_default() {
            port.set_default("name", "");
            port.set_default("protocol", "TCP");
        }
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        drop_topology(object, None);
    }

    /// The generation moves with the content that was sent and with the labels.
    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        let unchanged =
            ["addressType", "endpoints", "ports"].iter().all(|key| immutable::same(&object[*key], &old[*key]));
        if !unchanged || !immutable::same(&object["metadata"]["labels"], &old["metadata"]["labels"]) {
            let next = old["metadata"]["generation"].int().saturating_add(1);
            object.entry("metadata").set("generation", next);
        }
        drop_topology(object, Some(old));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate(object, None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate(object, Some(old), errs);
        immutable::validate(&object["addressType"], &old["addressType"], &Path::new("addressType"), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        let path = Path::new("endpoints");
        if object["addressType"].str() == "FQDN" {
            if old.is_none() {
                warnings.push("spec.addressType: FQDN endpoints are deprecated".into());
            }
            return;
        }
        for (i, endpoint) in object["endpoints"].items().iter().enumerate() {
            for (j, address) in endpoint["addresses"].items().iter().enumerate() {
                ip::warn(address.str(), &path.index(i).child("addresses").index(j), warnings);
            }
        }
    }
}

/// The older form's map of topology labels is kept only where it was stored already.
fn drop_topology(object: &mut Value, old: Option<&Value>) {
    let stored = |old: &Value| old["endpoints"].items().iter().any(|e| !e["deprecatedTopology"].is_null());
    if old.is_some_and(stored) {
        return;
    }
    for endpoint in object.get_mut("endpoints").map(Value::items_mut).unwrap_or_default() {
        endpoint.remove("deprecatedTopology");
    }
}

fn validate(object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let address_type = object["addressType"].str();
    match address_type {
        "" => errs.required(&Path::new("addressType"), ""),
        other if !ADDRESS_TYPES.contains(&other) => {
            errs.not_supported(&Path::new("addressType"), other, ADDRESS_TYPES);
        }
        _ => {}
    }
    validate_ports(object["ports"].items(), &Path::new("ports"), errs);
    let unchanged = old.is_some_and(|old| {
        immutable::same(&object["endpoints"], &old["endpoints"]) && object["addressType"] == old["addressType"]
    });
    if !unchanged {
        validate_endpoints(object, address_type, errs);
    }
}

fn validate_endpoints(object: &Value, address_type: &str, errs: &mut ErrorList) {
    let path = Path::new("endpoints");
    let endpoints = object["endpoints"].items();
    if endpoints.len() > ENDPOINTS_MAX {
        errs.too_many(&path, endpoints.len(), ENDPOINTS_MAX);
        return;
    }
    for (i, endpoint) in endpoints.iter().enumerate() {
        let at = path.index(i);
        let addresses = endpoint["addresses"].items();
        let addresses_path = at.child("addresses");
        if addresses.is_empty() {
            errs.required(&addresses_path, "must contain at least 1 address");
        } else if addresses.len() > ADDRESSES_MAX {
            errs.too_many(&addresses_path, addresses.len(), ADDRESSES_MAX);
        }
        for (j, address) in addresses.iter().enumerate() {
            validate_address(address.str(), address_type, &addresses_path.index(j), errs);
        }
        if let Some(node) = endpoint["nodeName"].as_str() {
            errs.invalid_each(&at.child("nodeName"), node, name::dns1123_subdomain(node));
        }
        let topology = &endpoint["deprecatedTopology"];
        let topology_path = at.child("deprecatedTopology");
        if topology.entries().len() > TOPOLOGY_LABELS_MAX {
            errs.too_many(&topology_path, topology.entries().len(), TOPOLOGY_LABELS_MAX);
        }
        label_selector::validate_labels(topology, &topology_path, errs);
        if let Some(host) = endpoint["hostname"].as_str() {
            errs.invalid_each(&at.child("hostname"), host, name::dns1123_label(host));
        }
        let hints = at.child("hints");
        validate_hints(&endpoint["hints"]["forZones"], &hints.child("forZones"), name::label_value, errs);
        validate_hints(&endpoint["hints"]["forNodes"], &hints.child("forNodes"), name::dns1123_subdomain, errs);
    }
}

fn validate_address(address: &str, address_type: &str, path: &Path, errs: &mut ErrorList) {
    let before = errs.len();
    match address_type {
        "IPv4" | "IPv6" => {
            if address_type == "IPv4" {
                ip::validate_legacy(address, &[], path, errs);
            } else {
                ip::validate_canonical(address, path, errs);
            }
            if errs.len() > before {
                return;
            }
            let is_v6 = ip::parse_sloppy(address).is_some_and(ip::is_v6);
            if is_v6 != (address_type == "IPv6") {
                errs.invalid(path, address, &format!("must be an {address_type} address"));
                return;
            }
            ip::validate_not_special(address, path, errs);
        }
        "FQDN" => validate_domain(address, path, errs),
        _ => {}
    }
}

/// A subdomain of at least two labels, with or without a dot at the end
/// (upstream: IsFullyQualifiedDomainName).
fn validate_domain(domain: &str, path: &Path, errs: &mut ErrorList) {
    if domain.is_empty() {
        errs.required(path, "");
        return;
    }
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let wrong = name::dns1123_subdomain(domain);
    if !wrong.is_empty() {
        errs.invalid(path, domain, &wrong.join(","));
        return;
    }
    if !domain.contains('.') {
        errs.invalid(path, domain, "should be a domain with at least two segments separated by dots");
        return;
    }
    for label in domain.split('.') {
        let wrong = name::dns1123_label(label);
        if !wrong.is_empty() {
            errs.invalid(path, label, &wrong.join(","));
            return;
        }
    }
}

fn validate_hints(hints: &Value, path: &Path, check: fn(&str) -> Vec<String>, errs: &mut ErrorList) {
    let hints = hints.items();
    if hints.len() > HINTS_MAX {
        errs.too_many(path, hints.len(), HINTS_MAX);
        return;
    }
    for (i, hint) in hints.iter().enumerate() {
        let at = path.index(i).child("name");
        let hint_name = hint["name"].str();
        if hints.iter().take(i).any(|h| h["name"].str() == hint_name) {
            errs.duplicate(&at, hint_name);
        }
        errs.invalid_each(&at, hint_name, check(hint_name));
    }
}

fn validate_ports(ports: &[Value], path: &Path, errs: &mut ErrorList) {
    if ports.len() > PORTS_MAX {
        errs.too_many(path, ports.len(), PORTS_MAX);
        return;
    }
    for (i, item) in ports.iter().enumerate() {
        let at = path.index(i);
        let port_name = item["name"].str();
        if !port_name.is_empty() {
            errs.invalid_each(&at.child("name"), port_name, name::dns1123_label(port_name));
        }
        if ports.iter().take(i).any(|p| p["name"].str() == port_name) {
            errs.duplicate(&at.child("name"), port_name);
        }
        match item["protocol"].as_str() {
            None => errs.required(&at.child("protocol"), ""),
            Some(protocol) if !port::PROTOCOLS.contains(&protocol) => {
                errs.not_supported(&at.child("protocol"), protocol, port::PROTOCOLS);
            }
            _ => {}
        }
        if let Some(protocol) = item["appProtocol"].as_str() {
            errs.invalid_each(&at.child("appProtocol"), protocol, name::qualified_name(protocol));
        }
    }
}
