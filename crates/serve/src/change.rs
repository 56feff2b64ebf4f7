//! From what a client sent to the object that it wants: a new object, a replacement, a patch, an applied configuration.

use crate::managers::{Recorder, Sender};
use crate::options::{Delete, FieldValidation};
use crate::scale::{self, ScaleChange};
use crate::write::Attempt;
use crate::{decode, form};
use codec::Empties;
use meta::field::{ErrorList, Path};
use meta::{Gvk, Result, Status, Value, json};
use patch::managed;
use resource::Descriptor;
use resource::rules;
use schema::{Schema, TypeId};

/// What a client wants done. Objects are in the storage version, canonical and with defaults.
pub enum Intent {
    Create(Sent),
    Update(Sent),
    Patch(Patch),
    /// A configuration in the served version, as sent.
    Apply(Value),
    Delete(Delete),
    Scale(ScaleChange),
}

/// A whole object.
pub struct Sent {
    pub object: Value,
    /// The client asks to forget who manages which field.
    pub clears_managers: bool,
    /// The empty lists and maps that the client sent.
    pub empties: Empties,
}

/// An object that a client wants.
pub struct Wanted {
    pub object: Value,
    /// The empty lists and maps that came with it.
    pub empties: Empties,
}

/// A change to the served version of the object.
pub struct Patch {
    pub kind: PatchKind,
    pub body: Value,
    /// What strict decoding finds twice in the body.
    pub duplicates: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    Json,
    Merge,
    Strategic,
}

/// The object that the client wants, its managedFields recorded; nothing for a delete.
pub fn propose(attempt: &Attempt) -> Result<Option<Wanted>> {
    let descriptor = attempt.write.route.descriptor();
    match &attempt.write.intent {
        Intent::Create(sent) | Intent::Update(sent) => {
            let mut object = sent.object.clone();
            if attempt.creates() {
                rules::wipe_system_fields(&mut object);
            }
            attempt.drop_duplicate_owners(&mut object, "");
            record_managers(attempt, &mut object, sent.clears_managers);
            Ok(Some(Wanted { object, empties: sent.empties.clone() }))
        }
        Intent::Patch(patch) => {
            let Patched { mut object, clears, empties } = apply_patch(attempt, descriptor, patch)?;
            attempt.drop_duplicate_owners(&mut object, " after mutating admission happens");
            record_managers(attempt, &mut object, clears);
            Ok(Some(Wanted { object, empties }))
        }
        Intent::Apply(applied) => apply(attempt, descriptor, applied).map(Some),
        Intent::Scale(wanted) => {
            let object = scale::propose(attempt, wanted)?;
            Ok(Some(Wanted { object, empties: Empties::default() }))
        }
        Intent::Delete(_) => Ok(None),
    }
}

fn old_served(attempt: &Attempt, descriptor: &Descriptor) -> Option<Value> {
    attempt.old_value().map(|old| form::to_served(descriptor, old.clone()))
}

/// Upstream writes a document that is patched anew, with its keys in order; opaque data, which is told apart by its
/// text, may differ then although the patch is about something else.
fn rewrite_opaque(descriptor: &Descriptor, served: &mut Value) {
    if descriptor.has_opaque_data {
        let content = served.entries_mut().filter(|(member, _)| *member != "metadata");
        content.for_each(|(_, value)| value.unfold());
    }
}

/// Whether objects differ at most in who manages what.
fn is_same_but_managers(a: &Value, b: &Value) -> bool {
    let without_managers = |object: &Value| {
        let mut object = object.clone();
        object.entry("metadata").remove("managedFields");
        object
    };
    without_managers(a) == without_managers(b)
}

/// A patched object.
pub struct Patched {
    pub object: Value,
    /// The patch clears the managers.
    pub clears: bool,
    pub empties: Empties,
}

/// The patched object in the storage version.
fn apply_patch(attempt: &Attempt, descriptor: &Descriptor, patch: &Patch) -> Result<Patched> {
    let mut document = old_served(attempt, descriptor).unwrap_or_default();
    rewrite_opaque(descriptor, &mut document);
    let mut patched = patched(attempt, patch, &descriptor.schema, descriptor.type_id, document)?;
    rules::ensure_namespace(descriptor, &attempt.write.route.info.namespace, &mut patched.object)?;
    decode::check_name(&attempt.write.route.info, &patched.object)?;
    patched.object = form::default_served(descriptor, patched.object);
    Ok(patched)
}

/// A document of a type, patched and canonical.
pub fn patched(attempt: &Attempt, patch: &Patch, schema: &Schema, ty: TypeId, mut document: Value) -> Result<Patched> {
    let mut unknown = patch.duplicates.clone();
    match patch.kind {
        PatchKind::Json => {
            let operations = patch::json::operations(&patch.body)?;
            unknown.extend(patch::json::unknown_fields(operations));
            patch::json::apply(&mut document, operations)?;
        }
        PatchKind::Merge => document = patch::merge::apply(document, patch.body.clone()),
        PatchKind::Strategic => {
            document = patch::strategic::apply(schema, ty, document, patch.body.clone())?;
        }
    }
    let clears = managed::clears(&document);
    let gvk = Gvk::from_api_version(document["apiVersion"].str(), document["kind"].str());
    let aside = codec::set_aside(schema, ty, &mut document);
    if patch.kind == PatchKind::Strategic {
        let found = patch::strategic::restore(schema, ty, &document);
        unknown.extend(found.map_err(|why| patch::strategic::unusable(&patch.body, &why))?);
    }
    // The patched document is shown in messages about other patches only.
    let shown = (patch.kind != PatchKind::Strategic).then(|| document.clone());
    let rejected = |why: &str| match &shown {
        None => patch::strategic::unusable(&patch.body, why),
        Some(rest) => patch_rejected(&json::to_string(&aside.joined(rest)), why),
    };
    if !schema.ty(ty).gvks.is_empty() && !schema.ty(ty).gvks.contains(&gvk) {
        return Err(rejected(&decode::not_registered(&gvk, &attempt.write.route.descriptor().group)));
    }
    let found = codec::canonicalise(schema, ty, &mut document).map_err(|why| rejected(&why.text))?;
    if patch.kind != PatchKind::Strategic {
        unknown.extend(found.strict);
    }
    attempt.check_strict(&unknown, rejected)?;
    aside.put_back(&mut document);
    Ok(Patched { object: document, clears, empties: found.empties })
}

/// 422 on the field `patch`: the result cannot be decoded.
fn patch_rejected(shown: &str, why: &str) -> Status {
    let mut errs = ErrorList::new();
    errs.invalid(&Path::new("patch"), shown, why);
    Status::invalid("", "", "", errs)
}

fn apply(attempt: &Attempt, descriptor: &Descriptor, applied: &Value) -> Result<Wanted> {
    let mut live = old_served(attempt, descriptor);
    let kept = live.as_ref().filter(|_| descriptor.has_opaque_data).cloned();
    live.iter_mut().for_each(|live| rewrite_opaque(descriptor, live));
    let write = attempt.write;
    let force = write.options.force.unwrap_or(false);
    let (merged, aside) = recorder(attempt).with_target(|target| {
        let mut merged = managed::apply(target, live.as_ref(), applied, &write.manager, force)?;
        // what changes nothing gives upstream the stored object back
        if let Some(kept) = &kept
            && is_same_but_managers(kept, &merged)
        {
            let content = kept.entries().filter(|(member, _)| *member != "metadata");
            content.for_each(|(member, value)| merged.set(member, value));
        }
        let aside = codec::set_aside(&descriptor.schema, descriptor.type_id, &mut merged);
        if !descriptor.stored_as_json {
            managed::check_readable(target, applied, &merged)?;
        }
        Ok((merged, aside))
    })?;
    let unreadable = |why: &str| recorder(attempt).with_target(|target| managed::unreadable(target, applied, why));
    let admitted = form::admit_served(descriptor, merged, aside);
    let (mut object, found) = admitted.map_err(|why| unreadable(&why.text))?;
    check_uid_of_created(attempt, &object)?;
    if attempt.creates() {
        rules::wipe_system_fields(&mut object);
    }
    rules::ensure_namespace(descriptor, &write.route.info.namespace, &mut object)?;
    decode::check_name(&write.route.info, &object)?;
    Ok(Wanted { object, empties: found.empties })
}

/// A uid in what is applied means a certain object, which is not there.
fn check_uid_of_created(attempt: &Attempt, object: &Value) -> Result<()> {
    let uid = object["metadata"]["uid"].str();
    if uid.is_empty() || !attempt.creates() {
        return Ok(());
    }
    let d = attempt.write.route.descriptor();
    let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
    Err(Status::conflict(&d.group, &d.plural, &attempt.write.name, &why))
}

/// Sets the managedFields of an object (in the storage version) that this write makes of the stored one.
fn record_managers(attempt: &Attempt, object: &mut Value, clears: bool) {
    let sender = Sender { manager: attempt.write.manager.as_str(), clears };
    recorder(attempt).record(attempt.old_value(), object, &sender);
}

fn recorder<'a>(attempt: &'a Attempt) -> Recorder<'a> {
    let write = attempt.write;
    Recorder {
        resources: &write.route.resources,
        descriptor: write.route.descriptor(),
        subresource: write.route.part.as_ref().map_or("", |part| part.name.as_str()),
        reset_fields: write.strategy().0.reset_fields,
        now: attempt.now,
    }
}

/// A write that changes nothing but times in managedFields changes nothing.
pub fn keep_managed_times(object: &mut Value, old: &Value) {
    managed::keep_times_of_no_change(old, object);
}

impl Attempt<'_> {
    /// What strict decoding found becomes a warning or, as the client wishes, an error or nothing.
    fn check_strict(&self, found: &[String], reject: impl FnOnce(&str) -> Status) -> Result<()> {
        match self.write.options.field_validation {
            _ if found.is_empty() => Ok(()),
            FieldValidation::Ignore => Ok(()),
            FieldValidation::Warn => {
                found.iter().for_each(|text| self.warn(text.clone()));
                Ok(())
            }
            FieldValidation::Strict => Err(reject(&format!("strict decoding error: {}", found.join(", ")))),
        }
    }

    /// Identical owner references are kept once, with a warning. `when`: of a patch upstream looks at the result only.
    pub(crate) fn drop_duplicate_owners(&self, object: &mut Value, when: &str) {
        let Some(references) = object.path_mut("metadata.ownerReferences") else { return };
        let before = references.items().len();
        let mut kept: Vec<Value> = Vec::with_capacity(before);
        let mut repeated = Vec::new();
        for reference in references.items() {
            if !kept.contains(reference) {
                kept.push(reference.clone());
            } else if !repeated.contains(&reference["uid"].str()) {
                repeated.push(reference["uid"].str());
            }
        }
        if kept.len() == before {
            return;
        }
        let what = format!(
            ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            repeated.join(", ")
        );
        *references = Value::Array(kept);
        self.warn(what);
    }
}
