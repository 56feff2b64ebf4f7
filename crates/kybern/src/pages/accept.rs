//! Which form of a discovery document the client wants (k8s.io/apiserver/pkg/endpoints/handlers/negotiation).

use http::{HeaderMap, header};
use meta::{Gvk, Value};

/// The media type of aggregated discovery.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Json,
    Yaml,
    Protobuf,
    Aggregated,
}

struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl Clause<'_> {
    fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// The form, `None` when this clause names none that is offered.
    fn form(&self, aggregated: bool) -> Option<Form> {
        let form = match self.media_type {
            "application/json" | "application/*" | "*/*" => Form::Json,
            "application/yaml" => Form::Yaml,
            "application/vnd.kubernetes.protobuf" => Form::Protobuf,
            _ => return None,
        };
        let (group, version, kind) = (self.parameter("g"), self.parameter("v"), self.parameter("as"));
        match (group, version, kind) {
            ("", "", "") => Some(form),
            ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList") if aggregated && form == Form::Json => {
                Some(Form::Aggregated)
            }
            _ => None,
        }
    }
}

/// `None`: 406. Without an Accept header JSON is wanted.
pub fn choose(headers: &HeaderMap, aggregated: bool) -> Option<Form> {
    let Some(clauses) = clauses(headers) else { return Some(Form::Json) };
    clauses.iter().find_map(|clause| clause.form(aggregated))
}

/// The offer that the client likes best, by the media type it begins with; without an Accept header the first. `None`: 406.
pub fn choose_among<'a, T, U>(headers: &HeaderMap, offers: &'a [(&str, T, U)]) -> Option<&'a (&'a str, T, U)> {
    let Some(clauses) = clauses(headers) else { return offers.first() };
    let takes = |wanted: &str, offered: &str| wanted == offered || wanted == "*/*" || wanted == "application/*";
    clauses.iter().find_map(|clause| offers.iter().find(|(offered, ..)| takes(clause.media_type, offered)))
}

/// What the client accepts, the best first; `None` when it does not say.
fn clauses(headers: &HeaderMap) -> Option<Vec<Clause<'_>>> {
    let values: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if values.iter().all(|value| value.trim().is_empty()) {
        return None;
    }
    let mut clauses: Vec<Clause> = values.iter().flat_map(|value| value.split(',')).map(parse).collect();
    // Better quality first; of equal quality the more specific one, as upstream's parser sorts.
    clauses.sort_by(|a, b| {
        let wild = |clause: &Clause| clause.media_type.matches('*').count();
        let quality = b.quality.total_cmp(&a.quality);
        quality.then(wild(a).cmp(&wild(b))).then(b.parameters.len().cmp(&a.parameters.len()))
    });
    Some(clauses)
}

fn parse(text: &str) -> Clause<'_> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let mut clause = Clause { media_type, parameters: vec![], quality: 1.0 };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        if key == "q" {
            clause.quality = value.parse().unwrap_or(1.0);
        } else {
            clause.parameters.push((key, value));
        }
    }
    clause
}

impl Form {
    /// The bytes of a plain document and their media type.
    pub fn encode(self, schema: &schema::Schema, document: &Value) -> (Vec<u8>, &'static str) {
        let gvk = Gvk::new("", "v1", document["kind"].str());
        let Some(ty) = schema.kind(&gvk) else { return (meta::json::to_vec(document), "application/json") };
        let mut out = Vec::new();
        match self {
            Form::Yaml => {
                codec::encode_yaml(document, &mut out);
                (out, "application/yaml")
            }
            Form::Protobuf => {
                codec::encode_protobuf(schema, ty, &gvk, document, &mut out);
                (out, "application/vnd.kubernetes.protobuf")
            }
            Form::Json | Form::Aggregated => {
                codec::encode_json(schema, ty, document, &mut out);
                (out, "application/json")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// The recorded scenarios discovery/accept-fallback, accept-refused and v2beta1-refused.
    #[test]
    fn accept_headers() {
        let v2 = AGGREGATED;
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        let cases = [
            ("", Some(Form::Json)),
            ("*/*", Some(Form::Json)),
            ("application/yaml", Some(Form::Yaml)),
            ("text/html", None),
            ("text/html, application/json;q=0.5", Some(Form::Json)),
            (v2, Some(Form::Aggregated)),
            (beta, None),
            (&format!("{v2},{beta},application/json"), Some(Form::Aggregated)),
            (&format!("{beta},application/json"), Some(Form::Json)),
            (&format!("{beta},{v2}"), Some(Form::Aggregated)),
            (&format!("application/json,{v2}"), Some(Form::Aggregated)),
            ("application/json;g=apidiscovery.k8s.io;v=v2", None),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", None),
        ];
        for (text, want) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(text).expect("a header"));
            assert_eq!(choose(&headers, true), want, "{text}");
            let alone = if want == Some(Form::Aggregated) && text == v2 { None } else { want };
            if text == v2 || want != Some(Form::Aggregated) {
                assert_eq!(choose(&headers, false), alone, "{text}");
            }
        }
    }

    /// Verbs have a message of their own in protobuf, and every resource list has them.
    #[test]
    fn documents_have_each_form() {
        let schema = schema::builtin();
        let resource = meta::value!({
            "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"],
        });
        let list = meta::value!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]});
        let (json, _) = Form::Json.encode(&schema, &list);
        assert!(json.starts_with(
            br#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod""#
        ));
        let (yaml, media_type) = Form::Yaml.encode(&schema, &list);
        assert!(yaml.starts_with(b"groupVersion: v1\nkind: APIResourceList\n") && media_type == "application/yaml");
        let (protobuf, _) = Form::Protobuf.encode(&schema, &list);
        let ty = schema.kind(&Gvk::new("", "v1", "APIResourceList")).expect("a known kind");
        let decoded = codec::decode_protobuf(&schema, ty, &protobuf).expect("what was encoded").value;
        assert_eq!(decoded["resources"], list["resources"]);
    }
}
