//! Creates that act on an object instead of making one: binding, eviction and their like. What is decided is the
//! resource's business ([`resource::Action`]); reading, writing and trying again is done here.

use crate::admit::Admission;
use crate::change::Intent;
use crate::decode::{self, Arrived};
use crate::form;
use crate::handle::change;
use crate::judge::Opinions;
use crate::options::{Delete, WriteKind, WriteOptions};
use crate::registry::Endpoint;
use crate::route::Route;
use crate::server::{Server, StoreReader};
use crate::warnings::Warnings;
use crate::write::{self, Write};
use admission::Operation;
use meta::time::Timestamp;
use meta::{Result, Status, Str, Value};
use resource::{Acted, Action, Context, User};
use std::sync::Arc;
use store::{CommitError, Expect, Op};

/// How often an action is decided against ever newer objects.
const ATTEMPTS_MAX: usize = 1000;

/// A decoded action.
pub struct Call<'a> {
    pub server: &'a Server,
    pub route: &'a Route,
    pub user: &'a Arc<User>,
    pub action: &'static dyn Action,
    warnings: &'a Warnings,
    body: Value,
    options: WriteOptions,
    /// What is acted on.
    endpoint: Arc<Endpoint>,
    name: Str,
}

/// Decodes the body of an action.
pub fn decode<'a>(
    server: &'a Server,
    route: &'a Route,
    user: &'a Arc<User>,
    action: &'static dyn Action,
    arrived: Arrived<'a>,
) -> Result<Call<'a>> {
    let warnings = arrived.warnings;
    let options = WriteOptions::parse(arrived.query, WriteKind::Create)?;
    let (kind, other_versions) = (action.kind(), action.other_versions());
    let mut body = decode::body_of_kind(route, arrived, &kind, other_versions, options.field_validation)?;
    resource::rules::ensure_namespace(route.descriptor(), &route.info.namespace, &mut body)?;
    let name = action.object_name(&route.info.name, &body)?;
    let (group, plural) = action.target();
    let endpoint = route.resources.stored(group, plural).cloned();
    let endpoint = endpoint.ok_or_else(Status::resource_not_found)?;
    Ok(Call { server, route, user, action, warnings, body, options, endpoint, name })
}

impl Call<'_> {
    /// Does it: 201 with a Status when it is done.
    pub async fn run(&self) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let descriptor = &self.endpoint.descriptor;
            let key = self.endpoint.key(&self.route.info.namespace, &self.name);
            let Some(stored) = self.server.store.get(&key) else {
                // What the cluster's policy says comes first, as of everything that is created.
                self.admit().await?;
                return Err(Status::not_found(&descriptor.group, &descriptor.plural, &self.name));
            };
            let old = form::stored_value(descriptor, &stored)?;
            match self.decide(&old).await? {
                Acted::Nothing => return Ok(()),
                Acted::Update(object) => {
                    let op = self.put(&key, object, stored.revision)?;
                    if self.commit(vec![op]).await? {
                        return Ok(());
                    }
                }
                Acted::Delete { first, options } => {
                    let mut ops = Vec::new();
                    for side in &first {
                        ops.extend(write::side_op(self.server, &self.route.resources, side)?);
                    }
                    if self.commit(ops).await? {
                        return self.delete(options).await;
                    }
                }
            }
        }
        let d = &self.endpoint.descriptor;
        Err(write::conflict(&d.group, &d.plural, &self.name))
    }

    /// Admission of the body, then the action's own decision.
    async fn decide(&self, old: &Value) -> Result<Acted> {
        let body = self.admit().await?;
        self.with_context(|ctx| self.action.act(ctx, old, &body))
    }

    fn with_context<T>(&self, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let info = &self.route.info;
        let reader = StoreReader { resources: &self.route.resources, store: &self.server.store };
        f(&Context {
            user: self.user,
            now: Timestamp::now(),
            dry_run: self.options.dry_run,
            namespace: &info.namespace,
            subresource: &info.subresource,
            reader: &reader,
        })
    }

    /// The body as the cluster's policy leaves it.
    async fn admit(&self) -> Result<Value> {
        let (info, kind) = (&self.route.info, self.action.kind());
        let options = self.options.to_value(WriteKind::Create);
        let admission = Admission {
            server: self.server,
            resources: &self.route.resources,
            user: self.user,
            operation: Operation::Create,
            group: &info.group,
            version: &info.version,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &self.name,
            kind: &kind,
            old: None,
            options: &options,
            dry_run: self.options.dry_run,
            now: Timestamp::now(),
            warnings: self.warnings,
            opinions: Opinions::default(),
        };
        let mut body = self.body.clone();
        admission.mutate(&mut body).await?;
        admission.validate(&body).await?;
        Ok(body)
    }

    fn put(&self, key: &str, mut object: Value, revision: u64) -> Result<Op> {
        let descriptor = &self.endpoint.descriptor;
        form::canonicalise_stored(descriptor, &mut object)?;
        let bytes = form::encode_stored(descriptor, &mut object)?;
        let meta = self.endpoint.store_meta(&object);
        Ok(Op::Put { key: key.to_owned(), bytes, meta, expect: Expect::Revision(revision) })
    }

    /// False: something has changed meanwhile.
    async fn commit(&self, ops: Vec<Op>) -> Result<bool> {
        if self.options.dry_run || ops.is_empty() {
            return Ok(true);
        }
        match self.server.store.commit(ops).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(other) => Err(write::store_failure(&other, &self.endpoint.descriptor.plural)),
        }
    }

    /// As if the client had deleted the object.
    async fn delete(&self, options: resource::rules::DeleteOptions) -> Result<()> {
        let delete = Delete { options, dry_run: self.options.dry_run, admitted: true };
        let info = crate::path::PathInfo {
            group: self.endpoint.descriptor.group.clone(),
            version: self.endpoint.descriptor.version.clone(),
            resource: self.endpoint.descriptor.plural.clone(),
            subresource: Str::default(),
            ..self.route.info.clone()
        };
        let route =
            Route { resources: self.route.resources.clone(), endpoint: self.endpoint.clone(), part: None, info };
        let write = Write {
            route: Arc::new(route),
            user: self.user.clone(),
            name: self.name.clone(),
            options: WriteOptions { dry_run: delete.dry_run, ..WriteOptions::default() },
            manager: Str::default(),
            options_object: delete.to_value(),
            warnings: Arc::default(),
            intent: Intent::Delete(delete),
        };
        change(self.server, &write).await.map(drop)
    }
}
