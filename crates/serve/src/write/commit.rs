//! The last step of a write: one transaction with all that belongs to it, or the pretence of one.

use super::{Attempted, Outcome, Stored, Write};
use crate::change::Intent;
use crate::form;
use crate::managers::{Recorder, Sender};
use crate::server::{Server, StoreReader, new_uid};
use meta::time::Timestamp;
use meta::{Reason, Result, Status, Str, Value};
use resource::rules::{self, Rules};
use resource::{Context, Recorded, SideWrite, SubresourceKind};
use std::sync::Arc;
use store::{CommitError, Committed, Expect, Op};

/// What is written, with what the answer needs.
pub(super) struct Commit<'a> {
    pub(super) server: &'a Server,
    pub(super) write: &'a Write,
    pub(super) old: Option<Stored>,
    pub(super) side_writes: Vec<SideWrite>,
}

impl Commit<'_> {
    /// Nothing was written.
    fn pretended(self, code: u16, object: Value, deleted: bool) -> Result<Attempted> {
        Ok(Attempted::Done(Outcome { code, object, written: None, deleted }))
    }

    /// The transaction's first op was about the object.
    fn done(self, code: u16, mut object: Value, committed: Committed, deleted: bool) -> Result<Attempted> {
        set_revision(&mut object, committed.revision);
        let written = committed.objects.into_iter().next();
        Ok(Attempted::Done(Outcome { code, object, written, deleted }))
    }

    fn with_context<T>(&self, now: Timestamp, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let reader = StoreReader { resources: &self.write.route.resources, store: &self.server.store };
        f(&Context {
            user: &self.write.user,
            now,
            dry_run: self.write.options.dry_run,
            namespace: self.write.namespace(),
            subresource: self.write.route.part.as_ref().map_or("", |part| part.name.as_str()),
            reader: &reader,
        })
    }

    /// Whether what this was decided on is still so: nothing is written, so that the store compares nothing.
    async fn is_current(&self, key: &str) -> Result<bool> {
        let store = &self.server.store;
        store.read_barrier().await.map_err(|why| store_failure(&why, &self.write.route.descriptor().plural))?;
        let revision = self.old.as_ref().map(|old| old.object.revision);
        Ok(store.get(key).map(|object| object.revision) == revision)
    }

    pub(super) fn is_released(&self, object: &Value, old: &Value, now: Timestamp) -> bool {
        let descriptor = self.write.route.descriptor();
        self.with_context(now, |ctx| {
            let rules = Rules { descriptor, strategy: &descriptor.strategy, hooks: &*descriptor.hooks, ctx };
            rules::is_released(&rules, object, old)
        })
    }

    pub(super) async fn create(self, mut object: Value) -> Result<Attempted> {
        let d = self.write.route.descriptor();
        let is_apply_or_put = !matches!(self.write.intent, Intent::Create(_));
        let text = object["metadata"]["resourceVersion"].str();
        let dry_run = self.write.options.dry_run;
        // a version that does not parse is none, as upstream has it
        if !is_apply_or_put && !dry_run && crate::query::parse_revision(text).is_ok_and(|revision| revision > 0) {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(Status::failure(500, Reason::Unknown, why));
        }
        if !dry_run {
            object.entry("metadata").remove("resourceVersion");
        }
        let name = Str::from(object["metadata"]["name"].str());
        let key = self.write.key(&name);
        if self.write.options.dry_run {
            return match self.is_current(&key).await? {
                true => self.pretended(201, object, false),
                false => self.exists(&object, self.server.store.get(&key)),
            };
        }
        let op = self.put(key.clone(), &mut object, Expect::Absent)?;
        match self.transact(op).await {
            Ok(committed) => self.done(201, object, committed, false),
            Err(CommitError::Conflict { key: at, current }) if *at == *key => self.exists(&object, current),
            Err(CommitError::Conflict { .. }) => Ok(Attempted::Again),
            Err(other) => Err(store_failure(&other, &d.plural)),
        }
    }

    /// Another object has the name.
    fn exists(&self, object: &Value, current: Option<Arc<store::Object>>) -> Result<Attempted> {
        let d = self.write.route.descriptor();
        let name = object["metadata"]["name"].str();
        if !matches!(self.write.intent, Intent::Create(_)) {
            return Ok(Attempted::Again);
        }
        if self.write.name.is_empty() && !object["metadata"]["generateName"].str().is_empty() {
            return Ok(Attempted::Again);
        }
        let mut status = Status::already_exists(&d.group, &d.plural, name);
        let current = current.and_then(|object| form::stored_value(d, &object).ok());
        if current.is_some_and(|object| !object["metadata"]["deletionTimestamp"].is_null()) {
            status.message = format!("object is being deleted: {}", status.message);
        }
        Err(status)
    }

    pub(super) async fn update(self, mut object: Value) -> Result<Attempted> {
        let d = self.write.route.descriptor();
        let Some(old) = &self.old else { return Err(self.write.not_found()) };
        let stale = self.server.store.is_stale(&old.object);
        let unchanged = object == old.value && self.side_writes.is_empty() && !stale;
        let key = old.object.key.to_string();
        if unchanged || self.write.options.dry_run {
            return if self.is_current(&key).await? {
                self.pretended(200, object, false)
            } else {
                Ok(Attempted::Again)
            };
        }
        let op = self.put(key, &mut object, Expect::Revision(old.object.revision))?;
        match self.transact(op).await {
            Ok(committed) => self.done(200, object, committed, false),
            Err(CommitError::Conflict { .. }) => Ok(Attempted::Again),
            Err(other) => Err(store_failure(&other, &d.plural)),
        }
    }

    /// Removes the object; `last` is what an update that released it answers with.
    pub(super) async fn remove(mut self, last: Option<Value>, now: Timestamp) -> Result<Attempted> {
        let d = self.write.route.descriptor();
        let Some(old) = &self.old else { return Err(self.write.not_found()) };
        let by_update = last.is_some();
        let hooks = &d.hooks;
        let mut ops =
            vec![Op::Delete { key: old.object.key.to_string(), expect: Expect::Revision(old.object.revision) }];
        let planned = self.with_context(now, |ctx| hooks.plan_side_writes(ctx, None, Some(&old.value)))?;
        if self.write.options.dry_run {
            let object = last.unwrap_or_else(|| old.value.clone());
            let is_current = self.is_current(&old.object.key).await?;
            return if is_current { self.pretended(200, object, !by_update) } else { Ok(Attempted::Again) };
        }
        ops.extend(self.side_ops(&planned)?);
        // Nobody looks at the old state any more.
        let old = self.old.take().map(|old| old.value);
        let object = last.or(old).unwrap_or_default();
        match self.server.store.commit(ops).await {
            // What an update released is answered as the update left it.
            Ok(_) if by_update => self.pretended(200, object, false),
            Ok(committed) => self.done(200, object, committed, true),
            Err(CommitError::Conflict { .. }) => Ok(Attempted::Again),
            Err(other) => Err(store_failure(&other, &d.plural)),
        }
    }

    /// A graceful kind deleted without grace: watchers see the deletion time first.
    pub(super) async fn mark_and_remove(mut self, mut object: Value) -> Result<Attempted> {
        let d = self.write.route.descriptor();
        let Some(old) = &self.old else { return Err(self.write.not_found()) };
        if self.write.options.dry_run {
            return self.pretended(200, object, true);
        }
        let op = self.put(old.object.key.to_string(), &mut object, Expect::Revision(old.object.revision))?;
        let marked = match self.server.store.commit(vec![op]).await {
            Ok(mut committed) => committed.objects.pop(),
            Err(CommitError::Conflict { .. }) => return Ok(Attempted::Again),
            Err(other) => return Err(store_failure(&other, &d.plural)),
        };
        if let Some(marked) = marked {
            set_revision(&mut object, marked.revision);
            self.old = Some(Stored { object: marked, value: object });
        }
        self.remove(None, Timestamp::now()).await
    }

    fn put(&self, key: String, object: &mut Value, expect: Expect) -> Result<Op> {
        let endpoint = &self.write.route.endpoint;
        let mut meta = endpoint.store_meta(object);
        if endpoint.descriptor.strategy.expires {
            let ttl = i64::try_from(self.server.settings.event_ttl.as_secs()).unwrap_or(i64::MAX);
            meta.expires_at_seconds = Some(Timestamp::now().seconds.saturating_add(ttl));
        }
        // What another form or another version of it left behind is written anew.
        let old = self.old.as_ref().filter(|old| !self.server.store.is_stale(&old.object));
        let bytes = form::encode_stored_over(&endpoint.descriptor, object, old)?;
        Ok(Op::Put { key, bytes, meta, expect })
    }

    /// Commits an op and the side writes as one transaction.
    async fn transact(&self, op: Op) -> std::result::Result<store::Committed, CommitError> {
        let side = self.side_ops(&self.side_writes);
        let Ok(side) = side else {
            return Err(CommitError::Unavailable("a side write could not be encoded".into()));
        };
        let mut ops = vec![op];
        ops.extend(side);
        self.server.store.commit(ops).await
    }

    fn side_ops(&self, writes: &[SideWrite]) -> Result<Vec<Op>> {
        let mut ops = Vec::with_capacity(writes.len());
        for write in writes {
            ops.extend(side_op(self.server, &self.write.route.resources, write)?);
        }
        Ok(ops)
    }
}

/// The server itself.
const OWN: Sender<'_> = Sender { manager: "kube-apiserver", clears: false };

/// A write to another object as a step of the transaction; nothing for the delete of what is not there.
pub fn side_op(server: &Server, resources: &crate::registry::Resources, write: &SideWrite) -> Result<Option<Op>> {
    let (SideWrite::Create { group, resource, namespace, name, .. }
    | SideWrite::Update { group, resource, namespace, name, .. }
    | SideWrite::Delete { group, resource, namespace, name }) = write;
    let Some(endpoint) = resources.stored(group, resource) else {
        return Err(Status::internal(format!("no resource {resource} in group {group}")));
    };
    let key = endpoint.key(namespace, name);
    let put = |object: &Value, expect: Expect, recorded: Recorded| -> Result<Option<Op>> {
        let mut object = object.clone();
        let d = &endpoint.descriptor;
        object.set("apiVersion", d.api_version());
        object.set("kind", &d.kind);
        let now = Timestamp::now();
        if expect == Expect::Absent {
            rules::fill_system_fields(&mut object, now, &new_uid());
        }
        form::canonicalise_stored(d, &mut object)?;
        if let Recorded::Subresource(subresource) = recorded {
            let stored = server.store.get(&key).filter(|_| expect != Expect::Absent);
            let live = stored.map(|stored| form::stored_value(d, &stored)).transpose()?;
            let reset_fields = match d.subresource(subresource).map(|part| &part.does) {
                Some(SubresourceKind::Part { strategy, .. }) => strategy.reset_fields,
                _ => d.strategy.reset_fields,
            };
            let recorder = Recorder { resources, descriptor: d, subresource, reset_fields, now };
            recorder.record(live.as_ref(), &mut object, &OWN);
        }
        let bytes = form::encode_stored(d, &mut object)?;
        Ok(Some(Op::Put { key: key.clone(), bytes, meta: endpoint.store_meta(&object), expect }))
    };
    match write {
        SideWrite::Create { object, recorded, .. } => put(object, Expect::Absent, *recorded),
        SideWrite::Update { object, recorded, .. } => {
            let revision = crate::query::parse_revision(object["metadata"]["resourceVersion"].str()).unwrap_or(0);
            put(object, Expect::Revision(revision), *recorded)
        }
        SideWrite::Delete { .. } => {
            let current = server.store.get(&key);
            Ok(current.map(|object| Op::Delete { key: key.clone(), expect: Expect::Revision(object.revision) }))
        }
    }
}

fn set_revision(object: &mut Value, revision: u64) {
    object.entry("metadata").set("resourceVersion", revision.to_string());
}

/// 413, 503 or 504 for what the store does not take.
pub fn store_failure(error: &CommitError, resource: &str) -> Status {
    match error {
        CommitError::TooLarge => {
            let why = format!("etcdserver: request is too large: {resource}");
            Status::failure(413, Reason::RequestEntityTooLarge, why)
        }
        CommitError::TimedOut => {
            Status::timeout("Timeout: request did not complete within requested timeout - context deadline exceeded")
        }
        other => Status::failure(503, Reason::ServiceUnavailable, other.to_string()),
    }
}
