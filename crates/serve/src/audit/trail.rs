//! What is recorded of one request, gathered while it is answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit::{Event, ObjectReference, Request, Stage, Verdict};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, header};
use meta::time::Timestamp;
use meta::{Result, Status, Str, Value};
use resource::User;
use schema::Schema;

use super::{Audit, answer};
use crate::body::Body;
use crate::listen::Peer;
use crate::path::PathInfo;
use crate::query::Query;

/// Requests that take longer say so.
const SLOW_MS: i64 = 500;

/// A request as it arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    pub head: &'a Parts,
    pub peer: &'a Peer,
    pub info: &'a PathInfo,
    pub long_running: bool,
}

/// One request's way into the audit log. Cheap to clone, and empty when nothing is recorded: then every step returns at
/// once. When the last clone is dropped the request is over, whatever became of it.
#[derive(Clone, Debug, Default)]
pub struct Trail(Option<Arc<Recording>>);

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("audit_id", &self.audit_id).finish_non_exhaustive()
    }
}

struct Recording {
    audit: Arc<Audit>,
    audit_id: Str,
    began: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None`: before the policy was asked, and when it wants nothing.
    open: Option<Open>,
    /// What is known before the policy was asked.
    annotations: Vec<(Str, String)>,
}

struct Open {
    event: Event,
    verdict: Verdict,
    long_running: bool,
    /// Nobody knows who sends this: upstream records only that it was answered.
    refused: bool,
    started: bool,
    completed: bool,
}

impl Open {
    fn wants_object(&self) -> bool {
        self.event.level == audit::Level::RequestResponse && !self.long_running
    }
}

impl Trail {
    pub fn begin(audit: Option<&Arc<Audit>>, audit_id: &str) -> Trail {
        let recording = |audit: &Arc<Audit>| {
            let (audit, audit_id) = (audit.clone(), Str::from(audit_id));
            Arc::new(Recording { audit, audit_id, began: Timestamp::now(), state: Mutex::default() })
        };
        Trail(audit.map(recording))
    }

    /// A tunnel outlives the answer: it finds this in the head of its request, and drops it when it ends.
    pub fn follow_tunnels(&self, head: &mut Parts) {
        if self.0.is_some() {
            head.extensions.insert(self.clone());
        }
    }

    /// The sender is known: the policy says what is recorded. 500 when a strict sink cannot record it.
    pub async fn receive(&self, user: &User, arrival: &Arrival<'_>) -> Result<()> {
        let Some(recording) = &self.0 else { return Ok(()) };
        let Some(event) = recording.open(Some(user), arrival) else { return Ok(()) };
        match recording.audit.process(event).await {
            true => Ok(()),
            false => Err(Status::internal("audit failed")),
        }
    }

    /// The request is refused before its sender is known; `why` is for the log.
    pub fn refuse(&self, why: impl FnOnce() -> String, arrival: &Arrival<'_>) {
        let Some(recording) = &self.0 else { return };
        recording.open(None, arrival);
        if let Some(open) = &mut recording.lock().open {
            open.refused = true;
            open.event.response_status = Some(meta::value!({"metadata": {}, "message": (why())}));
        }
    }

    /// The request is made in another user's name; `constraint` is the verb that allowed it, "" for the old one.
    pub fn impersonate(&self, user: &User, constraint: &str) {
        self.with(|open| {
            open.event.impersonated_user = Some(user.clone());
            open.event.impersonation_constraint = constraint.into();
        });
    }

    /// Of equal keys the first counts.
    pub fn annotate(&self, key: &str, text: impl FnOnce() -> String) {
        let Some(recording) = &self.0 else { return };
        let mut state = recording.lock();
        match &mut state.open {
            Some(open) => open.event.annotations.push((key.into(), text())),
            None => state.annotations.push((key.into(), text())),
        }
    }

    /// The same, of an event that tells what was requested.
    pub fn annotate_request(&self, key: &str, text: impl FnOnce() -> String) {
        self.with(|open| {
            if open.event.level >= audit::Level::Request {
                open.event.annotations.push((key.into(), text()));
            }
        });
    }

    /// The body that was sent: a patch or options, as JSON. An object is told by [`Trail::request_object`].
    pub fn request_body(&self, schema: &Schema, headers: &HeaderMap, body: &Bytes) {
        self.with(|open| {
            if open.event.level >= audit::Level::Request && !body.is_empty() {
                let media = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
                let body = answer::json_of(schema, media, body);
                open.event.request_object = body.map(|body| body.recorded(open.verdict.omits_managed_fields));
            }
        });
    }

    /// The object that was sent, in the version of the request.
    pub fn request_object(&self, object: impl FnOnce() -> Value) {
        self.with(|open| {
            let object = object();
            if let Some(reference) = &mut open.event.object_ref {
                reference.complete(&object["metadata"]);
            }
            if open.event.level >= audit::Level::Request {
                let omits = open.verdict.omits_managed_fields;
                open.event.request_object = Some(answer::Recorded::Tree(object).recorded(omits));
            }
        });
    }

    /// Whether the answer's object is recorded, so that its body is looked at.
    pub fn wants_object(&self) -> bool {
        self.0.as_ref().is_some_and(|recording| recording.lock().open.as_ref().is_some_and(Open::wants_object))
    }

    /// The answer, before it is compressed.
    pub fn answered(&self, schema: &Schema, response: &Response<Body>) {
        let code = response.status().as_u16();
        self.with(|open| {
            if let (true, Some(status)) = (open.refused, &mut open.event.response_status) {
                status.set("code", i64::from(code));
                return;
            }
            let found = answer::read(schema, response, open.wants_object());
            open.event.response_status = Some(audit::response_status(code, found.status.as_ref()));
            open.event.response_object = found.object.map(|object| object.recorded(open.verdict.omits_managed_fields));
        });
    }

    /// The answer as it leaves. Long ones are begun here and completed when their last byte is sent.
    pub async fn end(&self, response: Response<Body>) -> Response<Body> {
        let Some(recording) = &self.0 else { return response };
        let started = recording.start();
        if let Some(event) = started {
            recording.audit.process(event).await;
        }
        if matches!(response.body(), Body::Whole(_)) && response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            if let Some(event) = recording.complete() {
                recording.audit.process(event).await;
            }
            return response;
        }
        let trail = self.clone();
        response.map(|body| Body::Followed(Box::new(body), trail))
    }

    /// The server broke.
    pub async fn panicked(&self) {
        let Some(recording) = &self.0 else { return };
        if let Some(event) = recording.panic() {
            recording.audit.process(event).await;
        }
    }

    fn with(&self, f: impl FnOnce(&mut Open)) {
        if let Some(recording) = &self.0
            && let Some(open) = &mut recording.lock().open
        {
            f(open);
        }
    }
}

impl Recording {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the policy; the first event, unless it is left out.
    fn open(&self, user: Option<&User>, arrival: &Arrival) -> Option<Event> {
        let Arrival { head, info, .. } = *arrival;
        let request = Request {
            user,
            verb: info.verb,
            path: &info.path,
            is_resource: info.is_resource,
            group: &info.group,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &info.name,
        };
        let verdict = self.audit.policy.evaluate(&request);
        self.audit.counts.count_level(verdict.level);
        if verdict.level == audit::Level::None {
            return None;
        }
        let mut state = self.lock();
        let header = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
        let remote = arrival.peer.address.map(|address| address.ip().to_canonical());
        let event = Event {
            level: verdict.level,
            audit_id: self.audit_id.clone(),
            stage: Stage::RequestReceived,
            request_uri: head.uri.path_and_query().map_or("/", |uri| uri.as_str()).into(),
            verb: info.verb.into(),
            user: user.cloned().unwrap_or_default(),
            impersonated_user: None,
            impersonation_constraint: Str::default(),
            source_ips: audit::source_addresses(header("x-forwarded-for"), header("x-real-ip"), remote),
            user_agent: Event::user_agent_of(header("user-agent")),
            object_ref: info.is_resource.then(|| reference(info)),
            response_status: None,
            request_object: None,
            response_object: None,
            request_received: self.began,
            stage_time: self.began,
            annotations: std::mem::take(&mut state.annotations),
        };
        let first = (user.is_some() && !verdict.omits(Stage::RequestReceived)).then(|| event.clone());
        let long_running = arrival.long_running;
        state.open = Some(Open { event, verdict, long_running, refused: false, started: false, completed: false });
        first
    }

    fn start(&self) -> Option<Event> {
        let mut state = self.lock();
        let open = state.open.as_mut().filter(|open| open.long_running || open.refused)?;
        if std::mem::replace(&mut open.started, true) {
            return None;
        }
        open.completed |= open.refused;
        open.at(Stage::ResponseStarted)
    }

    fn complete(&self) -> Option<Event> {
        let mut state = self.lock();
        let open = state.open.as_mut()?;
        if std::mem::replace(&mut open.completed, true) {
            return None;
        }
        let closed = || meta::value!({"status": "Success", "message": "Connection closed early"});
        open.event.response_status.get_or_insert_with(|| audit::response_status(200, Some(&closed())));
        let now = Timestamp::now();
        let ms = now.seconds.saturating_sub(self.began.seconds).saturating_mul(1000)
            + (i64::from(now.nanos) - i64::from(self.began.nanos)) / 1_000_000;
        if ms >= SLOW_MS && !open.long_running {
            let took = meta::time::format_duration(ms.saturating_mul(1_000_000));
            open.event.annotations.push(("apiserver.latency.k8s.io/total".into(), took));
        }
        open.at(Stage::ResponseComplete)
    }

    fn panic(&self) -> Option<Event> {
        let mut state = self.lock();
        let open = state.open.as_mut()?;
        open.completed = true;
        let status = Status::internal("APIServer panic'd").to_value();
        open.event.response_status = Some(audit::response_status(500, Some(&status)));
        open.at(Stage::Panic)
    }
}

impl Drop for Recording {
    /// The end of a long answer, or of a request whose client went away.
    fn drop(&mut self) {
        if let (Some(event), Ok(runtime)) = (self.complete(), tokio::runtime::Handle::try_current()) {
            let audit = self.audit.clone();
            runtime.spawn(async move { audit.process(event).await });
        }
    }
}

impl Open {
    /// The event of a stage, unless it is left out.
    fn at(&mut self, stage: Stage) -> Option<Event> {
        if self.verdict.omits(stage) {
            return None;
        }
        self.event.stage = stage;
        self.event.stage_time = Timestamp::now();
        Some(self.event.clone())
    }
}

fn reference(info: &PathInfo) -> ObjectReference {
    ObjectReference {
        resource: info.resource.clone(),
        namespace: info.namespace.clone(),
        name: info.name.clone(),
        api_group: info.group.clone(),
        api_version: info.version.clone(),
        subresource: info.subresource.clone(),
        ..ObjectReference::default()
    }
}

/// How a request that failed to say who sends it tried to (k8s.io/apiserver/pkg/endpoints/filters/authn_audit.go).
pub fn authentication_failure(head: &Parts, peer: &Peer, query: &Query) -> String {
    let given = head.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or("").trim();
    let scheme = given.split_once(' ').map_or("", |(scheme, _)| scheme);
    let tried = [
        ("basic", scheme.eq_ignore_ascii_case("basic")),
        ("bearer", scheme.eq_ignore_ascii_case("bearer")),
        ("access_token", !query.text("access_token").trim().is_empty()),
        ("x509", !peer.certificates.is_empty()),
    ];
    let tried: Vec<&str> = tried.iter().filter(|(_, tried)| *tried).map(|(name, _)| *name).collect();
    match tried.is_empty() {
        true => "Authentication failed, no credentials provided".into(),
        false => format!("Authentication failed, attempted: {}", tried.join(", ")),
    }
}
