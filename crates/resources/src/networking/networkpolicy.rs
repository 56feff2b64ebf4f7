//! NetworkPolicy: who may talk to a set of pods.

use crate::rules::{ip, label_selector};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
        .short_names(&["netpol"])
        .storage_version_hash("YpfwF18m1G8=")
        .strategy(Strategy { generation: Generation::Spec, ..Strategy::default() })
        .hooks(NetworkPolicy);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::selector_cell(&object["spec"]["podSelector"]).into(), cells::age(object, now)]
    })
}

const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
const POLICY_TYPES: &[&str] = &["Ingress", "Egress"];

/// The directions: where the rules are, and where their peers.
const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

/// What an update may keep although it is wrong.
#[derive(Default)]
struct Leniency<'a> {
    selectors: bool,
    ranges: Vec<&'a str>,
}

struct NetworkPolicy;

impl Hooks for NetworkPolicy {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        for (direction, _) in DIRECTIONS {
            for rule in spec.get_mut(direction).map(Value::items_mut).unwrap_or_default() {
                for port in rule.get_mut("ports").map(Value::items_mut).unwrap_or_default() {
                    port.set_default("protocol", "TCP");
                }
            }
        }
        if spec["policyTypes"].is_empty() {
            let types = if spec["egress"].is_empty() { &POLICY_TYPES[..1] } else { POLICY_TYPES };
            spec.set("policyTypes", types.iter().map(Value::from).collect::<Vec<_>>());
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], &Leniency::default(), errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let mut found = ErrorList::new();
        label_selector::validate(&old["spec"]["podSelector"], false, &Path::root(), &mut found);
        let peers = DIRECTIONS.iter().flat_map(|(direction, peers)| {
            old["spec"][*direction].items().iter().flat_map(|rule| rule[*peers].items())
        });
        let blocks = peers.map(|peer| &peer["ipBlock"]).filter(|block| !block.is_null());
        let ranges = blocks.flat_map(|b| std::iter::once(&b["cidr"]).chain(b["except"].items())).map(Value::str);
        let leniency = Leniency { selectors: !found.is_empty(), ranges: ranges.collect() };
        validate_spec(&object["spec"], &leniency, errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        for (direction, peers) in DIRECTIONS {
            let rules = Path::new("spec").child(direction);
            for (i, rule) in object["spec"][direction].items().iter().enumerate() {
                for (j, peer) in rule[peers].items().iter().enumerate() {
                    let at = rules.index(i).child(peers).index(j).child("ipBlock");
                    ip::warn_cidr(peer["ipBlock"]["cidr"].str(), &at.child("cidr"), warnings);
                    for (k, except) in peer["ipBlock"]["except"].items().iter().enumerate() {
                        ip::warn_cidr(except.str(), &at.child("except").index(k), warnings);
                    }
                }
            }
        }
    }
}

fn validate_spec(spec: &Value, leniency: &Leniency, errs: &mut ErrorList) {
    let path = Path::new("spec");
    label_selector::validate(&spec["podSelector"], leniency.selectors, &path.child("podSelector"), errs);
    for (direction, peers) in DIRECTIONS {
        for (i, rule) in spec[direction].items().iter().enumerate() {
            let at = path.child(direction).index(i);
            for (j, port) in rule["ports"].items().iter().enumerate() {
                validate_port(port, &at.child("ports").index(j), errs);
            }
            for (j, peer) in rule[peers].items().iter().enumerate() {
                validate_peer(peer, leniency, &at.child(peers).index(j), errs);
            }
        }
    }
    let types = &spec["policyTypes"];
    if types.items().len() > 2 {
        errs.invalid(&path.child("policyTypes"), types, "may not specify more than two policyTypes");
        return;
    }
    for (i, policy_type) in types.items().iter().enumerate() {
        if !POLICY_TYPES.contains(&policy_type.str()) {
            errs.not_supported_in_order(&path.child("policyTypes").index(i), policy_type, POLICY_TYPES);
        }
    }
}

fn validate_port(port: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(protocol) = port["protocol"].as_str()
        && !PROTOCOLS.contains(&protocol)
    {
        errs.not_supported_in_order(&path.child("protocol"), protocol, PROTOCOLS);
    }
    let (end, end_path) = (port["endPort"].as_int(), path.child("endPort"));
    match (&port["port"], end) {
        (Value::Int(number), end) => {
            errs.invalid_each(&path.child("port"), *number, name::port_number(*number));
            if let Some(end) = end {
                if end < *number {
                    // upstream shows the port
                    errs.invalid(&end_path, *number, "must be greater than or equal to `port`");
                }
                errs.invalid_each(&end_path, end, name::port_number(end));
            }
        }
        (Value::String(text), end) => {
            if let Some(end) = end {
                errs.invalid(&end_path, end, "may not be specified when `port` is non-numeric");
            }
            errs.invalid_each(&path.child("port"), text, name::port_name(text));
        }
        (_, Some(end)) => errs.invalid(&end_path, end, "may not be specified when `port` is not specified"),
        (_, None) => {}
    }
}

fn validate_peer(peer: &Value, leniency: &Leniency, path: &Path, errs: &mut ErrorList) {
    let mut selectors = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if !peer[field].is_null() {
            selectors += 1;
            label_selector::validate(&peer[field], leniency.selectors, &path.child(field), errs);
        }
    }
    let block = &peer["ipBlock"];
    if !block.is_null() {
        validate_block(block, leniency, &path.child("ipBlock"), errs);
    }
    match (selectors, block.is_null()) {
        (0, true) => errs.required(path, "must specify a peer"),
        (0, false) | (_, true) => {}
        (_, false) => errs.forbidden(path, "may not specify both ipBlock and another peer"),
    }
}

fn validate_block(block: &Value, leniency: &Leniency, path: &Path, errs: &mut ErrorList) {
    let cidr = block["cidr"].str();
    if cidr.is_empty() {
        errs.required(&path.child("cidr"), "");
        return;
    }
    ip::validate_legacy_cidr(cidr, &leniency.ranges, &path.child("cidr"), errs);
    let Some((outer, outer_length)) = ip::parse_cidr_sloppy(cidr) else { return };
    for (i, except) in block["except"].items().iter().enumerate() {
        let at = path.child("except").index(i);
        ip::validate_legacy_cidr(except.str(), &leniency.ranges, &at, errs);
        let Some((inner, inner_length)) = ip::parse_cidr_sloppy(except.str()) else { continue };
        let contains = inner.is_ipv4() == outer.is_ipv4()
            && ip::masked(ip::masked(inner, inner_length), outer_length) == ip::masked(outer, outer_length);
        if !contains || outer_length >= inner_length {
            errs.invalid(&at, except, "must be a strict subset of `cidr`");
        }
    }
}
