//! Where a node's kubelet listens.

use meta::{Result, Status, Value};
use resource::{Context, Location, Transport};

/// kube-apiserver's --kubelet-preferred-address-types.
const ADDRESS_TYPES: &[&str] = &["Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"];
const PORT_DEFAULT: u16 = 10250;

/// The kubelet of a node, with no path yet.
pub fn locate(ctx: &Context, node_name: &str) -> Result<Location> {
    let missing = || Status::not_found("", "nodes", node_name);
    let node = ctx.reader.get("", "nodes", "", node_name).ok_or_else(missing)?;
    let port = u16::try_from(node.path("status.daemonEndpoints.kubeletEndpoint.Port").int()).unwrap_or(0);
    Ok(Location {
        transport: Transport::Kubelet,
        host: address(&node)?.to_string(),
        port: if port == 0 { PORT_DEFAULT } else { port },
        path: String::new(),
        query: String::new(),
    })
}

/// The node's address of the type that is preferred most.
fn address(node: &Value) -> Result<&str> {
    let addresses = node["status"]["addresses"].items();
    let of_type = |kind: &&str| addresses.iter().find(|a| a["type"].str() == *kind).map(|a| a["address"].str());
    let mut known = ADDRESS_TYPES.iter().filter_map(of_type);
    known.next().ok_or_else(|| {
        let types = ADDRESS_TYPES.join(" ");
        Status::internal(format!("no preferred addresses found; known addresses: []; preferred types: [{types}]"))
    })
}
