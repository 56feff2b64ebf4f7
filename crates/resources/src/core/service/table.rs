//! A Service as a table row.

use crate::cells;
use meta::Value;

pub fn cells(object: &Value, now: i64) -> Vec<Value> {
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
