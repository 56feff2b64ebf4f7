//! Streams to nodes, pods and services: one client connection for each request, bytes passed on as they come, upgraded
//! connections (SPDY, WebSocket) tunnelled. Where to go is decided by the resource ([`resource::Connect`]).

mod dial;
mod headers;
mod links;
mod page;

pub use dial::{Dialer, KubeletTrust};

use crate::admit::Admission;
use crate::aggregate::Backend;
use crate::audit::Trail;
use crate::authorize::Authorized;
use crate::body::{Body, BoxError};
use crate::judge::Opinions;
use crate::route::Route;
use crate::server::{Server, StoreReader};
use crate::warnings::Warnings;
use admission::Operation;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use meta::{Reason, Result, Status, Value};
use page::Page;
use resource::{Connect, Context, Location, Stream, Target, User};
use std::time::Duration;

/// A backend must begin its answer within this time; how long the answer then takes is its own affair.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Of an error that a kubelet explains, this much is passed on.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// How to connect to a backend.
enum Via<'a> {
    Dialer(&'a Dialer),
    Known(&'a Backend),
}

/// A request on its way to a backend.
struct Forward<'a> {
    via: Via<'a>,
    stream: Stream,
    location: Location,
    /// Who the sender is, where the backend believes this server.
    sender: Option<&'a HeaderMap>,
    /// The path up to and with the subresource, no slash at its end: what links in answers must begin with.
    prefix: &'a str,
    /// What follows the prefix: "" or a path with its slash.
    rest: &'a str,
}

/// Connects the sender to what the path names.
pub async fn answer<B>(
    server: &Server,
    route: &Route,
    authorized: &Authorized,
    connect: &dyn Connect,
    head: &Parts,
    body: B,
    warnings: &Warnings,
) -> Result<Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let user: &User = authorized.authenticated.user();
    let query = form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes()).into_owned().collect::<Vec<_>>();
    let target = Target { name: &route.info.name, query: &query };
    // Upstream reads a log as it reads objects.
    if connect.stream() != Stream::Log {
        admit(server, route, user, connect, &target, warnings).await?;
    }
    let Some(location) = locate(server, route, user, connect, &target)? else {
        let mut nothing = Response::new(Body::empty());
        *nothing.status_mut() = StatusCode::NO_CONTENT;
        return Ok(nothing);
    };
    let (prefix, rest) = split_rest(head.uri.path(), &route.info.rest);
    let via = Via::Dialer(&server.dialer);
    let to = Forward { via, stream: connect.stream(), location, sender: None, prefix, rest };
    forward(to, head, body).await
}

/// What the cluster's policy says to the connection.
async fn admit(
    server: &Server,
    route: &Route,
    user: &User,
    connect: &dyn Connect,
    target: &Target<'_>,
    warnings: &Warnings,
) -> Result<()> {
    if target.query.iter().any(|(key, _)| key == "dryRun") {
        return Err(Status::bad_request("dryRun is not supported"));
    }
    let info = &route.info;
    let kind = route.part.as_ref().map(|part| part.kind.clone()).unwrap_or_default();
    let mut options = connect.options(target);
    options.set("apiVersion", kind.api_version());
    options.set("kind", &kind.kind);
    if connect.stream() == Stream::Proxy && !info.rest.is_empty() {
        options.set("path", &info.rest);
    }
    let admission = Admission {
        server,
        resources: &route.resources,
        user,
        operation: Operation::Connect,
        group: &info.group,
        version: &info.version,
        resource: &info.resource,
        subresource: &info.subresource,
        namespace: &info.namespace,
        name: &info.name,
        kind: &kind,
        old: None,
        options: &Value::Null,
        dry_run: false,
        now: meta::time::Timestamp::now(),
        warnings,
        opinions: Opinions::default(),
    };
    admission.mutate(&mut options).await?;
    admission.validate(&options).await
}

/// Passes a request on as it is to a server that believes this one who the sender is.
pub async fn relay<B>(backend: &Backend, sender: &HeaderMap, head: &Parts, body: B) -> Result<Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let location = backend.location.clone();
    let (via, rest) = (Via::Known(backend), head.uri.path());
    forward(Forward { via, stream: Stream::Proxy, location, sender: Some(sender), prefix: "", rest }, head, body).await
}

/// The path as it was sent, cut where what is proxied begins; `decoded_rest` is that part decoded. What is proxied is
/// passed on as it was encoded.
fn split_rest<'a>(path: &'a str, decoded_rest: &str) -> (&'a str, &'a str) {
    let mut from_end = decoded_rest.matches('/').count();
    let cut = path.char_indices().rev().find(|(_, c)| {
        from_end -= usize::from(*c == '/' && from_end > 0);
        *c == '/' && from_end == 0
    });
    match cut {
        Some((at, _)) if !decoded_rest.is_empty() => path.split_at(at),
        _ => (path, ""),
    }
}

fn locate(
    server: &Server,
    route: &Route,
    user: &User,
    connect: &dyn Connect,
    target: &Target,
) -> Result<Option<Location>> {
    let reader = StoreReader { resources: &route.resources, store: &server.store };
    let ctx = Context {
        user,
        now: meta::time::Timestamp::now(),
        dry_run: false,
        namespace: &route.info.namespace,
        subresource: &route.info.subresource,
        reader: &reader,
    };
    connect.locate(&ctx, target)
}

async fn forward<B>(to: Forward<'_>, head: &Parts, body: B) -> Result<Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let upgrade = headers::is_upgrade(&head.headers);
    if to.stream == Stream::Upgrade && !upgrade {
        return Err(Status::bad_request("Upgrade request required"));
    }
    if to.stream == Stream::Proxy && to.rest.is_empty() && !upgrade {
        return Ok(redirect_to_directory(head));
    }
    let outgoing = outgoing(&to, head)?;
    if upgrade { tunnel(&to, outgoing, head).await } else { pass(&to, outgoing, body).await }
}

/// Relative links need a directory to be relative to.
fn redirect_to_directory(head: &Parts) -> Response<Body> {
    let query = head.uri.query().map_or(String::new(), |query| format!("?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = HeaderValue::from_str(&format!("{}/{query}", head.uri.path())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The head of the request as the backend gets it.
fn outgoing(to: &Forward, head: &Parts) -> Result<http::request::Builder> {
    let location = &to.location;
    let (path, query) = match to.stream {
        Stream::Proxy => (to.rest, head.uri.query().unwrap_or("")),
        Stream::Upgrade | Stream::Log => (location.path.as_str(), location.query.as_str()),
    };
    let path = if path.is_empty() { "/" } else { path };
    let target = if query.is_empty() { path.to_string() } else { format!("{path}?{query}") };
    let mut builder = Request::builder().method(head.method.clone()).uri(target);
    if let Some(headers) = builder.headers_mut() {
        *headers = headers::passed_on(&head.headers);
        headers::add_forwarded(headers, head, to.prefix, to.rest);
        headers.extend(to.sender.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        let host = if location.host.contains(':') { format!("[{}]", location.host) } else { location.host.clone() };
        let host = HeaderValue::from_str(&format!("{host}:{}", location.port));
        headers.insert(header::HOST, host.map_err(|_| Status::bad_request("invalid host"))?);
    }
    Ok(builder)
}

async fn send<B>(to: &Forward<'_>, request: Request<B>) -> Result<Response<Incoming>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let dialed = match &to.via {
        Via::Dialer(dialer) => dialer.dial(&to.location).await,
        Via::Known(backend) => dial::dial_known(backend).await,
    };
    let io = dialed.map_err(unreachable)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(io)).await;
    let (mut sender, connection) = handshake.map_err(unreachable)?;
    // Ends by itself when the answer has been read, or the upgraded streams are closed.
    tokio::spawn(connection.with_upgrades());
    match tokio::time::timeout(ANSWER_TIME_MAX, sender.send_request(request)).await {
        Ok(answer) => answer.map_err(unreachable),
        Err(_) => Err(unreachable("no answer in time")),
    }
}

/// 503 in upstream's words.
fn unreachable(why: impl std::fmt::Display) -> Status {
    Status::failure(503, Reason::ServiceUnavailable, format!("error trying to reach service: {why}"))
}

async fn pass<B>(to: &Forward<'_>, outgoing: http::request::Builder, body: B) -> Result<Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let outgoing = outgoing.body(Box::pin(body)).map_err(unreachable)?;
    let answer = send(to, outgoing).await?;
    if to.stream == Stream::Log && !answer.status().is_success() {
        return Err(refused_log(answer).await);
    }
    Ok(passed_back(to, answer))
}

fn passed_back(to: &Forward<'_>, answer: Response<Incoming>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    headers::prepare_answer(&mut parts.headers, &to.location, to.prefix);
    let body = if to.stream == Stream::Proxy { linked(to, &mut parts.headers, body) } else { untouched(body) };
    Response::from_parts(parts, Body::Passed(body))
}

fn untouched(body: Incoming) -> UnsyncBoxBody<Bytes, BoxError> {
    body.map_err(BoxError::from).boxed_unsync()
}

/// A page whose links lead through the proxy; anything else as it is.
fn linked(to: &Forward, headers: &mut HeaderMap, body: Incoming) -> UnsyncBoxBody<Bytes, BoxError> {
    let (location, prefix) = (to.location.clone(), to.prefix.to_owned());
    match Page::of(headers, body, move |url: &str| headers::within(url, &location, &prefix)) {
        Ok(page) => page.boxed_unsync(),
        Err(body) => untouched(body),
    }
}

/// What a kubelet says when it has no log.
async fn refused_log(answer: Response<Incoming>) -> Status {
    let status = answer.status();
    let text = match http_body_util::Limited::new(answer.into_body(), REFUSAL_BYTES_MAX).collect().await {
        Ok(whole) => String::from_utf8_lossy(&whole.to_bytes()).into_owned(),
        Err(_) => String::new(),
    };
    let reason = if status == StatusCode::NOT_FOUND { Reason::NotFound } else { Reason::BadRequest };
    Status::failure(status.as_u16(), reason, text)
}

/// Both sides switch protocols; from then on bytes are copied both ways until one side closes.
async fn tunnel(to: &Forward<'_>, mut outgoing: http::request::Builder, head: &Parts) -> Result<Response<Body>> {
    if let Some(headers) = outgoing.headers_mut() {
        headers::keep_upgrade(headers, &head.headers);
    }
    let outgoing = outgoing.body(http_body_util::Empty::<Bytes>::new()).map_err(unreachable)?;
    let answer = send(to, outgoing).await?;
    let Some(client) = head.extensions.get::<OnUpgrade>().cloned() else { return Ok(passed_back(to, answer)) };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(passed_back(to, answer));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = answer.headers().clone();
    let backend = hyper::upgrade::on(answer);
    let trail = head.extensions.get::<Trail>().cloned();
    tokio::spawn(async move {
        if let (Ok(client), Ok(backend)) = (client.await, backend.await) {
            // An error here is one side going away, which ends the stream as it should.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(backend)).await;
        }
        drop(trail);
    });
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::split_rest;

    #[test]
    fn what_is_proxied_keeps_its_encoding() {
        assert_eq!(split_rest("/p/proxy/a%20b/c", "/a b/c"), ("/p/proxy", "/a%20b/c"));
        assert_eq!(split_rest("/p/proxy/", "/"), ("/p/proxy", "/"));
        assert_eq!(split_rest("/p/proxy", ""), ("/p/proxy", ""));
    }
}
