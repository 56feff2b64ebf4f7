//! `services/{[scheme:]name[:port]}/proxy`: one of the service's ready endpoints.

use super::name::ProxyName;
use super::pod::is_global_unicast;
use meta::{Reason, Result, Status, Value};
use resource::{Connect, Context, Location, Stream, Target, Transport};

pub struct ServiceProxy;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl Connect for ServiceProxy {
    fn stream(&self) -> Stream {
        Stream::Proxy
    }

    fn locate(&self, ctx: &Context, target: &Target) -> Result<Option<Location>> {
        let asked = ProxyName::parse(target.name, "service")?;
        let missing = || Status::not_found("", "services", asked.name);
        let service = ctx.reader.get("", "services", ctx.namespace, asked.name).ok_or_else(missing)?;
        let port_name = port_name(&service, &asked)?;
        let slices = ctx.reader.list("discovery.k8s.io", "endpointslices", ctx.namespace);
        let mine: Vec<&Value> =
            slices.iter().filter(|slice| slice["metadata"]["labels"][SERVICE_NAME].str() == asked.name).collect();
        if mine.is_empty() {
            return Err(missing());
        }
        let mut candidates: Vec<(&str, u16)> = mine.iter().flat_map(|slice| ready(slice, &port_name)).collect();
        candidates.sort_unstable();
        // Any will do; the clock spreads requests over them.
        let turn = ctx.now.nanos as usize / 1000;
        let Some((host, port)) = candidates.get(turn % candidates.len().max(1)) else {
            let text = format!("no endpoints available for service {}", meta::field::quote(target.name));
            return Err(Status::failure(503, Reason::ServiceUnavailable, text));
        };
        if !host.parse().is_ok_and(is_global_unicast) {
            return Err(Status::bad_request("address not allowed"));
        }
        let transport = asked.transport;
        Ok(Some(location(transport, host, *port)))
    }
}

fn location(transport: Transport, host: &str, port: u16) -> Location {
    Location { transport, host: host.to_string(), port, path: String::new(), query: String::new() }
}

/// Endpoints know ports by name, so a number is looked up in the service.
fn port_name(service: &Value, asked: &ProxyName) -> Result<String> {
    let Ok(number) = asked.port.parse::<i64>() else { return Ok(asked.port.to_string()) };
    let found = service["spec"]["ports"].items().iter().find(|port| port["port"].int() == number);
    found.map(|port| port["name"].str().to_string()).ok_or_else(|| {
        let text = format!("no service port {number} found for service {}", meta::field::quote(asked.name));
        Status::failure(503, Reason::ServiceUnavailable, text)
    })
}

/// The ready addresses of a slice with the number of the port of that name.
fn ready<'a>(slice: &'a Value, port_name: &str) -> Vec<(&'a str, u16)> {
    let mut ports = slice["ports"].items().iter().filter(|port| port["name"].str() == port_name);
    let Some(port) = ports.next().and_then(|port| u16::try_from(port["port"].int()).ok()) else { return Vec::new() };
    let endpoints = slice["endpoints"].items().iter();
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"].as_bool() != Some(false));
    ready.filter_map(|endpoint| Some((endpoint["addresses"][0].as_str()?, port))).collect()
}
