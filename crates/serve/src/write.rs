//! Changing one object. Each step takes the evidence of the one before it and gives its own; only this module can
//! make evidence, so no step can be left out:
//! [`begin`] → [`Attempt::propose`] → [`Proposed::mutate`] → [`Mutated::prepare`] → [`Prepared::validate`] →
//! [`Validated::admit`] → [`Admitted::commit`].
//!
//! When the stored object changed meanwhile, the whole attempt runs again on the new one.

mod admitting;
mod commit;

use crate::change::{self, Intent};
use crate::form;
use crate::options::WriteOptions;
use crate::route::Route;
use crate::server::{Server, StoreReader, new_uid, random_bits};
use crate::warnings::Warnings;
use admission::Operation;
use codec::Empties;
use meta::time::Timestamp;
use meta::{Reason, Result, Status, Str, Value};
use resource::rules::{self, DeletePlan, Rules};
use resource::{Context, Hooks, SideWrite, Strategy, SubresourceKind, User};
use std::borrow::Cow;
use std::sync::Arc;

pub use commit::{side_op, store_failure};

use commit::Commit;

/// A decoded request to change one object.
pub struct Write {
    pub route: Arc<Route>,
    pub user: Arc<User>,
    /// "" while a generateName waits for its suffix.
    pub name: Str,
    pub intent: Intent,
    pub options: WriteOptions,
    /// The name under which managedFields records the change.
    pub manager: Str,
    /// What admission sees as the request's options.
    pub options_object: Value,
    pub warnings: Arc<Warnings>,
}

impl Write {
    fn namespace(&self) -> &str {
        &self.route.info.namespace
    }

    /// The rules of the resource, or of the part that is written.
    pub(crate) fn strategy(&self) -> (&Strategy, &dyn Hooks) {
        match self.route.part.as_ref().map(|part| &part.does) {
            Some(SubresourceKind::Part { strategy, hooks }) => (strategy, &**hooks),
            _ => (&self.route.descriptor().strategy, &*self.route.descriptor().hooks),
        }
    }

    fn key(&self, name: &str) -> String {
        self.route.endpoint.key(self.namespace(), name)
    }

    pub(crate) fn not_found(&self) -> Status {
        let d = self.route.descriptor();
        Status::not_found(&d.group, &d.plural, &self.name)
    }
}

/// An object as it was read.
pub struct Stored {
    pub object: Arc<store::Object>,
    /// Decoded, with its resourceVersion.
    pub value: Value,
}

/// What the answer says.
pub struct Outcome {
    pub code: u16,
    /// In the storage version, with its resourceVersion.
    pub object: Value,
    /// The same as it was stored, or as it was removed; nothing where nothing was written.
    pub written: Option<Arc<store::Object>>,
    /// The object is gone, and this was its last state.
    pub deleted: bool,
}

/// How an attempt ended.
pub enum Attempted {
    Done(Outcome),
    /// Something that the attempt built on has changed.
    Again,
}

/// One try, built on one state of the object.
pub struct Attempt<'a> {
    pub(crate) server: &'a Server,
    pub(crate) write: &'a Write,
    pub(crate) old: Option<Stored>,
    pub(crate) now: Timestamp,
    /// What admission sees as the request's options.
    options: Cow<'a, Value>,
    /// The empty lists and maps that the client sent, for messages that show them.
    empties: Empties,
}

/// Reads the object. 404 when it is missing and this write does not create it.
pub fn begin<'a>(server: &'a Server, write: &'a Write) -> Result<Attempt<'a>> {
    let descriptor = write.route.descriptor();
    let mut old = None;
    if !matches!(write.intent, Intent::Create(_)) {
        let object = server.store.get(&write.key(&write.name));
        old = match object {
            Some(object) => Some(Stored { value: form::stored_value(descriptor, &object)?, object }),
            None => None,
        };
        if old.is_none() && !write.may_create() {
            return Err(write.not_found());
        }
    }
    let options = admitting::options(&write.options_object, old.is_none());
    Ok(Attempt { server, write, old, now: Timestamp::now(), options, empties: Empties::default() })
}

impl Write {
    /// Whether a missing object is created.
    pub fn may_create(&self) -> bool {
        match &self.intent {
            Intent::Create(_) => true,
            Intent::Apply(_) => self.route.part.is_none(),
            Intent::Update(_) => self.route.part.is_none() && self.route.descriptor().strategy.create_on_update,
            Intent::Patch(_) | Intent::Delete(_) | Intent::Scale(_) => false,
        }
    }
}

impl<'a> Attempt<'a> {
    /// Whether the attempt found nothing to change and will create.
    pub fn creates(&self) -> bool {
        self.old.is_none()
    }

    pub(crate) fn old_value(&self) -> Option<&Value> {
        self.old.as_ref().map(|old| &old.value)
    }

    /// Adds a Warning header.
    pub(crate) fn warn(&self, text: String) {
        self.write.warnings.add(text);
    }

    fn operation(&self) -> Operation {
        match (&self.write.intent, &self.old) {
            (Intent::Delete(_), _) => Operation::Delete,
            (_, None) => Operation::Create,
            _ => Operation::Update,
        }
    }

    /// Calls `f` with what hooks may know.
    fn with_context<T>(&self, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let write = self.write;
        let reader = StoreReader { resources: &write.route.resources, store: &self.server.store };
        let part = write.route.part.as_ref();
        f(&Context {
            user: &write.user,
            now: self.now,
            dry_run: write.options.dry_run,
            namespace: write.namespace(),
            subresource: part.map_or("", |part| part.name.as_str()),
            reader: &reader,
        })
    }

    fn with_rules<T>(&self, f: impl FnOnce(&Rules<'_>) -> T) -> T {
        let (strategy, hooks) = self.write.strategy();
        let descriptor = self.write.route.descriptor();
        self.with_context(|ctx| f(&Rules { descriptor, strategy, hooks, ctx }))
    }

    /// The object as the client wants it, with its fields' managers; nothing for a delete.
    pub fn propose(mut self) -> Result<Proposed<'a>> {
        self.check_uid()?;
        let wanted = change::propose(&self)?;
        let new = wanted.map(|wanted| {
            self.empties = wanted.empties;
            wanted.object
        });
        Ok(Proposed { attempt: self, new })
    }

    /// 409 when the body speaks of another object of the same name.
    fn check_uid(&self) -> Result<()> {
        let (Intent::Update(body), Some(old)) = (&self.write.intent, &self.old) else { return Ok(()) };
        let (wanted, stored) = (body.object["metadata"]["uid"].str(), old.value["metadata"]["uid"].str());
        if wanted.is_empty() || wanted == stored {
            return Ok(());
        }
        let d = self.write.route.descriptor();
        // upstream's dry run does not know the prefix that its store adds
        let whole = &*old.object.key;
        let key = if self.write.options.dry_run { whole.strip_prefix("/registry").unwrap_or(whole) } else { whole };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {stored}"
        );
        Err(Status::conflict(&d.group, &d.plural, &self.write.name, &why))
    }
}

/// An object that a client wants.
pub struct Proposed<'a> {
    attempt: Attempt<'a>,
    new: Option<Value>,
}

impl<'a> Proposed<'a> {
    /// What the cluster's policy adds.
    pub async fn mutate(self) -> Result<Mutated<'a>> {
        let Proposed { attempt, mut new } = self;
        let name = match &new {
            Some(object) if attempt.write.name.is_empty() => Str::from(object["metadata"]["name"].str()),
            _ => attempt.write.name.clone(),
        };
        let mut nothing = Value::Null;
        let object = new.as_mut().unwrap_or(&mut nothing);
        let managers = object["metadata"]["managedFields"].clone();
        if !attempt.is_admitted() && attempt.admission(&attempt.kind(), &name).mutate(object).await? {
            attempt.drop_duplicate_owners(object, " after mutating admission happens");
            attempt.keep_readable_managers(object, managers);
        }
        Ok(Mutated { attempt, new })
    }
}

impl Mutated<'_> {
    /// A question, checked; it is not going to be stored.
    pub async fn into_question(self) -> Result<Value> {
        let Mutated { attempt, new } = self;
        let object = new.unwrap_or_default();
        let mut errs = meta::field::ErrorList::new();
        let (_, hooks) = attempt.write.strategy();
        attempt.with_context(|ctx| hooks.validate(ctx, &object, &mut errs));
        if !errs.is_empty() {
            return Err(Status::invalid(&attempt.write.route.descriptor().group, "", "", errs));
        }
        attempt.admission(&attempt.kind(), object["metadata"]["name"].str()).validate(&object).await?;
        Ok(object)
    }
}

/// After mutating admission.
pub struct Mutated<'a> {
    attempt: Attempt<'a>,
    new: Option<Value>,
}

impl<'a> Mutated<'a> {
    /// System fields, resets, generation, and what the resource itself prepares; for a delete its plan.
    pub async fn prepare(self) -> Result<Prepared<'a>> {
        let Mutated { attempt, new } = self;
        if let Some(object) = &new {
            check_grant(&attempt, object).await?;
        }
        let plan = match (new, &attempt.old, &attempt.write.intent) {
            (Some(object), None, _) => Plan::Create(prepare_created(&attempt, object)?),
            (Some(object), Some(old), _) => Plan::Update(prepare_updated(&attempt, object, &old.value)?),
            (None, Some(old), Intent::Delete(delete)) => {
                let mut warnings = Vec::new();
                attempt.write.strategy().1.warn_delete(&delete.options, &mut warnings);
                attempt.write.warnings.extend(warnings);
                Plan::Delete(attempt.with_rules(|rules| rules::plan_delete(rules, &delete.options, &old.value))?)
            }
            (None, _, _) => return Err(attempt.write.not_found()),
        };
        Ok(Prepared { attempt, plan })
    }
}

/// Nobody gives away rights that they do not have.
async fn check_grant(attempt: &Attempt<'_>, object: &Value) -> Result<()> {
    let write = attempt.write;
    let descriptor = write.route.descriptor();
    let granting = auth::escalation::Write {
        user: &write.user.name,
        groups: &write.user.groups,
        group: &descriptor.group,
        resource: &descriptor.plural,
        subresource: write.route.part.as_ref().map_or("", |part| part.name.as_str()),
        namespace: write.namespace(),
        request_name: &write.route.info.name,
        old: attempt.old_value(),
        object,
    };
    attempt.server.authorizers.check_grant(&write.user, &granting).await
}

fn prepare_created(attempt: &Attempt, mut object: Value) -> Result<Value> {
    let descriptor = attempt.write.route.descriptor();
    rules::fill_system_fields(&mut object, attempt.now, &new_uid());
    let base = object["metadata"]["generateName"].str();
    if object["metadata"]["name"].str().is_empty() && !base.is_empty() {
        let name = rules::generate_name(base, random_bits());
        object.entry("metadata").set("name", name);
    }
    rules::ensure_namespace(descriptor, attempt.write.namespace(), &mut object)?;
    attempt.with_rules(|rules| rules::prepare_create(rules, &mut object));
    form::canonicalise_stored(descriptor, &mut object)?;
    Ok(object)
}

fn prepare_updated(attempt: &Attempt, mut object: Value, old: &Value) -> Result<Value> {
    let descriptor = attempt.write.route.descriptor();
    check_revision(attempt, &mut object, old)?;
    rules::ensure_namespace(descriptor, attempt.write.namespace(), &mut object)?;
    attempt.with_rules(|rules| rules::prepare_update(rules, &mut object, old));
    form::canonicalise_stored(descriptor, &mut object)?;
    Ok(object)
}

/// The optimistic lock: a body with another resourceVersion than the stored one is refused, one with none is not,
/// where the resource allows that.
fn check_revision(attempt: &Attempt, object: &mut Value, old: &Value) -> Result<()> {
    let d = attempt.write.route.descriptor();
    let name = &attempt.write.name;
    let text = object["metadata"]["resourceVersion"].str();
    let wanted = crate::query::parse_revision(text).map_err(|why| Status::failure(500, Reason::Unknown, why))?;
    let stored = old["metadata"]["resourceVersion"].str();
    if wanted == 0 {
        if !attempt.write.strategy().0.unconditional_update {
            let mut errs = meta::field::ErrorList::new();
            let path = meta::field::Path::new("metadata").child("resourceVersion");
            errs.invalid(&path, 0, "must be specified for an update");
            return Err(Status::invalid(&d.group, &d.plural, name, errs));
        }
        object.entry("metadata").set("resourceVersion", stored);
    } else if text != stored {
        return Err(conflict(&d.group, &d.plural, name));
    }
    Ok(())
}

/// 409 with upstream's fixed text.
pub fn conflict(group: &str, resource: &str, name: &str) -> Status {
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Status::conflict(group, resource, name, why)
}

/// What is going to happen.
enum Plan {
    Create(Value),
    Update(Value),
    Delete(DeletePlan),
}

impl Attempt<'_> {
    /// 422 with everything that is wrong. Upstream still has the empty lists and maps of the body here and shows them in its
    /// messages, so what is refused is judged once more with them; where that would find something else, they are left out.
    fn check(&self, object: &Value, validate: impl Fn(&Rules<'_>, &Value) -> Result<()>) -> Result<()> {
        let refused = match self.with_rules(|rules| validate(rules, object)) {
            Err(refused) if !self.empties.is_empty() && self.write.route.descriptor().convert.is_none() => refused,
            other => return other,
        };
        let mut as_sent = object.clone();
        self.empties.restore(&mut as_sent);
        let findings = |status: &Status| {
            let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
            causes.iter().map(|cause| (cause.field.clone(), cause.reason.clone())).collect::<Vec<_>>()
        };
        match self.with_rules(|rules| validate(rules, &as_sent)) {
            Err(shown) if findings(&shown) == findings(&refused) => Err(shown),
            _ => Err(refused),
        }
    }
}

/// After preparation.
pub struct Prepared<'a> {
    attempt: Attempt<'a>,
    plan: Plan,
}

impl<'a> Prepared<'a> {
    /// 422 with everything that is wrong.
    pub fn validate(self) -> Result<Validated<'a>> {
        let Prepared { attempt, mut plan } = self;
        let mut warnings = Vec::new();
        let (_, hooks) = attempt.write.strategy();
        match &mut plan {
            Plan::Create(object) => {
                attempt.check(object, rules::validate_create)?;
                attempt.with_context(|ctx| hooks.warn(ctx, object, None, &mut warnings));
            }
            Plan::Update(object) => {
                let old = attempt.old_value().unwrap_or(&Value::Null);
                attempt.check(object, |rules, object| rules::validate_update(rules, object, old))?;
                attempt.with_context(|ctx| hooks.warn(ctx, object, Some(old), &mut warnings));
                change::keep_managed_times(object, old);
            }
            Plan::Delete(_) => {}
        }
        attempt.write.warnings.extend(warnings);
        Ok(Validated { attempt, plan })
    }
}

/// After validation.
pub struct Validated<'a> {
    attempt: Attempt<'a>,
    plan: Plan,
}

impl<'a> Validated<'a> {
    /// What the cluster's policy refuses; and what is written together with the object.
    pub async fn admit(self) -> Result<Admitted<'a>> {
        let Validated { attempt, mut plan } = self;
        let kind = attempt.kind();
        let mut side_writes = Vec::new();
        match &mut plan {
            Plan::Create(object) | Plan::Update(object) => {
                let name = Str::from(object["metadata"]["name"].str());
                let admission = attempt.admission(&kind, &name);
                admission.validate(object).await?;
                let (_, hooks) = attempt.write.strategy();
                let old = attempt.old_value();
                side_writes = attempt.with_context(|ctx| hooks.plan_side_writes(ctx, Some(object), old))?;
                side_writes.extend(admission.plan_side_writes(object)?);
            }
            Plan::Delete(_) if attempt.is_admitted() => {}
            Plan::Delete(_) => attempt.admission(&kind, &attempt.write.name).validate(&Value::Null).await?,
        }
        Ok(Admitted { attempt, plan, side_writes })
    }
}

/// After validating admission: may be written.
pub struct Admitted<'a> {
    attempt: Attempt<'a>,
    plan: Plan,
    side_writes: Vec<SideWrite>,
}

impl Admitted<'_> {
    /// Writes it, durably, or with a dry run pretends to.
    pub async fn commit(self) -> Result<Attempted> {
        let Admitted { attempt, plan, side_writes } = self;
        let commit = Commit { server: attempt.server, write: attempt.write, old: attempt.old, side_writes };
        let released = match (&plan, &commit.old) {
            (Plan::Update(object), Some(old)) => commit.is_released(object, &old.value, attempt.now),
            _ => false,
        };
        match plan {
            Plan::Create(object) => commit.create(object).await,
            Plan::Update(object) if released => commit.remove(Some(object), attempt.now).await,
            Plan::Update(object) => commit.update(object).await,
            Plan::Delete(DeletePlan::Keep(object)) => commit.update(object).await,
            Plan::Delete(DeletePlan::Remove { marked: None }) => commit.remove(None, attempt.now).await,
            Plan::Delete(DeletePlan::Remove { marked: Some(object) }) => commit.mark_and_remove(object).await,
            Plan::Delete(DeletePlan::Pending) => {
                let object = commit.old.map(|old| old.value).unwrap_or_default();
                Ok(Attempted::Done(Outcome { code: 200, object, written: None, deleted: true }))
            }
        }
    }
}
