//! `/openapi/v2` and `/openapi/v3`: JSON or gnostic's protobuf, with hashes that let clients keep what they have.

use bytes::Bytes;
use http::request::Parts;
use http::{Response, header};
use serve::Body;

use super::cached::Documents;
use super::{accept, respond, set, tagged};

/// Media types of version 2: as asked for, as answered, and whether it is the protobuf form. The one with `@` is the
/// older way to write it, which clients still send.
const V2_TYPES: &[(&str, &str, bool)] = &[
    ("application/json", "application/json", false),
    (
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        true,
    ),
    (
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        true,
    ),
];

const V3_TYPES: &[(&str, &str, bool)] = &[
    ("application/json", "application/json", false),
    (
        "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        true,
    ),
    (
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        true,
    ),
];

/// `None` for paths that are no OpenAPI document's.
pub fn answer(documents: &Documents, head: &Parts) -> Option<Response<Body>> {
    let path = head.uri.path();
    if path == "/openapi/v2" {
        return Some(v2(documents, head));
    }
    let key = path.strip_prefix("/openapi/v3")?.trim_matches('/');
    if key.is_empty() {
        return Some(respond(200, "application/json", documents.openapi_v3_index().bytes.clone()));
    }
    Some(v3(documents, head, key))
}

fn v2(documents: &Documents, head: &Parts) -> Response<Body> {
    let Some((_, media_type, protobuf)) = accept::choose_among(&head.headers, V2_TYPES) else { return unacceptable() };
    let document = documents.openapi_v2();
    let bytes = if *protobuf { documents.openapi_v2_protobuf() } else { Bytes::from(document.bytes.clone()) };
    let mut response = tagged(&head.headers, &document.etag, bytes);
    set(&mut response, header::CONTENT_TYPE, media_type);
    set(&mut response, header::VARY, "Accept");
    response
}

fn v3(documents: &Documents, head: &Parts, key: &str) -> Response<Body> {
    let Some(document) = documents.openapi_v3(key) else { return respond(404, "text/plain", Bytes::new()) };
    let query = head.uri.query().unwrap_or_default();
    let hash = query.split('&').find_map(|pair| pair.strip_prefix("hash="));
    if hash.is_some_and(|hash| hash != document.etag) {
        let mut response = respond(301, "text/plain", Bytes::new());
        set(&mut response, header::LOCATION, &format!("{}?hash={}", head.uri.path(), document.etag));
        return response;
    }
    let Some((_, media_type, protobuf)) = accept::choose_among(&head.headers, V3_TYPES) else { return unacceptable() };
    let protobuf = protobuf.then(|| documents.plain.openapi_v3_protobuf(key)).flatten();
    let mut response = tagged(&head.headers, &document.etag, protobuf.unwrap_or_else(|| document.bytes.clone()));
    set(&mut response, header::CONTENT_TYPE, media_type);
    set(&mut response, header::VARY, "Accept");
    if hash.is_some() {
        set(&mut response, header::CACHE_CONTROL, "public, immutable");
    }
    response
}

fn unacceptable() -> Response<Body> {
    respond(406, "text/plain", Bytes::new())
}
