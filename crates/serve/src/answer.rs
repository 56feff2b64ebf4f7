//! From a result to a response: status, headers, compression.

use crate::authorize::escape_html;
use crate::body::Body;
use crate::encode::{self, Form};
use crate::pieces::Pieces;
use crate::query::Query;
use crate::read::Page;
use crate::server::{Settings, random_bits};
use crate::write::Outcome;
use crate::{list, pieces};
use bytes::Bytes;
use codec::negotiate::{self, Format};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, Version, header};
use meta::{Gvk, Result, Status, Value};
use resource::Descriptor;
use std::sync::Arc;
use store::Object;

/// The total length of Warning texts before all are cut, and what they are cut to.
const WARNINGS_CHARS_MAX: usize = 4096;
const WARNING_CHARS_CUT: usize = 256;
/// Smaller bodies are not worth compressing.
const GZIP_BYTES_MIN: usize = 128 * 1024;

/// One object in the storage version.
pub fn object(form: &Form, descriptor: &Descriptor, code: u16, object: Value) -> Response<Body> {
    whole(form, code, encode::object(form, descriptor, object))
}

/// What a write left of its object.
pub fn outcome(form: &Form, descriptor: &Arc<Descriptor>, code: u16, outcome: Outcome) -> Result<Response<Body>> {
    Ok(whole(form, code, encode::outcome(form, descriptor, outcome)?))
}

/// One object as it is stored.
pub fn stored(form: &Form, descriptor: &Descriptor, object: &Object) -> Result<Response<Body>> {
    Ok(whole(form, 200, encode::stored(form, descriptor, object)?))
}

/// A tree of a built-in kind that is nobody's resource: Scale, reviews.
pub fn tree(form: &Form, code: u16, gvk: &Gvk, tree: &Value) -> Response<Body> {
    whole(form, code, form.encode_tree(gvk, tree))
}

pub fn list(form: &Form, descriptor: &Arc<Descriptor>, page: Page) -> Result<Response<Body>> {
    Ok(with_body(form, 200, pieces::body(list::source(form, descriptor, page)?)?))
}

/// An error, or the success of a delete.
pub fn status(form: &Form, status: &Status) -> Response<Body> {
    let body = form.encode_tree(&Gvk::new("", "v1", "Status"), &status.to_value());
    let plain = Form { accepted: negotiate::Accepted { transform: None, ..form.accepted.clone() }, ..form.clone() };
    let mut response = whole(&plain, status.code, body);
    let retry = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if retry > 0 {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry));
    }
    response
}

/// As [`status`], of a request for a document.
pub fn refusal(head: &Parts, why: &Status) -> Response<Body> {
    status(&Form::of_status(&head.headers, &Query::parse(head.uri.query().unwrap_or_default())), why)
}

fn whole(form: &Form, code: u16, body: Vec<u8>) -> Response<Body> {
    with_body(form, code, Body::from(body))
}

fn with_body(form: &Form, code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.accepted.format.media_type()));
    response
}

/// A watch's response.
pub fn watch(format: Format, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_str(&negotiate::watch_content_type(format));
    let fallback = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type.unwrap_or(fallback));
    response
}

/// Plain text, as upstream's mux answers.
pub fn text(code: u16, text: &'static str) -> Response<Body> {
    plain(code, Bytes::from_static(text.as_bytes()))
}

/// As [`text`], with one that was made for this answer.
pub fn owned_text(code: u16, text: String) -> Response<Body> {
    plain(code, text.into())
}

fn plain(code: u16, text: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 500 of a request at which the server broke.
pub fn panicked() -> Response<Body> {
    text(500, "This request caused apiserver to panic. Look in the logs for details.\n")
}

/// 500 of a request that authorizers could not decide about.
pub fn undecided(uri: &Uri, why: &str) -> Response<Body> {
    let asked = meta::field::quote(uri.path_and_query().map_or("/", |asked| asked.as_str()));
    owned_text(500, escape_html(&format!("Internal Server Error: {asked}: {why}")) + "\n")
}

/// 500 of a path that upstream's request resolver cannot make sense of.
pub fn request_info_failure(path: &str, why: &str) -> Response<Body> {
    let quoted = meta::field::quote(path);
    let mut response = text(500, "");
    let message = format!("Internal Server Error: {quoted}: failed to create RequestInfo: {why}\n");
    *response.body_mut() = Body::from(message.into_bytes());
    response
}

/// Makes all of a body at once, for who wants to look at it.
pub fn gather(response: &mut Response<Body>) -> Result<()> {
    *response.body_mut() = match std::mem::replace(response.body_mut(), Body::empty()) {
        Body::Pieces(pieces) => Body::from(pieces.gather()?),
        body => body,
    };
    Ok(())
}

/// Compresses a large body for clients that take gzip.
pub fn compress(request: &HeaderMap, response: &mut Response<Body>) {
    let is_large = match response.body() {
        Body::Whole(body) => body.len() >= GZIP_BYTES_MIN,
        Body::Pieces(_) => true,
        _ => false,
    };
    let accepts = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    let takes_gzip = accepts.flat_map(|v| v.split(',')).any(|v| v.trim().split(';').next() == Some("gzip"));
    if !is_large || !takes_gzip || response.headers().contains_key(header::CONTENT_ENCODING) {
        return;
    }
    *response.body_mut() = match std::mem::replace(response.body_mut(), Body::empty()) {
        Body::Pieces(pieces) => Body::Pieces(pieces.compressed()),
        Body::Whole(body) => Body::Pieces(Pieces::of(body).compressed()),
        body => body,
    };
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// What is said of the connection and not of the answer. `Connection: close` ends an HTTP/2 connection, too: clients whose
/// credentials are wrong do not keep one, and others move on from time to time so that servers share the load.
pub fn add_connection_headers(settings: &Settings, head: &Parts, response: &mut Response<Body>) {
    if let Some(hsts) = &settings.hsts {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    if head.version != Version::HTTP_2 {
        return;
    }
    let chance = settings.goaway_chance;
    let moves_on = chance > 0.0 && random_bits() as f64 / u64::MAX as f64 <= chance;
    if moves_on || response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Adds Warning headers: each text once; when they are too long together, all of them cut.
pub fn add_warnings(headers: &mut HeaderMap, warnings: &[String]) {
    let mut distinct: Vec<&String> = Vec::new();
    for warning in warnings.iter().filter(|w| !w.is_empty()) {
        if !distinct.contains(&warning) {
            distinct.push(warning);
        }
    }
    let total: usize = distinct.iter().map(|w| w.chars().count()).sum();
    for warning in distinct {
        let cut: String = match total > WARNINGS_CHARS_MAX {
            true => warning.chars().take(WARNING_CHARS_CUT).collect(),
            false => warning.clone(),
        };
        let escaped = cut.replace('\\', "\\\\").replace('"', "\\\"").replace(|c: char| c.is_control(), " ");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{escaped}\"").as_bytes()) {
            headers.append(header::WARNING, value);
        }
    }
}
