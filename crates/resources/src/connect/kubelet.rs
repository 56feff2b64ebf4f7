//! Where a node's kubelet listens.

use meta::{Result, Status, Str, Value};
use resource::{Context, Location, Transport};

const PORT_DEFAULT: u16 = 10250;

/// The kubelet of a node, with no path yet, at its first address of the types that are preferred most.
pub fn locate(ctx: &Context, node_name: &str, address_types: &[Str]) -> Result<Location> {
    let missing = || Status::not_found("", "nodes", node_name);
    let node = ctx.reader.get("", "nodes", "", node_name).ok_or_else(missing)?;
    let port = u16::try_from(node.path("status.daemonEndpoints.kubeletEndpoint.Port").int()).unwrap_or(0);
    Ok(Location {
        transport: Transport::Kubelet,
        host: address(&node, address_types)?.to_string(),
        port: if port == 0 { PORT_DEFAULT } else { port },
        path: String::new(),
        query: String::new(),
    })
}

fn address<'a>(node: &'a Value, types: &[Str]) -> Result<&'a str> {
    let addresses = node["status"]["addresses"].items();
    let of_type = |kind: &Str| addresses.iter().find(|a| a["type"].str() == kind.as_str()).map(|a| a["address"].str());
    types.iter().find_map(of_type).ok_or_else(|| {
        let known: Vec<String> =
            addresses.iter().map(|a| format!("{{{} {}}}", a["type"].str(), a["address"].str())).collect();
        Status::internal(format!("no preferred addresses found; known addresses: [{}]", known.join(" ")))
    })
}
