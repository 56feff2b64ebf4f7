//! `pods/{name}/proxy`, `/log`, `/exec`, `/attach` and `/portforward`

use super::kubelet;
use super::name::{ProxyName, default_port};
use meta::field::{ErrorList, Path, Shown};
use meta::{Result, Status, Str, Value};
use resource::{Connect, Context, Location, Stream, Target};
use std::net::IpAddr;

pub struct PodProxy;
/// With the types of kubelets' addresses, preferred ones first.
pub struct PodLog(pub Vec<Str>);

/// exec, attach and portforward.
pub struct PodStream {
    pub kind: StreamKind,
    /// As [`PodLog`]'s.
    pub address_types: Vec<Str>,
}

/// They differ in the kubelet's path only.
pub enum StreamKind {
    Exec,
    Attach,
    PortForward,
}

fn find(ctx: &Context, name: &str) -> Result<Value> {
    let missing = || Status::not_found("", "pods", name);
    ctx.reader.get("", "pods", ctx.namespace, name).ok_or_else(missing)
}

impl Connect for PodProxy {
    fn stream(&self) -> Stream {
        Stream::Proxy
    }

    /// Without a port the first one that a container declares.
    fn locate(&self, ctx: &Context, target: &Target) -> Result<Option<Location>> {
        let asked = ProxyName::parse(target.name, "pod")?;
        let pod = find(ctx, asked.name)?;
        let declared = pod["spec"]["containers"].items().iter().flat_map(|c| c["ports"].items());
        let first = declared.into_iter().map(|port| port["containerPort"].int()).next();
        let port = match (asked.port, first) {
            ("", Some(port)) => u16::try_from(port).ok(),
            ("", None) => Some(default_port(asked.transport)),
            (port, _) => port.parse().ok(),
        };
        let host = pod["status"]["podIPs"][0]["ip"].str();
        if !host.parse().is_ok_and(is_global_unicast) {
            return Err(Status::bad_request("address not allowed"));
        }
        let bad = || Status::bad_request(format!("invalid pod request {}", meta::field::quote(target.name)));
        Ok(Some(Location {
            transport: asked.transport,
            host: host.to_string(),
            port: port.ok_or_else(bad)?,
            path: String::new(),
            query: String::new(),
        }))
    }
}

/// Go's IsGlobalUnicast: private addresses count, loopback and link-local ones do not. Keeps a pod that writes its own
/// status from pointing the server at itself.
pub fn is_global_unicast(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    };
    !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !link_local
}

impl Connect for PodLog {
    fn stream(&self) -> Stream {
        Stream::Log
    }

    fn locate(&self, ctx: &Context, target: &Target) -> Result<Option<Location>> {
        validate_log_options(target)?;
        let pod = find(ctx, target.name)?;
        let container = container(&pod, target)?;
        let node = pod["spec"]["nodeName"].str();
        if node.is_empty() {
            return Ok(None);
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in ["follow", "previous", "timestamps"] {
            if is_true(target.parameter(name)) {
                query.append_pair(name, "true");
            }
        }
        for name in ["sinceSeconds", "sinceTime", "tailLines", "limitBytes"] {
            if let Some(value) = target.parameter(name).filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        let location = kubelet::locate(ctx, node, &self.0)?;
        let path = format!("/containerLogs/{}/{}/{container}", ctx.namespace, target.name);
        Ok(Some(Location { path, query: query.finish(), ..location }))
    }
}

/// A boolean of a query: present counts, unless it says no.
fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
}

fn validate_log_options(target: &Target) -> Result<()> {
    let mut errs = ErrorList::new();
    let number = |name: &str| target.parameter(name).and_then(|value| value.parse::<i64>().ok());
    if let Some(lines) = number("tailLines").filter(|lines| *lines < 0) {
        errs.invalid(&Path::new("tailLines"), lines, "must be greater than or equal to 0");
    }
    if let Some(bytes) = number("limitBytes").filter(|bytes| *bytes < 1) {
        errs.invalid(&Path::new("limitBytes"), bytes, "must be greater than 0");
    }
    let since = |name: &str| target.parameter(name).is_some_and(|value| !value.is_empty());
    if since("sinceSeconds") && since("sinceTime") {
        // Upstream's path is a key of nothing.
        errs.forbidden(&Path::root().key(""), "at most one of `sinceTime` or `sinceSeconds` may be specified");
    } else if let Some(seconds) = number("sinceSeconds").filter(|seconds| *seconds < 1) {
        errs.invalid(&Path::new("sinceSeconds"), Shown(seconds.to_string()), "must be greater than 0");
    }
    if target.parameter("stream").is_some_and(|stream| stream != "All") {
        errs.forbidden(&Path::new("stream"), "may not be specified");
    }
    if errs.is_empty() { Ok(()) } else { Err(Status::invalid("", "PodLogOptions", target.name, errs)) }
}

/// The container that is asked for, or the only one.
fn container(pod: &Value, target: &Target) -> Result<String> {
    let fields = ["initContainers", "containers", "ephemeralContainers"];
    let names: Vec<&str> =
        fields.iter().flat_map(|field| pod["spec"][*field].items()).map(|c| c["name"].str()).collect();
    let pod_name = pod["metadata"]["name"].str();
    if let Some(asked) = target.parameter("container").filter(|name| !name.is_empty()) {
        if names.contains(&asked) {
            return Ok(asked.to_string());
        }
        return Err(Status::bad_request(format!("container {asked} is not valid for pod {pod_name}")));
    }
    match pod["spec"]["containers"].items() {
        [only] => Ok(only["name"].str().to_string()),
        _ => {
            let names = names.join(" ");
            let text = format!("a container name must be specified for pod {pod_name}, choose one of: [{names}]");
            Err(Status::bad_request(text))
        }
    }
}

impl Connect for PodStream {
    fn stream(&self) -> Stream {
        Stream::Upgrade
    }

    fn options(&self, target: &Target) -> Value {
        let all = |name: &str| {
            let values = target.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
            values.map(|value| value.parse::<i64>().map_or_else(|_| Value::from(value), Value::Int)).collect::<Vec<_>>()
        };
        let mut options = Value::object();
        if matches!(self.kind, StreamKind::PortForward) {
            options.set("ports", all("ports"));
            return options;
        }
        for name in ["stdin", "stdout", "stderr", "tty"] {
            if is_true(target.parameter(name)) {
                options.set(name, true);
            }
        }
        if let Some(container) = target.parameter("container").filter(|name| !name.is_empty()) {
            options.set("container", container);
        }
        if matches!(self.kind, StreamKind::Exec) {
            let words = target.query.iter().filter(|(key, _)| key == "command").map(|(_, word)| Value::from(word));
            options.set("command", words.collect::<Vec<Value>>());
        }
        options
    }

    fn locate(&self, ctx: &Context, target: &Target) -> Result<Option<Location>> {
        let pod = find(ctx, target.name)?;
        let (namespace, name) = (ctx.namespace, target.name);
        let path = match self.kind {
            StreamKind::Exec => format!("/exec/{namespace}/{name}/{}", container(&pod, target)?),
            StreamKind::Attach => format!("/attach/{namespace}/{name}/{}", container(&pod, target)?),
            StreamKind::PortForward => format!("/portForward/{namespace}/{name}"),
        };
        let node = pod["spec"]["nodeName"].str();
        if node.is_empty() {
            return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
        }
        let location = kubelet::locate(ctx, node, &self.address_types)?;
        Ok(Some(Location { path, query: stream_query(target), ..location }))
    }
}

/// The kubelet's parameters have other names than the API's.
fn stream_query(target: &Target) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (ours, kubelets) in [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")] {
        if is_true(target.parameter(ours)) {
            query.append_pair(kubelets, "1");
        }
    }
    for (name, value) in target.query {
        if name == "command" {
            query.append_pair("command", value);
        }
    }
    let ports: Vec<&str> = target.query.iter().filter(|(name, _)| name == "ports").map(|(_, p)| p.as_str()).collect();
    if !ports.is_empty() {
        query.append_pair("port", &ports.join(","));
    }
    query.finish()
}
