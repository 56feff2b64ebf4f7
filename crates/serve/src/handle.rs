//! The request path. Start reading here: [`answer`] is the way of every request from top to bottom, [`change`] that of
//! every write to one object, [`watch`] that of a watch.

use crate::answer;
use crate::audit::{AUDIT_ID, Arrival, Trail, audit_id, authentication_failure};
use crate::authenticate::Credentials;
use crate::authorize::{Attributes, Authorized, Unauthorized};
use crate::body::{self, Body};
use crate::change::Intent;
use crate::decode::{self, Arrived, DecodedWrite};
use crate::encode::{Form, Frames};
use crate::impersonate::impersonate;
use crate::listen::Peer;
use crate::metrics::Measured;
use crate::options::{Delete, ListOptions, WriteKind, WriteOptions};
use crate::path::PathInfo;
use crate::query::Query;
use crate::registry::Resources;
use crate::route::{NoRoute, Route, check_document, is_below_group};
use crate::scale::{self, ScaleChange};
use crate::server::{Server, StoreReader};
use crate::warnings::Warnings;
use crate::write::{self, Attempted, Outcome, Write};
use crate::{action, aggregate, connect, read, review, token, watch as watching, websocket};
use bytes::Bytes;
use codec::negotiate::{Format, Offer};
use futures_util::{FutureExt as _, StreamExt as _};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use meta::status::Details;
use meta::time::Timestamp;
use meta::{Reason, Result, Status, Str, Value};
use resource::{Action, Context, Reader as _, SubresourceKind, TokenRules, Verb};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

const NOT_FOUND: &str = "404 page not found\n";
/// How often a generated name that is taken is replaced by another.
const GENERATED_NAMES_MAX: usize = 8;
/// How often a write is tried against ever newer objects.
const ATTEMPTS_MAX: usize = 1000;

/// Answers one request. Never fails: what goes wrong is the answer.
pub async fn handle<B>(server: &Arc<Server>, request: Request<B>, peer: Peer) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut head, body) = request.into_parts();
    let query = Query::parse(head.uri.query().unwrap_or(""));
    let measured = Measured::begin(server, &head, &query);
    let audit_id = audit_id(&head);
    let trail = Trail::begin(server.audit.as_ref(), audit_id.to_str().unwrap_or_default());
    trail.follow_tunnels(&mut head);
    let warnings = Arc::new(Warnings::new(trail.clone()));
    // What panics is one request, whose client is told so.
    let answered = AssertUnwindSafe(answer(server, &head, &query, body, &peer, &warnings)).catch_unwind().await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(status)) => answer::status(&Form::of_status(&head.headers, &query), &status),
        Err(_) => {
            trail.panicked().await;
            answer::panicked()
        }
    };
    if trail.wants_object()
        && let Err(status) = answer::gather(&mut response)
    {
        response = answer::status(&Form::of_status(&head.headers, &query), &status);
    }
    trail.answered(&server.schema, &response);
    warnings.add_headers(response.headers_mut());
    answer::compress(&head.headers, &mut response);
    answer::add_connection_headers(&server.settings, &head, &mut response);
    let headers = response.headers_mut();
    headers.insert(AUDIT_ID, audit_id);
    if !headers.contains_key(http::header::CACHE_CONTROL) {
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    }
    trail.end(measured.end(response)).await
}

/// resolve → authenticate → audit → impersonate → queue → authorize → route → decode → (read | change | watch) → encode.
async fn answer<B>(
    server: &Arc<Server>,
    head: &Parts,
    query: &Query,
    body: B,
    peer: &Peer,
    warnings: &Arc<Warnings>,
) -> Result<Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let info = match PathInfo::resolve(&head.method, head.uri.path(), query) {
        Ok(info) => info,
        Err(why) => return Ok(answer::request_info_failure(head.uri.path(), &why)),
    };
    let trail = &warnings.trail;
    let arrival = Arrival { head, peer, info: &info, long_running: is_long_running(&info) };
    let timeout =
        timeout(server, query, &info).inspect_err(|status| trail.refuse(|| status.message.clone(), &arrival))?;
    let credentials = Credentials { headers: &head.headers, peer, path: head.uri.path(), warnings };
    let authenticated = server.authenticators.authenticate(&credentials).await.inspect_err(|_| {
        trail.refuse(|| authentication_failure(head, peer, query), &arrival);
    })?;
    trail.receive(authenticated.user(), &arrival).await?;
    let request = Attributes::of(authenticated.user(), &info);
    let authenticated = impersonate(&server.authorizers, authenticated.clone(), &head.headers, &request, trail).await?;
    let _seat = match server.queue.enter(server, authenticated.user(), &info, query, warnings).await {
        Ok(seat) => seat,
        Err(turned_away) => return Ok(turned_away),
    };
    let authorized = match server.authorizers.authorize(authenticated, &info, trail).await {
        Ok(authorized) => authorized,
        Err(Unauthorized::Refused(status)) => return Err(status),
        Err(Unauthorized::Undecided(why)) => return Ok(answer::undecided(&head.uri, &why)),
    };
    if let Some(remote) = server.remotes.find(&info.path) {
        return Ok(Box::pin(aggregate::answer(&remote, authorized.authenticated.user(), head, body)).await);
    }
    let resources = server.registry.load();
    if info.path.starts_with("//") {
        return Ok(answer::text(404, NOT_FOUND));
    }
    if !info.is_resource {
        return document(server, &resources, head);
    }
    let route = match Route::find(resources, &head.method, info) {
        Ok(route) => Arc::new(route),
        Err(NoRoute::Refused(status)) => return Err(status),
        Err(NoRoute::UnknownGroup) => return Ok(answer::text(404, NOT_FOUND)),
    };
    route.check_name()?;
    if let Some(SubresourceKind::Connect(to)) = route.part.as_ref().map(|part| &part.does) {
        return Box::pin(connect::answer(server, &route, &authorized, &**to, head, body, warnings)).await;
    }
    let offer = Offer { protobuf: route.descriptor().protobuf, table: true, watch: route.info.verb == "watch" };
    let form = Form::negotiate_for(&route, &head.headers, query, offer)?;
    warnings.add(route.descriptor().deprecation.as_str());
    let request = ResourceRequest { server, route, authorized, form, head, query, warnings };
    if request.route.info.verb == "watch" {
        Box::pin(request.watch()).await
    } else {
        let body = body::read(body);
        match tokio::time::timeout(timeout, Box::pin(request.answer(body))).await {
            Ok(answered) => answered,
            Err(_) => Err(Status::timeout("Timeout: request did not complete within the allotted timeout")),
        }
    }
}

/// How long the request may take: what the client asks for, within the server's own bound.
fn timeout(server: &Server, query: &Query, info: &PathInfo) -> Result<Duration> {
    let longest = server.settings.request_timeout;
    let text = query.text("timeout");
    if text.is_empty() || is_long_running(info) {
        return Ok(longest);
    }
    let invalid = |why| Status::bad_request(format!("invalid timeout specified in the request URL - {why}"));
    let nanos = meta::time::parse_duration(text).map_err(invalid)?;
    let asked = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    Ok(if asked.is_zero() { longest } else { asked.min(longest) })
}

/// Watches and streams, which may last for hours.
pub(crate) fn is_long_running(info: &PathInfo) -> bool {
    const STREAMS: &[&str] = &["attach", "exec", "proxy", "log", "portforward"];
    matches!(info.verb, "watch" | "proxy") || STREAMS.contains(&info.subresource.as_str())
}

/// A path that names no resource.
fn document(server: &Arc<Server>, resources: &Resources, head: &Parts) -> Result<Response<Body>> {
    let path = head.uri.path();
    check_document(resources, &head.method, path)?;
    match server.pages.answer(server, head) {
        Some(page) => Ok(page),
        None if is_below_group(resources, path) => Err(Status::resource_not_found()),
        None => Ok(answer::text(404, NOT_FOUND)),
    }
}

/// A request for a resource whose sender may make it.
struct ResourceRequest<'a> {
    server: &'a Arc<Server>,
    route: Arc<Route>,
    authorized: Authorized,
    form: Form,
    head: &'a Parts,
    query: &'a Query,
    warnings: &'a Arc<Warnings>,
}

impl ResourceRequest<'_> {
    /// Everything but watches.
    async fn answer(&self, body: impl Future<Output = Result<Bytes>>) -> Result<Response<Body>> {
        let body = async {
            let body = body.await?;
            self.warnings.trail.request_body(&self.server.schema, &self.head.headers, &body);
            Ok(body)
        };
        match (self.route.part.as_ref().map(|part| &part.does), self.route.info.verb) {
            (Some(SubresourceKind::Scale { .. }), "get") => self.get_scale().await,
            (Some(SubresourceKind::Action(_) | SubresourceKind::Token(_)), _) => self.decide(&body.await?).await,
            (_, "get") => self.get().await,
            (_, "list") => self.list().await,
            _ => Box::pin(self.decide(&body.await?)).await,
        }
    }

    /// A write. What is refused for a state that is not the newest is decided again: another server on the same backend
    /// may have made what is missing here.
    async fn decide(&self, body: &Bytes) -> Result<Response<Body>> {
        let store = &self.server.store;
        let seen = store.revision();
        match self.decide_once(body).await {
            Err(status) if !matches!(status.code, 503 | 504) => {
                let outdated = store.is_outdated(seen).await;
                match outdated.map_err(|why| write::store_failure(&why, &self.route.info.resource))? {
                    true => self.decide_once(body).await,
                    false => Err(status),
                }
            }
            answered => answered,
        }
    }

    async fn decide_once(&self, body: &Bytes) -> Result<Response<Body>> {
        match self.route.part.as_ref().map(|part| &part.does) {
            Some(SubresourceKind::Action(action)) => return self.act(*action, body).await,
            Some(SubresourceKind::Token(rules)) => return self.issue_token(*rules, body).await,
            _ => {}
        }
        if let Some(action) = self.route.descriptor().acts {
            return self.act(action, body).await;
        }
        match self.route.info.verb {
            "deletecollection" => Box::pin(self.delete_collection(body)).await,
            "delete" => {
                let delete = decode::delete(&self.server.schema, self.query, &self.head.headers, body)?;
                let outcome = change(self.server, &self.deletion(&self.route.info.name, &delete)).await?;
                self.deleted(outcome, &delete)
            }
            _ => Box::pin(self.write(body)).await,
        }
    }

    fn arrived<'b>(&'b self, body: &'b Bytes) -> Arrived<'b> {
        Arrived { query: self.query, headers: &self.head.headers, body, warnings: self.warnings }
    }

    async fn get(&self) -> Result<Response<Body>> {
        self.form.check_shape(self.route.descriptor(), false)?;
        let object = read::get(self.server, &self.route, self.query).await?;
        answer::stored(&self.form, self.route.descriptor(), &object)
    }

    async fn get_scale(&self) -> Result<Response<Body>> {
        let object = read::get(self.server, &self.route, self.query).await?;
        let parent = read::served_value(self.route.descriptor(), &object)?;
        if let Some(part) = &self.route.part {
            scale::check_readable(&part.does, self.route.descriptor(), &parent)?;
        }
        Ok(self.scale_of(200, &parent))
    }

    /// The Scale of an object in its served version.
    fn scale_of(&self, code: u16, parent: &Value) -> Response<Body> {
        let scale = self.route.part.as_ref().map(|part| scale::of_parent(&part.does, parent)).unwrap_or_default();
        answer::object(&self.form, &scale::descriptor(), code, scale)
    }

    async fn list(&self) -> Result<Response<Body>> {
        self.form.check_shape(self.route.descriptor(), true)?;
        let options = ListOptions::parse(self.query, false)?;
        let page = read::list(self.server, &self.route, &options).await?;
        answer::list(&self.form, &self.route.endpoint.descriptor, page)
    }

    /// Create, update, patch and apply.
    async fn write(&self, body: &Bytes) -> Result<Response<Body>> {
        let (route, arrived) = (&self.route, self.arrived(body));
        let decoded = match route.info.verb {
            "create" => decode::object(route, arrived, WriteKind::Create)?,
            "update" => decode::object(route, arrived, WriteKind::Update)?,
            _ => decode::patch(route, arrived)?,
        };
        let DecodedWrite { mut intent, options, options_object } = decoded;
        if let Intent::Create(sent) | Intent::Update(sent) = &intent {
            let served = || crate::form::to_served(route.descriptor(), sent.object.clone());
            self.warnings.trail.request_object(served);
        }
        match &mut intent {
            Intent::Create(sent) => {
                resource::rules::ensure_namespace(route.descriptor(), &route.info.namespace, &mut sent.object)?;
            }
            Intent::Update(sent) => {
                resource::rules::ensure_namespace(route.descriptor(), &route.info.namespace, &mut sent.object)?;
                decode::check_name(&route.info, &sent.object)?;
            }
            Intent::Scale(ScaleChange::Replace(scale)) => decode::check_name(&route.info, scale)?,
            _ => {}
        }
        let manager = decode::manager_of(&options, arrived.headers);
        let name = match &intent {
            Intent::Create(sent) => Str::from(sent.object["metadata"]["name"].str()),
            _ => route.info.name.clone(),
        };
        let user = self.authorized.authenticated.user().clone();
        let warnings = self.warnings.clone();
        let write = Write { route: route.clone(), user, name, intent, options, manager, options_object, warnings };
        if write.may_create() && route.info.verb != "create" {
            self.authorize_create(&write).await?;
        }
        let outcome = match route.descriptor().review {
            Some(review) => review::answer(self.server, &write, review).await?,
            None => change(self.server, &write).await?,
        };
        if matches!(write.intent, Intent::Scale(_)) {
            let parent = crate::form::to_served(route.descriptor(), outcome.object);
            return Ok(self.scale_of(outcome.code, &parent));
        }
        answer::outcome(&self.form, &route.endpoint.descriptor, outcome.code, outcome)
    }

    /// A write to a name that is free creates, which its sender must be allowed to.
    async fn authorize_create(&self, write: &Write) -> Result<()> {
        let key = self.route.endpoint.key(&self.route.info.namespace, &write.name);
        if self.server.store.get(&key).is_some() {
            return Ok(());
        }
        let info = PathInfo { verb: "create", ..self.route.info.clone() };
        let authenticated = self.authorized.authenticated.clone();
        match self.server.authorizers.authorize(authenticated, &info, &Trail::default()).await {
            Ok(_) => Ok(()),
            Err(Unauthorized::Refused(status)) => Err(status),
            Err(Unauthorized::Undecided(why)) => Err(Status::internal(why)),
        }
    }

    /// A create that acts on another object.
    async fn act(&self, action: &'static dyn Action, body: &Bytes) -> Result<Response<Body>> {
        let user = self.authorized.authenticated.user();
        action::decode(self.server, &self.route, user, action, self.arrived(body))?.run().await?;
        Ok(answer::status(&self.form, &Status { code: 201, ..Status::success(Details::default()) }))
    }

    /// A create that makes a token for the parent.
    async fn issue_token(&self, rules: &dyn TokenRules, body: &Bytes) -> Result<Response<Body>> {
        let (route, info) = (&self.route, &self.route.info);
        let kind = route.part.as_ref().map(|part| part.kind.clone()).unwrap_or_default();
        let options = WriteOptions::parse(self.query, WriteKind::Create)?;
        let mut request = decode::body_of_kind(route, self.arrived(body), &kind, &[], options.field_validation)?;
        resource::rules::ensure_namespace(route.descriptor(), &info.namespace, &mut request)?;
        let reader = StoreReader { resources: &route.resources, store: &self.server.store };
        let ctx = Context {
            user: self.authorized.authenticated.user(),
            now: Timestamp::now(),
            dry_run: options.dry_run,
            namespace: &info.namespace,
            subresource: &info.subresource,
            reader: &reader,
        };
        let d = route.descriptor();
        token::admit(self.server, &ctx, info, &kind, &options, &mut request, self.warnings).await?;
        let account = reader.get(&d.group, &d.plural, &info.namespace, &info.name);
        let account = account.ok_or_else(|| Status::not_found(&d.group, &d.plural, &info.name))?;
        let answered = token::issue(self.server, rules, &ctx, &account, request, self.warnings)?;
        Ok(answer::tree(&self.form, 201, &kind, &answered))
    }

    fn deletion(&self, name: &str, delete: &Delete) -> Write {
        Write {
            route: self.route.clone(),
            user: self.authorized.authenticated.user().clone(),
            name: name.into(),
            intent: Intent::Delete(delete.clone()),
            options: WriteOptions { dry_run: delete.dry_run, ..WriteOptions::default() },
            manager: Str::default(),
            options_object: delete.to_value(),
            warnings: self.warnings.clone(),
        }
    }

    /// The object while it stays or where its kind answers so, else a Status.
    fn deleted(&self, outcome: Outcome, delete: &Delete) -> Result<Response<Body>> {
        let descriptor = &self.route.endpoint.descriptor;
        let code = if !outcome.deleted && delete.options.orphan_dependents == Some(false) { 202 } else { 200 };
        if !outcome.deleted || descriptor.strategy.delete_returns_object {
            answer::outcome(&self.form, descriptor, code, outcome)
        } else {
            let metadata = &outcome.object["metadata"];
            Ok(answer::status(
                &self.form,
                &Status::success(Details {
                    name: metadata["name"].str().into(),
                    group: descriptor.group.clone(),
                    kind: descriptor.plural.clone(),
                    uid: metadata["uid"].str().into(),
                    ..Details::default()
                }),
            ))
        }
    }

    async fn delete_collection(&self, body: &Bytes) -> Result<Response<Body>> {
        let options = ListOptions::parse(self.query, false)?;
        let delete = decode::delete(&self.server.schema, self.query, &self.head.headers, body)?;
        let page = read::list(self.server, &self.route, &options).await?;
        let mut warnings = Vec::new();
        self.route.descriptor().hooks.warn_delete(&delete.options, &mut warnings);
        self.warnings.extend(warnings);
        for object in &page.objects {
            match change(self.server, &self.deletion(&object.meta.name, &delete)).await {
                Ok(_) => {}
                Err(status) if status.reason == Reason::NotFound => {}
                Err(status) => return Err(status),
            }
        }
        let page = read::Page { continue_token: String::new(), remaining: None, ..page };
        answer::list(&self.form, &self.route.endpoint.descriptor, page)
    }

    /// The same front, then a stream that ends by itself.
    async fn watch(&self) -> Result<Response<Body>> {
        let descriptor = &self.route.endpoint.descriptor;
        if !descriptor.verbs.contains(&Verb::Watch) {
            return Err(Status::method_not_supported(&descriptor.group, &descriptor.plural, "watch"));
        }
        let mut options = ListOptions::parse(self.query, true)?;
        options.select_name(&self.route.info);
        let watch = watching::open(self.server, &self.route, &options).await?;
        let mut frames = Frames::new(self.form.clone(), descriptor.clone());
        let open = self.server.queue.open_watch(&self.route.info);
        let frames = watching::stream(watch, move |change| {
            let _ = &open;
            frames.frame(change)
        });
        let (frames, format) = (Box::pin(frames), self.form.accepted.format);
        if websocket::is_wanted(&self.head.headers) {
            let mut stopping = self.server.stopping.clone();
            let stopped = async move { stopping.wait_for(|stop| *stop).await.is_ok() };
            let trail = self.warnings.trail.clone();
            let frames = Box::pin(frames.take_until(stopped).inspect(move |_| {
                let _ = &trail;
            }));
            let upgraded = websocket::answer(self.head, frames, format == Format::Json);
            return upgraded.ok_or_else(|| Status::bad_request("the connection cannot be upgraded"));
        }
        Ok(answer::watch(format, Body::Stream(frames)))
    }
}

/// One write to one object: propose → mutate → prepare → validate → admit → commit, again from the beginning when
/// something that it built on has changed meanwhile.
pub async fn change(server: &Server, write: &Write) -> Result<Outcome> {
    let generates_name = matches!(write.intent, Intent::Create(_)) && write.name.is_empty();
    let attempts_max = if generates_name { GENERATED_NAMES_MAX } else { ATTEMPTS_MAX };
    for _ in 0..attempts_max {
        let attempt = write::begin(server, write)?;
        let proposed = attempt.propose()?;
        let mutated = proposed.mutate().await?;
        let prepared = mutated.prepare().await?;
        let validated = prepared.validate()?;
        let admitted = validated.admit().await?;
        match admitted.commit().await? {
            Attempted::Done(outcome) => return Ok(outcome),
            Attempted::Again => {}
        }
    }
    let descriptor = write.route.descriptor();
    if generates_name {
        let status = Status::already_exists(&descriptor.group, &descriptor.plural, &write.name);
        let text = format!("{}, the server was not able to generate a unique name for the object", status.message);
        return Err(Status { message: text, ..status }.with_retry_after(1));
    }
    Err(write::conflict(&descriptor.group, &descriptor.plural, &write.name))
}
