//! Objects on the wire as JSON for the audit log, whatever their encoding.

use audit::without_managed_fields;
use bytes::Bytes;
use http::{Response, header};
use meta::{Gvk, Value, json};
use schema::Schema;

use crate::body::Body;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const YAML: &str = "application/yaml";
const JSON_STATUS: &[u8] = br#"{"kind":"Status""#;

/// An object that is going to be recorded.
pub(super) enum Recorded {
    /// JSON as it came.
    Json(Bytes),
    Tree(Value),
}

/// What an answer has.
#[derive(Default)]
pub(super) struct Found {
    pub(super) status: Option<Value>,
    pub(super) object: Option<Recorded>,
}

impl Recorded {
    /// JSON in one line.
    pub(super) fn recorded(self, omits_managed_fields: bool) -> Bytes {
        let mut tree = match self {
            Recorded::Json(bytes) => {
                let trimmed = bytes.trim_ascii();
                // Only indented JSON has line ends: inside of strings they are escaped.
                if !omits_managed_fields && !trimmed.contains(&b'\n') {
                    return bytes.slice_ref(trimmed);
                }
                match json::parse(trimmed) {
                    Ok(parsed) => parsed.value,
                    Err(_) => return Bytes::from_static(b"null"),
                }
            }
            Recorded::Tree(tree) => tree,
        };
        if omits_managed_fields {
            without_managed_fields(&mut tree);
        }
        json::to_vec(&tree).into()
    }
}

/// The Status in an answer, and with `wanted` the whole object.
pub(super) fn read(schema: &Schema, response: &Response<Body>, wanted: bool) -> Found {
    let Body::Whole(body) = response.body() else { return Found::default() };
    let media = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let may_be_status = !response.status().is_success() || is_status(media, body);
    if body.is_empty() || !(wanted || may_be_status) {
        return Found::default();
    }
    let Some(object) = json_of(schema, media, body) else { return Found::default() };
    let status = may_be_status.then(|| object.tree()).flatten().filter(|tree| tree["kind"].str() == "Status");
    Found { status, object: wanted.then_some(object) }
}

fn is_status(media: &str, body: &Bytes) -> bool {
    match media.split(';').next().unwrap_or("") {
        PROTOBUF => codec::kind_of_protobuf(body).is_ok_and(|(_, kind)| kind == "Status"),
        YAML => codec::kind_of_yaml(body).is_ok_and(|(_, kind)| kind == "Status"),
        _ => body.starts_with(JSON_STATUS),
    }
}

impl Recorded {
    fn tree(&self) -> Option<Value> {
        match self {
            Recorded::Json(bytes) => json::parse(bytes).ok().map(|parsed| parsed.value),
            Recorded::Tree(tree) => Some(tree.clone()),
        }
    }
}

/// A body of a media type; `None` when it cannot be read, or is no object.
pub(super) fn json_of(schema: &Schema, media: &str, body: &Bytes) -> Option<Recorded> {
    let media = media.split(';').next().unwrap_or("").trim();
    match media {
        PROTOBUF => {
            let (api_version, kind) = codec::kind_of_protobuf(body).ok()?;
            let ty = schema.kind(&Gvk::from_api_version(&api_version, &kind))?;
            codec::decode_protobuf(schema, ty, body).ok().map(|decoded| Recorded::Tree(decoded.value))
        }
        _ if media.ends_with("yaml") && !body.trim_ascii_start().starts_with(b"{") => {
            codec::parse_yaml(body).ok().map(|parsed| Recorded::Tree(parsed.value))
        }
        _ => json::parse(body).ok().map(|_| Recorded::Json(body.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(code: u16, media: &'static str, body: &[u8]) -> Response<Body> {
        let mut response = Response::new(Body::from(body.to_vec()));
        *response.status_mut() = http::StatusCode::from_u16(code).expect("a code");
        response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(media));
        response
    }

    fn found(response: &Response<Body>, wanted: bool) -> (String, String) {
        let found = read(&schema::builtin(), response, wanted);
        let object = found.object.map(|object| object.recorded(true));
        let object = object.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        (found.status.map(|status| status["message"].str().to_owned()).unwrap_or_default(), object)
    }

    #[test]
    fn answers_are_read_in_every_encoding() {
        let pod = br#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","managedFields":[{}]}}"#;
        let short = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#;
        let json = response(200, "application/json", pod);
        assert_eq!(found(&json, true), (String::new(), short.into()));
        assert_eq!(found(&json, false), (String::new(), String::new()));
        let yaml = response(200, "application/yaml", b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n");
        assert_eq!(found(&yaml, true).1, short);
        let schema = schema::builtin();
        for (kind, value) in [("Status", meta::value!({"message": "no"})), ("ConfigMap", meta::value!({}))] {
            let gvk = Gvk::new("", "v1", kind);
            let ty = schema.kind(&gvk).expect("a type");
            let mut bytes = vec![];
            codec::encode_protobuf(&schema, ty, &gvk, &value, &mut bytes);
            let (status, object) = found(&response(404, PROTOBUF, &bytes), true);
            assert_eq!(status, if kind == "Status" { "no" } else { "" });
            assert!(object.contains(kind), "{object}");
        }
    }

    #[test]
    fn failures_have_their_status_others_only_when_they_are_one() {
        let status = br#"{"kind":"Status","apiVersion":"v1","message":"no"}"#;
        assert_eq!(found(&response(404, "application/json", status), false).0, "no");
        assert_eq!(found(&response(200, "application/json", status), false).0, "no", "a delete");
        assert_eq!(found(&response(404, "text/plain", b"404 page not found"), true), Default::default());
        let indented = response(404, "application/json", b"{\n \"kind\": \"Status\",\n \"message\": \"no\"\n}\n");
        assert_eq!(found(&indented, true), ("no".into(), "{\"kind\":\"Status\",\"message\":\"no\"}".into()));
    }
}
