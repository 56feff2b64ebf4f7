//! `/openapi/v2` and `/openapi/v3`: JSON or gnostic's protobuf, with hashes that let clients keep what they have.

use bytes::Bytes;
use http::request::Parts;
use http::{Response, header};
use serve::Body;
use time::{Duration, OffsetDateTime};

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
    if path == "/openapi/v3/" {
        return None;
    }
    if key.is_empty() {
        let index = documents.openapi_v3_index();
        let mut response = tagged(&head.headers, &index.etag, index.bytes.clone());
        // Upstream gives it to a file server, which guesses.
        set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
        return Some(response);
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
        // As long as HTTP allows: what a hash names never changes.
        set(&mut response, header::EXPIRES, &http_date(OffsetDateTime::now_utc() + Duration::days(365)));
    }
    response
}

/// "Sun, 06 Nov 1994 08:49:37 GMT".
fn http_date(at: OffsetDateTime) -> String {
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let short = |name: &str| name.chars().take(3).collect::<String>();
    let (hour, minute, second) = at.to_hms();
    format!(
        "{}, {:02} {} {} {hour:02}:{minute:02}:{second:02} GMT",
        short(&weekday),
        at.day(),
        short(&month),
        at.year()
    )
}

fn unacceptable() -> Response<Body> {
    respond(406, "text/plain", Bytes::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_has_them() {
        let at = OffsetDateTime::from_unix_timestamp(784_111_777).expect("a time");
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
