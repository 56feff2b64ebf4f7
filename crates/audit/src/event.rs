//! What is written down about one stage of one request.

use crate::{Level, Stage};
use bytes::Bytes;
use meta::field::quote;
use meta::time::Timestamp;
use meta::{Map, Str, Value, json, value};
use resource::User;
use std::net::IpAddr;

pub const API_VERSION: &str = "audit.k8s.io/v1";
/// A longer User-Agent is cut to this many bytes and marked.
const USER_AGENT_BYTES_MAX: usize = 1024;
const TRUNCATED: (&str, &str) = ("audit.k8s.io/truncated", "true");

/// An audit.k8s.io/v1 Event.
#[derive(Clone, Debug)]
pub struct Event {
    pub level: Level,
    pub audit_id: Str,
    pub stage: Stage,
    /// As sent, with its query.
    pub request_uri: Str,
    pub verb: Str,
    /// The sender; nobody when authentication failed.
    pub user: User,
    /// In whose name the request was made.
    pub impersonated_user: Option<User>,
    /// The verb that allowed it, when it was a constrained one ("impersonate:user-info"); else "".
    pub impersonation_constraint: Str,
    pub source_ips: Vec<IpAddr>,
    pub user_agent: Str,
    /// `None` for paths that name no resource.
    pub object_ref: Option<ObjectReference>,
    /// A Status without kind and apiVersion, see [`response_status`].
    pub response_status: Option<Value>,
    /// JSON in one line.
    pub request_object: Option<Bytes>,
    pub response_object: Option<Bytes>,
    pub request_received: Timestamp,
    pub stage_time: Timestamp,
    /// Key and value; of equal keys the first counts.
    pub annotations: Vec<(Str, String)>,
}

/// What the request is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectReference {
    pub resource: Str,
    pub namespace: Str,
    pub name: Str,
    pub uid: Str,
    pub api_group: Str,
    pub api_version: Str,
    pub resource_version: Str,
    pub subresource: Str,
}

impl ObjectReference {
    /// Takes over what the object in the request knows better than the path.
    pub fn complete(&mut self, metadata: &Value) {
        let fields = [
            (&mut self.namespace, "namespace"),
            (&mut self.name, "name"),
            (&mut self.uid, "uid"),
            (&mut self.resource_version, "resourceVersion"),
        ];
        for (field, key) in fields {
            if field.is_empty() {
                *field = metadata[key].str().into();
            }
        }
    }
}

impl Event {
    /// Cuts a User-Agent to what is recorded.
    pub fn user_agent_of(text: &str) -> Str {
        if text.len() <= USER_AGENT_BYTES_MAX {
            return text.into();
        }
        let end = text.floor_char_boundary(USER_AGENT_BYTES_MAX);
        format!("{}...TRUNCATED", text.get(..end).unwrap_or_default()).into()
    }

    /// Appends the event as JSON in one line, without the end of the line.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Members::begin(out);
        object.text("kind", "Event");
        object.text("apiVersion", API_VERSION);
        object.text("level", self.level.as_str());
        object.text("auditID", &self.audit_id);
        object.text("stage", self.stage.as_str());
        object.text("requestURI", &self.request_uri);
        object.text("verb", &self.verb);
        object.value("user", &user(&self.user));
        if let Some(impersonated) = &self.impersonated_user {
            object.value("impersonatedUser", &user(impersonated));
        }
        if !self.impersonation_constraint.is_empty() {
            let metadata = value!({"impersonationConstraint": (&self.impersonation_constraint)});
            object.value("authenticationMetadata", &metadata);
        }
        if !self.source_ips.is_empty() {
            let addresses = self.source_ips.iter().map(|address| Value::from(address.to_string()));
            object.value("sourceIPs", &Value::Array(addresses.collect()));
        }
        object.optional_text("userAgent", &self.user_agent);
        if let Some(reference) = &self.object_ref {
            reference.write(object.raw("objectRef"));
        }
        if let Some(status) = &self.response_status {
            object.value("responseStatus", status);
        }
        for (key, whole) in [("requestObject", &self.request_object), ("responseObject", &self.response_object)] {
            if let Some(whole) = whole {
                object.raw(key).extend_from_slice(whole);
            }
        }
        object.text("requestReceivedTimestamp", &self.request_received.to_rfc3339_micro());
        object.text("stageTimestamp", &self.stage_time.to_rfc3339_micro());
        if !self.annotations.is_empty() {
            let mut map = Map::new();
            for (key, text) in &self.annotations {
                if !map.contains_key(key) {
                    map.insert(key.clone(), text.as_str());
                }
            }
            object.value("annotations", &Value::Object(map));
        }
        object.end();
    }

    pub fn to_json(&self) -> Vec<u8> {
        let bodies = [&self.request_object, &self.response_object].into_iter().flatten();
        let mut out = Vec::with_capacity(1024 + bodies.map(Bytes::len).sum::<usize>());
        self.write_json(&mut out);
        out
    }

    /// The line of the legacy format, without its end (k8s.io/apiserver/pkg/audit/format.go).
    pub fn to_legacy(&self) -> String {
        let list = |groups: &[Str]| groups.iter().map(|group| quote(group)).collect::<Vec<_>>().join(",");
        let or = |text: &str, other: &str| if text.is_empty() { quote(other) } else { quote(text) };
        let groups = if self.user.name.is_empty() { String::new() } else { list(&self.user.groups) };
        let (user, groups) = (or(&self.user.name, "<none>"), or(&groups, "<none>"));
        let impersonated = self.impersonated_user.as_ref();
        let as_user = impersonated.map_or_else(|| quote("<self>"), |user| quote(&user.name));
        let as_groups = impersonated.filter(|user| !user.groups.is_empty());
        let as_groups = as_groups.map_or_else(|| quote("<lookup>"), |user| quote(&list(&user.groups)));
        let namespace = or(self.object_ref.as_ref().map_or("", |reference| reference.namespace.as_str()), "<none>");
        let response = self.response_status.as_ref();
        let response = response.map_or_else(|| "<deferred>".to_owned(), |status| status["code"].int().to_string());
        let ip = self.source_ips.first().map_or_else(|| quote("<unknown>"), |ip| quote(&ip.to_string()));
        format!(
            "{} AUDIT: id={} stage={} ip={ip} method={} user={user} groups={groups} as={as_user} asgroups={as_groups} user-agent={} namespace={namespace} uri={} response=\"{response}\"",
            self.request_received.to_rfc3339_micro(),
            quote(&self.audit_id),
            quote(self.stage.as_str()),
            quote(&self.verb),
            quote(&self.user_agent),
            quote(&self.request_uri),
        )
    }

    /// The event within a bound of bytes of JSON: without the objects, and marked so, when that is enough; `None` when
    /// even that is too much (upstream: plugin/pkg/audit/truncate).
    pub fn truncated(&self, bytes_max: usize) -> Option<Event> {
        if self.to_json().len() <= bytes_max {
            return Some(self.clone());
        }
        if self.level < Level::Request {
            return None;
        }
        let mut cut = Event { request_object: None, response_object: None, ..self.clone() };
        cut.annotations.insert(0, (TRUNCATED.0.into(), TRUNCATED.1.into()));
        (cut.to_json().len() <= bytes_max).then_some(cut)
    }
}

impl ObjectReference {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Members::begin(out);
        let members = [
            ("resource", &self.resource),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("uid", &self.uid),
            ("apiGroup", &self.api_group),
            ("apiVersion", &self.api_version),
            ("resourceVersion", &self.resource_version),
            ("subresource", &self.subresource),
        ];
        members.into_iter().for_each(|(key, text)| object.optional_text(key, text));
        object.end();
    }
}

/// Events as the body of a webhook's request.
pub fn event_list<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out =
        format!("{{\"kind\":\"EventList\",\"apiVersion\":\"{API_VERSION}\",\"metadata\":{{}},\"items\":[").into_bytes();
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(event);
    }
    out.extend_from_slice(b"]}\n");
    out
}

/// What is recorded of the Status in an answer, or of an answer without one.
pub fn response_status(code: u16, status: Option<&Value>) -> Value {
    let mut recorded = value!({"metadata": {}});
    for key in ["status", "message", "reason", "details"] {
        if let Some(member) = status.and_then(|status| status.get(key)) {
            recorded.set(key, member.clone());
        }
    }
    recorded.set("code", i64::from(code));
    recorded
}

/// Takes managedFields out of an object, and out of a list's items.
pub fn without_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    for item in object.get_mut("items").map(Value::items_mut).unwrap_or_default() {
        if let Some(metadata) = item.get_mut("metadata") {
            metadata.remove("managedFields");
        }
    }
}

fn user(user: &User) -> Value {
    let list = |texts: &[Str]| Value::Array(texts.iter().map(Value::from).collect());
    let mut map = Map::new();
    for (key, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            map.insert(key, text);
        }
    }
    if !user.groups.is_empty() {
        map.insert("groups", list(&user.groups));
    }
    if !user.extra.is_empty() {
        let extra = user.extra.iter().map(|(key, values)| (key.clone(), list(values)));
        map.insert("extra", extra.collect::<Map>());
    }
    Value::Object(map)
}

/// Writes the members of an object in the order of upstream's type, which a [`Map`] would sort.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Members<'_> {
    fn begin(out: &mut Vec<u8>) -> Members<'_> {
        out.push(b'{');
        Members { out, first: true }
    }

    fn raw(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        json::write_string(key, self.out);
        self.out.push(b':');
        self.out
    }

    fn text(&mut self, key: &str, text: &str) {
        json::write_string(text, self.raw(key));
    }

    fn optional_text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    fn value(&mut self, key: &str, value: &Value) {
        json::write(value, self.raw(key));
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let time = Timestamp::parse_micro("2026-01-02T03:04:05.000006Z").expect("a time");
        Event {
            level: Level::RequestResponse,
            audit_id: "id-1".into(),
            stage: Stage::ResponseComplete,
            request_uri: "/api/v1/namespaces/a/pods?x=%22".into(),
            verb: "create".into(),
            user: User { name: "tim".into(), groups: vec!["g\"1".into(), "g2".into()], ..User::default() },
            impersonated_user: None,
            impersonation_constraint: Str::default(),
            source_ips: vec![IpAddr::from([10, 0, 0, 1])],
            user_agent: "kubectl".into(),
            object_ref: Some(ObjectReference {
                resource: "pods".into(),
                namespace: "a".into(),
                api_version: "v1".into(),
                ..ObjectReference::default()
            }),
            response_status: Some(response_status(201, None)),
            request_object: Some(Bytes::from_static(b"{\"kind\":\"Pod\"}")),
            response_object: None,
            request_received: time,
            stage_time: time,
            annotations: vec![("z".into(), "1".into()), ("a".into(), "2".into()), ("z".into(), "3".into())],
        }
    }

    #[test]
    fn members_are_in_upstreams_order() {
        let text = String::from_utf8(event().to_json()).expect("text");
        let want = concat!(
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"id-1","#,
            r#""stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/pods?x=%22","verb":"create","#,
            r#""user":{"groups":["g\"1","g2"],"username":"tim"},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl","#,
            r#""objectRef":{"resource":"pods","namespace":"a","apiVersion":"v1"},"#,
            r#""responseStatus":{"code":201,"metadata":{}},"requestObject":{"kind":"Pod"},"#,
            r#""requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:05.000006Z","#,
            r#""annotations":{"a":"2","z":"1"}}"#,
        );
        assert_eq!(text, want);
        assert_eq!(json::parse(text.as_bytes()).expect("JSON").value["verb"].str(), "create");
    }

    #[test]
    fn the_legacy_line_is_upstreams() {
        let line = concat!(
            r#"2026-01-02T03:04:05.000006Z AUDIT: id="id-1" stage="ResponseComplete" ip="10.0.0.1" method="create" "#,
            r#"user="tim" groups="\"g\\\"1\",\"g2\"" as="<self>" asgroups="<lookup>" user-agent="kubectl" "#,
            r#"namespace="a" uri="/api/v1/namespaces/a/pods?x=%22" response="201""#,
        );
        assert_eq!(event().to_legacy(), line);
        let as_other = User { name: "tom".into(), groups: vec!["g".into()], ..User::default() };
        let bare = Event {
            user: User::default(),
            impersonated_user: Some(as_other),
            object_ref: None,
            response_status: None,
            source_ips: vec![],
            ..event()
        };
        let line = bare.to_legacy();
        for part in [
            r#"user="<none>" groups="<none>" as="tom" asgroups="\"g\"""#,
            r#"namespace="<none>""#,
            r#"ip="<unknown>""#,
            r#"response="<deferred>""#,
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn large_events_lose_their_objects_or_go() {
        let whole = event();
        let len = whole.to_json().len();
        let same = whole.truncated(len).expect("it fits");
        assert!(same.request_object.is_some());
        let large = Event { request_object: Some(vec![b'1'; 1000].into()), ..event() };
        let cut = large.truncated(len + 50).expect("it fits without its object");
        assert!(cut.request_object.is_none() && cut.annotations.iter().any(|(key, _)| key == "audit.k8s.io/truncated"));
        assert!(large.truncated(100).is_none());
        let metadata = Event { level: Level::Metadata, ..large };
        assert!(metadata.truncated(len).is_none(), "upstream cuts no event of this level");
    }

    #[test]
    fn agents_are_cut() {
        let long = "x".repeat(2000);
        assert_eq!(Event::user_agent_of(&long).len(), USER_AGENT_BYTES_MAX + "...TRUNCATED".len());
        assert_eq!(Event::user_agent_of("kubectl"), "kubectl");
    }

    #[test]
    fn managed_fields_go_from_objects_and_items() {
        let mut list = value!({
            "metadata": {"managedFields": [{}]}, "items": [{"metadata": {"name": "a", "managedFields": [{}]}}]
        });
        without_managed_fields(&mut list);
        assert_eq!(json::to_string(&list), r#"{"items":[{"metadata":{"name":"a"}}],"metadata":{}}"#);
    }

    #[test]
    fn lists_are_whole() {
        let (a, b) = (b"{\"a\":1}".as_slice(), b"{}".as_slice());
        let text = String::from_utf8(event_list([a, b])).expect("text");
        assert!(text.ends_with("\"items\":[{\"a\":1},{}]}\n"), "{text}");
    }
}
