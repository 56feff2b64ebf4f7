//! Server-side apply.

use super::conflict::{self, Conflict};
use super::entries::{self, Entries, Entry, Operation};
use super::{Target, cap, last_applied, update};
use crate::fields::Set;
use crate::typed::{self, Typed, equal};
use meta::{Reason, Result, Status, Str, Value};

/// Who owned the fields before the first apply of an object without managers.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// `live` (`None`: it does not exist) with `applied` merged in: fields that `manager` applied before and now leaves out are
/// removed unless somebody else owns them. The result is not defaulted and not yet canonical; its managedFields are set.
///
/// # Errors
/// 400 for a body of another kind or with managedFields, 500 when it does not fit the schema, 409 when another manager
/// owns a field with another value and `force` is false.
pub fn apply(target: &Target, live: Option<&Value>, applied: &Value, manager: &str, force: bool) -> Result<Value> {
    check_kind(target, applied)?;
    let zero;
    let live = match live {
        Some(live) => live,
        None => {
            zero = target.typed().zero();
            &zero
        }
    };
    let before = managers_before(target, live);
    let again = (manager == "kubectl").then(|| before.clone());
    let (mut object, managers) = match (apply_once(target, live, applied, before, manager, force), again) {
        (Err(Failure::Conflicts(conflicts)), Some(managers)) => {
            // What client-side apply owned is taken over without a conflict.
            let left = last_applied::refused(target, live, conflicts);
            if !left.is_empty() {
                return Err(conflict::status(left));
            }
            apply_once(target, live, applied, managers, manager, true)
        }
        (other, _) => other,
    }
    .map_err(Failure::into_status)?;
    if manager == "kubectl" {
        last_applied::write(&mut object, applied);
    }
    entries::write(&mut object, managers);
    Ok(object)
}

/// Checks that the decoded body of an apply is an object at all.
///
/// # Errors
/// 400 in the words of the Go decoder.
pub fn check_configuration(applied: &Value) -> Result<()> {
    if matches!(applied, Value::Object(_) | Value::Null) {
        return Ok(());
    }
    let found = crate::json::go_json_kind(applied);
    let text = "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
    Err(Status::bad_request(format!("{text} {found} into Go value of type map[string]interface {{}}")))
}

fn check_kind(target: &Target, applied: &Value) -> Result<()> {
    let gvk = meta::Gvk::from_api_version(applied["apiVersion"].str(), applied["kind"].str());
    if gvk != *target.gvk {
        return Err(Status::bad_request(format!("invalid object type: {gvk}")));
    }
    Ok(())
}

/// The managers of the live object. One that has none gets one for all it holds.
fn managers_before(target: &Target, live: &Value) -> Entries {
    let mut managers = entries::of_stored(Some(live));
    if managers.is_empty() {
        let mut fields = Set::default();
        if let Ok(change) = target.typed().compare(&target.typed().zero(), live) {
            fields = change.added;
            fields.merge(change.modified);
        }
        target.reset.filter(&mut fields);
        update::strip(&mut fields);
        update::add_update(target, &mut managers, BEFORE_FIRST_APPLY, fields);
        cap::cap_update_managers(&mut managers);
    }
    managers
}

enum Failure {
    Conflicts(Vec<Conflict>),
    Status(Status),
}

impl Failure {
    fn into_status(self) -> Status {
        match self {
            Failure::Conflicts(conflicts) => conflict::status(conflicts),
            Failure::Status(status) => status,
        }
    }
}

/// An error that upstream does not classify.
fn untyped(text: String) -> Failure {
    Failure::Status(Status::failure(500, Reason::Unknown, text))
}

/// The merged object without managedFields, and its managers.
fn apply_once(
    target: &Target,
    live: &Value,
    applied: &Value,
    mut managers: Entries,
    manager: &str,
    force: bool,
) -> std::result::Result<(Value, Entries), Failure> {
    if entries::brought(applied) {
        return Err(Failure::Status(Status::bad_request("metadata.managedFields must be nil")));
    }
    let typed = target.typed();
    let errs = typed.validate(applied);
    if !errs.is_empty() {
        let text = typed::message(&errs);
        return Err(untyped(format!("failed to create typed patch object ({}): {text}", describe(target, applied))));
    }
    let unusable = |_| untyped(format!("failed to create typed live object ({})", describe(target, live)));
    let mut object = typed.merge(live, applied);
    let mut fields = typed.collect(applied).map_err(unusable)?;
    target.reset.filter(&mut fields);
    let mut own = Entry {
        manager: if manager.is_empty() { "unknown".into() } else { manager.into() },
        operation: Operation::Apply,
        api_version: target.api_version(),
        subresource: target.subresource.into(),
        time: Str::default(),
        fields: fields.into(),
    };
    let last = managers.iter().position(|e| e.same_manager(&own)).map(|at| managers.remove(at));
    if let Some(last) = last {
        own.time = last.time.clone();
        object = prune(target, object, &managers, &own, last).map_err(unusable)?;
    }
    let mut conflicts = Vec::new();
    let changed = update::changes_for(target, live, &object, &mut managers, |entry, change| {
        let taken = entry.fields.intersection(&change.taken);
        if !taken.is_empty() {
            conflicts.extend(conflict::conflicts_with(entry, &taken));
        }
        entry.fields.remove(&taken);
        entry.fields.remove(&change.removed);
        !entry.fields.is_empty()
    });
    changed.ok_or(()).map_err(|()| untyped(format!("failed to compare objects ({})", describe(target, live))))?;
    if !force && !conflicts.is_empty() {
        return Err(Failure::Conflicts(conflicts));
    }
    if !equal(live, &object) {
        own.time = target.now.into();
    }
    update::strip(&mut own.fields);
    if !own.fields.is_empty() {
        managers.push(own);
    }
    if let Some(metadata) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    Ok((object, managers))
}

/// Checks that an applied object can be read as its built-in type, in the words of Go's converter. Custom resources are not read.
///
/// # Errors
/// 500, as [`unreadable`].
pub fn check_readable(target: &Target, applied: &Value, object: &Value) -> Result<()> {
    let read = crate::strategic::restore(target.schema, target.type_id, object);
    read.map(drop).map_err(|why| unreadable(target, applied, &why))
}

/// 500 for an applied configuration whose merged object is no object of its type.
pub fn unreadable(target: &Target, applied: &Value, why: &str) -> Status {
    let (object, gvk) = (describe(target, applied), target.gvk);
    let text = format!(
        "failed to convert new object ({object}) to proper version: unable to convert unstructured object to {gvk}"
    );
    Status::failure(500, Reason::Unknown, format!("{text}: {}", from_last_decoder(why)))
}

/// Upstream's converter has a schema within one of these fields decoded by itself, so that paths begin anew there.
fn from_last_decoder(why: &str) -> String {
    const FIELDS: [&str; 3] = [".items.", ".additionalProperties.", ".additionalItems."];
    const SCHEMA: &str = "Go struct field JSONSchemaProps.";
    let Some((before, path)) = why.split_once(SCHEMA) else { return why.to_string() };
    let last = FIELDS.iter().filter_map(|field| Some(path.rfind(field)? + field.len())).max();
    match last.and_then(|at| path.get(at..)) {
        Some(rest) => format!("{before}{SCHEMA}{rest}"),
        None => why.to_string(),
    }
}

fn describe(target: &Target, object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{}/{}; {}", metadata["namespace"].str(), metadata["name"].str(), target.gvk)
}

type NotComparable = crate::typed::NotComparable;

/// Removes what the manager applied last time, did not apply this time, and nobody else owns.
fn prune(
    target: &Target,
    merged: Value,
    others: &Entries,
    own: &Entry,
    last: Entry,
) -> std::result::Result<Value, NotComparable> {
    let mut fields = last.fields.into_set();
    if last.api_version == own.api_version {
        let typed = target.typed();
        typed.reconcile(&mut fields);
        if fields.is_within(&own.fields) {
            return Ok(merged);
        }
        return prune_in(target, &typed, &own.api_version, merged, others, own, &fields);
    }
    let Some(converted) = target.versions.convert(&merged, &last.api_version) else { return Ok(merged) };
    let typed = Typed::new(converted.schema, converted.type_id);
    let pruned = prune_in(target, &typed, &last.api_version, converted.object, others, own, &fields)?;
    Ok(target.versions.convert_back(pruned, &last.api_version).unwrap_or(merged))
}

/// As [`prune`], in the version of the last apply.
fn prune_in(
    target: &Target,
    typed: &Typed,
    version: &Str,
    merged: Value,
    others: &Entries,
    own: &Entry,
    last: &Set,
) -> std::result::Result<Value, NotComparable> {
    let last = typed.name_parents(last.clone());
    let all = typed.name_parents(typed.collect(&merged)?);
    let mut pruned = typed.remove(merged.clone(), &last);
    // What somebody owns, the new configuration included, comes back. Owners in other versions see the object converted.
    let mut owned: Vec<(Str, Set)> = Vec::new();
    for entry in others.iter().chain([own]) {
        match owned.iter_mut().find(|(v, _)| *v == entry.api_version) {
            Some((_, set)) => set.merge((*entry.fields).clone()),
            None => owned.push((entry.api_version.clone(), (*entry.fields).clone())),
        }
    }
    owned.sort_by_key(|(v, _)| v != version);
    for (other_version, set) in owned {
        if other_version == *version {
            pruned = restore_owned(typed, &merged, all.clone(), &pruned, set)?;
            continue;
        }
        let versions = target.versions;
        let here = (versions.convert(&merged, &other_version), versions.convert(&pruned, &other_version));
        let (Some(whole), Some(part)) = here else { continue };
        let there = Typed::new(whole.schema, whole.type_id);
        let all = there.name_parents(there.collect(&whole.object)?);
        let restored = restore_owned(&there, &whole.object, all, &part.object, set)?;
        pruned = versions.convert_back(restored, &other_version).unwrap_or(pruned);
    }
    // What was never this manager's stays too.
    let mut gone = all;
    gone.remove(&typed.name_parents(typed.collect(&pruned)?));
    Ok(typed.remove(merged, &gone.intersection(&last)))
}

/// `pruned` with what is owned of `merged`, whose paths are `all`.
fn restore_owned(
    typed: &Typed,
    merged: &Value,
    all: Set,
    pruned: &Value,
    owned: Set,
) -> std::result::Result<Value, NotComparable> {
    let mut gone = all;
    gone.remove(&typed.name_parents(typed.collect(pruned)?));
    gone.remove(&typed.name_parents(owned));
    Ok(typed.remove(merged.clone(), &gone))
}
