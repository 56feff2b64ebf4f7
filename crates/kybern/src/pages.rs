//! Documents at paths that name no resource: the list of paths, health, version, discovery, OpenAPI.

mod accept;
mod cached;
mod openapi;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use meta::{Reason, Status, Value, value};
use serve::health::Health;
use serve::{Body, Pages, Resources, Server, refusal};

use crate::aggregate::Services;
use accept::Form;
use cached::Documents;

/// What the documents need beside the resources that are served.
pub struct Site {
    pub health: Arc<Health>,
    /// `host:port` as clients outside of the cluster reach this server.
    pub address: String,
    began: Instant,
    /// The document at `/flagz`.
    flags: String,
    services: Arc<Services>,
    documents: Mutex<Option<Known>>,
}

/// Documents, and what they were made of.
struct Known {
    resources: Arc<Resources>,
    services: Arc<Vec<publish::Service>>,
    documents: Arc<Documents>,
}

/// Paths that are listed at `/` beside those of groups and health checks.
const LISTED: &[&str] = &[
    "/.well-known/openid-configuration",
    "/api",
    "/api/v1",
    "/apis",
    "/apis/",
    "/flagz",
    "/metrics",
    "/metrics/slis",
    "/statusz",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/openid/v1/jwks",
    "/version",
];

/// Where priority and fairness can be looked at.
const DUMPS: &str = "/debug/api_priority_and_fairness/";

impl Site {
    pub fn new(
        health: Arc<Health>,
        address: String,
        services: Arc<Services>,
        flags: &[(&'static str, String)],
    ) -> Site {
        let lines: String = flags.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let flags = format!("kube-apiserver flagz\n\nFor people; the format may change.\n\n{lines}");
        Site { health, address, flags, services, began: Instant::now(), documents: Mutex::new(None) }
    }

    /// The documents of what is served now. They are made anew when that changes.
    fn documents(&self, server: &Server) -> Arc<Documents> {
        let (resources, services) = (server.registry.load(), self.services.load());
        let mut cached = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        match cached.as_ref() {
            Some(known) if Arc::ptr_eq(&known.resources, &resources) && Arc::ptr_eq(&known.services, &services) => {
                known.documents.clone()
            }
            _ => {
                let documents = Arc::new(Documents::new(&resources, &services));
                *cached = Some(Known { resources, services, documents: documents.clone() });
                documents
            }
        }
    }

    fn discovery(&self, server: &Server, path: &str, head: &Parts) -> Option<Response<Body>> {
        let headers = &head.headers;
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let documents = self.documents(server);
        let aggregated = match segments.as_slice() {
            ["api"] => Some(documents.aggregated_core()),
            ["apis"] => Some(documents.aggregated_groups()),
            _ => None,
        };
        let plain = match segments.as_slice() {
            ["api"] => documents.plain.api_versions(&self.address),
            ["api", version] => documents.plain.resource_list("", version)?,
            ["apis"] => documents.plain.group_list(),
            ["apis", group] => documents.plain.group(group)?,
            ["apis", group, version] => documents.plain.resource_list(group, version)?,
            _ => return None,
        };
        // What has its own route there is refused by the router, groups by the aggregator that answers for them.
        if !matches!(segments.as_slice(), ["apis"] | ["apis", _])
            && let Err(refused) = check_accept(headers, FORMATS)
        {
            return Some(refusal(head, &refused));
        }
        // With the slash at the end only the plain form is there.
        let aggregated = aggregated.filter(|_| !path.ends_with("apis/"));
        Some(match accept::choose(headers, aggregated.is_some()) {
            Some(Form::Aggregated) => {
                let document = aggregated.unwrap_or_else(|| documents.aggregated_groups());
                let mut response = tagged(headers, &document.etag, document.bytes.clone());
                set(&mut response, header::CONTENT_TYPE, accept::AGGREGATED);
                set(&mut response, header::VARY, "Accept");
                set(&mut response, header::CACHE_CONTROL, "public");
                response
            }
            Some(form) => {
                let (mut bytes, media_type) = form.encode(&documents.schema(server), &plain);
                if form == Form::Json {
                    match wants_indentation(head) {
                        true => bytes = codec::pretty(&bytes),
                        false => bytes.push(b'\n'),
                    }
                }
                respond(200, media_type, bytes)
            }
            None => refusal(head, &not_acceptable()),
        })
    }

    /// What is running, for people.
    fn status(&self) -> String {
        format!(
            "kube-apiserver statusz\n\nFor people; the format may change.\n\nUp: {} s\nBinary version: {}\nEmulation version: 1.36\n",
            self.began.elapsed().as_secs(),
            serve::version::git_version()
        )
    }

    fn root(&self, server: &Server) -> Response<Body> {
        let mut paths: BTreeSet<String> = LISTED.iter().map(|path| (*path).to_owned()).collect();
        paths.extend(self.health.paths());
        for endpoint in server.registry.load().all() {
            let descriptor = &endpoint.descriptor;
            if !descriptor.group.is_empty() {
                paths.insert(format!("/apis/{}", descriptor.group));
                paths.insert(format!("/apis/{}/{}", descriptor.group, descriptor.version));
            }
        }
        let paths: Vec<Value> = paths.into_iter().map(Value::from).collect();
        json(&value!({"paths": paths}))
    }
}

const KEY_SET: &str = "application/jwk-set+json";
const JSON: &[&str] = &["application/json"];
/// What documents of discovery come in.
const FORMATS: &[&str] = &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// Clients may keep this for an hour.
fn kept(mut response: Response<Body>) -> Response<Body> {
    set(&mut response, header::CACHE_CONTROL, "public, max-age=3600");
    response
}

/// Whether the query has a parameter that is not empty.
fn query_has(head: &Parts, name: &str) -> bool {
    let query = head.uri.query().unwrap_or_default();
    query.split('&').filter_map(|pair| pair.split_once('=')).any(|(key, text)| key == name && !text.is_empty())
}

impl Pages for Site {
    fn answer(&self, server: &Server, head: &Parts) -> Option<Response<Body>> {
        let path = head.uri.path();
        self.health.set_store_failure(server.store.failure());
        if let Some(response) = self.health.respond(path, head.uri.query().unwrap_or_default()) {
            return Some(response.map(Body::from));
        }
        match path {
            "/" | "/index.html" => Some(self.root(server)),
            "/metrics" => Some(respond(200, METRICS, serve::metrics::render(server))),
            "/metrics/slis" => Some(respond(200, METRICS, self.health.metrics())),
            "/flagz" => Some(respond(200, "text/plain; charset=utf-8", self.flags.clone())),
            _ if path.starts_with(DUMPS) => {
                let name = path.strip_prefix(DUMPS).unwrap_or_default();
                let details = query_has(head, "includeRequestDetails");
                server.queue.dump(name, details).map(|text| respond(200, "text/plain; charset=utf-8", text))
            }
            "/statusz" => Some(respond(200, "text/plain; charset=utf-8", self.status())),
            _ if path == "/version" || path.starts_with("/version/") => {
                // Anything but slashes after it is a route that upstream does not have.
                let known = path.trim_end_matches('/') == "/version";
                let checked = if known { check_document(head, JSON) } else { Err(Status::resource_not_found()) };
                Some(checked.map_or_else(|why| refusal(head, &why), |()| indented(&serve::version::document())))
            }
            "/.well-known/openid-configuration" => {
                let keys = server.tokens.as_ref().filter(|keys| keys.is_published())?;
                if let Err(why) = check_document(head, JSON) {
                    return Some(refusal(head, &why));
                }
                let document = keys.discovery(&format!("https://{}/openid/v1/jwks", self.address));
                Some(kept(respond(200, "application/json", meta::json::to_string(&document))))
            }
            "/openid/v1/jwks" => {
                let keys = server.tokens.as_ref().filter(|keys| keys.is_published())?;
                if let Err(why) = check_document(head, &[KEY_SET]) {
                    return Some(refusal(head, &why));
                }
                Some(kept(respond(200, KEY_SET, meta::json::to_string(&keys.key_set()))))
            }
            _ if path.starts_with("/openapi/") => openapi::answer(&self.documents(server), head),
            _ => self.discovery(server, path, head),
        }
    }
}

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// `?pretty`, or a person's program.
fn wants_indentation(head: &Parts) -> bool {
    let agent = head.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default();
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("pretty"));
    codec::negotiate::is_pretty(asked.map(|value| value.trim_start_matches('=')), agent)
}

/// Upstream writes it so whoever asks.
fn indented(value: &Value) -> Response<Body> {
    respond(200, "application/json", codec::pretty(&meta::json::to_vec(value)))
}

fn json(value: &Value) -> Response<Body> {
    respond(200, "application/json", meta::json::to_vec(value))
}

/// What upstream's router asks of a document's request: 405, or 406 when the client takes none of the media types.
fn check_document(head: &Parts, offered: &[&str]) -> Result<(), Status> {
    if head.method != Method::GET { Err(serve::method_not_allowed()) } else { check_accept(&head.headers, offered) }
}

fn check_accept(headers: &HeaderMap, offered: &[&str]) -> Result<(), Status> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut wanted = accept.split(',').map(|clause| clause.split(';').next().unwrap_or_default().trim());
    if accept.is_empty() || wanted.any(|media| media == "*/*" || offered.contains(&media)) {
        return Ok(());
    }
    let text = format!("406: Not Acceptable\n\nAvailable representations: {}", offered.join(", "));
    Err(Status { details: Some(Box::default()), ..Status::failure(406, Reason::NotAcceptable, text) })
}

fn not_acceptable() -> Status {
    let text = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    Status::failure(406, Reason::NotAcceptable, text)
}

/// 304 when the client has this very content.
fn tagged(headers: &HeaderMap, etag: &str, bytes: impl Into<Bytes>) -> Response<Body> {
    let tag = format!("\"{etag}\"");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|have| have.trim().trim_start_matches("W/") == tag);
    let mut response = Response::new(if known { Body::empty() } else { Body::from(bytes.into()) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    set(&mut response, header::ETAG, &tag);
    response
}

fn respond(code: u16, media_type: &str, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes.into()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, header::CONTENT_TYPE, media_type);
    response
}

fn set(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
