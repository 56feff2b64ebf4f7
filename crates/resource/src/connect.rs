//! Subresources that are byte streams to somewhere else: proxy, log, exec, attach, portforward.

use crate::Context;
use meta::{Result, Value};

/// What travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Any HTTP request, its path and query passed on.
    Proxy,
    /// An upgraded connection only (SPDY or WebSocket); anything else is 400.
    Upgrade,
    /// One answer, streamed as text.
    Log,
}

/// How the other end is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Plain,
    /// TLS without verification: what runs in a cluster has certificates of its own making.
    Tls,
    /// TLS with the server's kubelet client certificate.
    Kubelet,
}

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    pub transport: Transport,
    /// A name or address, without brackets.
    pub host: String,
    /// 80 or 443 when nothing says otherwise.
    pub port: u16,
    /// Begins with a slash; "" for [`Stream::Proxy`] means that the request's own path goes on.
    pub path: String,
    /// Without "?"; used by streams other than [`Stream::Proxy`], which pass the request's own on.
    pub query: String,
}

/// What a request asks to be connected to.
pub struct Target<'a> {
    /// As it stands in the path: "web", "web:80", "https:web:443".
    pub name: &'a str,
    /// The query's pairs, decoded.
    pub query: &'a [(String, String)],
}

impl Target<'_> {
    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A subresource that connects. Pure: it reads the cluster through the context.
pub trait Connect: Send + Sync {
    fn stream(&self) -> Stream;

    /// What the query asks for, as the fields of the subresource's kind of options: admission sees it.
    fn options(&self, _target: &Target) -> Value {
        Value::object()
    }

    /// Where to; `None` when there is nothing to say yet (204).
    fn locate(&self, ctx: &Context, target: &Target) -> Result<Option<Location>>;
}
