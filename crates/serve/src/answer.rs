//! From a result to a response: encoding in the form that the client accepts.

use crate::body::Body;
use crate::form;
use crate::read::{self, Page};
use crate::watch::Change;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use meta::{Result, Status, Value, json, value};
use resource::Descriptor;
use store::Object;

/// The total length of Warning texts before all are cut, and what they are cut to.
const WARNINGS_CHARS_MAX: usize = 4096;
const WARNING_CHARS_CUT: usize = 256;
const AGENTS_SHOWN_PRETTY: &[&str] = &["curl", "Wget", "Mozilla/5.0"];

/// The form of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    pub pretty: bool,
}

/// What the client accepts; 406 when nothing of it is offered.
pub fn negotiate(headers: &HeaderMap, query: &crate::query::Query) -> Result<Accepted> {
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("");
    let pretty = match query.get("pretty") {
        Some(_) => query.flag("pretty"),
        None => AGENTS_SHOWN_PRETTY.iter().any(|prefix| agent.starts_with(prefix)),
    };
    Ok(Accepted { pretty })
}

/// One object in the storage version.
pub fn object(accepted: Accepted, descriptor: &Descriptor, code: u16, object: Value) -> Response<Body> {
    let _ = accepted;
    let mut served = form::to_served(descriptor, object);
    served.set("apiVersion", descriptor.api_version());
    served.set("kind", &descriptor.kind);
    let mut out = Vec::new();
    form::encode_served_json(descriptor, &served, &mut out);
    json_response(code, out)
}

/// Any tree that is already what the client sees.
pub fn tree(accepted: Accepted, code: u16, tree: &Value) -> Response<Body> {
    let _ = accepted;
    json_response(code, json::to_vec(tree))
}

/// A list. Items of built-in kinds say no kind of their own.
pub fn list(accepted: Accepted, descriptor: &Descriptor, page: &Page) -> Result<Response<Body>> {
    let _ = accepted;
    let mut metadata = value!({"resourceVersion": (page.revision.to_string())});
    if !page.continue_token.is_empty() {
        metadata.set("continue", &page.continue_token);
    }
    if let Some(remaining) = page.remaining {
        metadata.set("remainingItemCount", i64::try_from(remaining).unwrap_or(i64::MAX));
    }
    let mut items = Vec::with_capacity(page.objects.len());
    for object in &page.objects {
        let mut item = read::served_value(descriptor, object)?;
        if !descriptor.stored_as_json {
            item.remove("apiVersion");
            item.remove("kind");
        }
        items.push(item);
    }
    let list = value!({
        "kind": (&descriptor.list_kind), "apiVersion": (descriptor.api_version()), "metadata": metadata, "items": items
    });
    Ok(json_response(200, json::to_vec(&list)))
}

/// An error, or the success of a delete.
pub fn status(accepted: Accepted, status: &Status) -> Response<Body> {
    let _ = accepted;
    let mut response = json_response(status.code, json::to_vec(&status.to_value()));
    let retry = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if retry > 0 {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry));
    }
    response
}

/// Plain text, as upstream's mux answers.
pub fn text(code: u16, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 500 of a path that upstream's request resolver cannot make sense of.
pub fn request_info_failure(path: &str, why: &str) -> Response<Body> {
    let quoted = meta::field::quote(path);
    let mut response = text(500, "");
    let message = format!("Internal Server Error: {quoted}: failed to create RequestInfo: {why}\n");
    *response.body_mut() = Body::from(message.into_bytes());
    response
}

/// A frame of a watch.
pub fn frame(descriptor: &Descriptor, change: &Change) -> Option<Bytes> {
    let (kind, object) = match change {
        Change::Added(object) => ("ADDED", frame_object(descriptor, object, object.revision)?),
        Change::Modified(object) => ("MODIFIED", frame_object(descriptor, object, object.revision)?),
        Change::Deleted(object, revision) => ("DELETED", frame_object(descriptor, object, *revision)?),
        Change::Bookmark { revision, ends_initial_events } => {
            ("BOOKMARK", bookmark(descriptor, *revision, *ends_initial_events))
        }
        Change::Error(status) => ("ERROR", status.to_value()),
    };
    let mut out = json::to_vec(&value!({"type": kind, "object": object}));
    out.push(b'\n');
    Some(out.into())
}

fn frame_object(descriptor: &Descriptor, object: &Object, revision: u64) -> Option<Value> {
    let mut served = read::served_value(descriptor, object).ok()?;
    served.entry("metadata").set("resourceVersion", revision.to_string());
    Some(served)
}

fn bookmark(descriptor: &Descriptor, revision: u64, ends_initial_events: bool) -> Value {
    let mut metadata = value!({"resourceVersion": (revision.to_string())});
    if ends_initial_events {
        metadata.set("annotations", value!({"k8s.io/initial-events-end": "true"}));
    }
    let mut object =
        value!({"kind": (&descriptor.kind), "apiVersion": (descriptor.api_version()), "metadata": metadata});
    // a bookmark is an object of the kind with nothing else set, in the form that such an object prints
    if codec::canonicalise(&descriptor.schema, descriptor.type_id, &mut object).is_err() {
        return value!({"kind": (&descriptor.kind), "apiVersion": (descriptor.api_version())});
    }
    object
}

fn json_response(code: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A watch's response.
pub fn watch_response(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
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
