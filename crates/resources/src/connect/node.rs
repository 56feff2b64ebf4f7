//! `nodes/{[scheme:]name[:port]}/proxy`

use super::kubelet;
use super::name::{ProxyName, default_port};
use meta::{Result, Status, Str};
use resource::{Connect, Context, Location, Stream, Target};

/// With the types of kubelets' addresses, preferred ones first.
pub struct NodeProxy(pub Vec<Str>);

impl Connect for NodeProxy {
    fn stream(&self) -> Stream {
        Stream::Proxy
    }

    /// Without a port, or with the kubelet's own, the kubelet; else whatever listens on the node.
    fn locate(&self, ctx: &Context, target: &Target) -> Result<Option<Location>> {
        let asked = ProxyName::parse(target.name, "node")?;
        let kubelet = kubelet::locate(ctx, asked.name, &self.0)?;
        if asked.port.is_empty() || asked.port == kubelet.port.to_string() {
            return Ok(Some(kubelet));
        }
        let port = if asked.port.is_empty() { Ok(default_port(asked.transport)) } else { asked.port.parse() };
        let bad = |_| Status::bad_request(format!("invalid node request {}", meta::field::quote(target.name)));
        Ok(Some(Location { transport: asked.transport, port: port.map_err(bad)?, ..kubelet }))
    }
}
