//! Deleting (registry/rest/delete.go and the deletion half of registry/generic/registry/store.go).

use super::Rules;
use crate::DefaultGc;
use meta::field::{ErrorList, Path, Shown};
use meta::time::Timestamp;
use meta::{Result, Status, Str, Value};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// metav1.DeleteOptions, without dryRun.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeleteOptions {
    pub grace_period_seconds: Option<i64>,
    pub uid: Option<Str>,
    pub resource_version: Option<Str>,
    pub orphan_dependents: Option<bool>,
    /// "Orphan", "Background" or "Foreground" once validated.
    pub propagation_policy: Option<Str>,
}

/// What a delete does to the stored object.
#[derive(Clone, Debug, PartialEq)]
pub enum DeletePlan {
    /// Removed now. `marked`: first written once more with its deletion time, as watchers expect of graceful kinds.
    Remove { marked: Option<Value> },
    /// Written with its deletion time; finalizers, a grace period or the hooks hold it.
    Keep(Value),
    /// Being deleted already, with no longer a grace period than asked for: nothing is written.
    Pending,
}

/// Upstream's ValidateDeleteOptions.
pub fn validate_delete_options(options: &DeleteOptions, errs: &mut ErrorList) {
    let Some(policy) = &options.propagation_policy else { return };
    let path = Path::new("propagationPolicy");
    if options.orphan_dependents.is_some() {
        errs.invalid(&path, policy, "orphanDependents and deletionPropagation cannot be both set");
    }
    const POLICIES: &[&str] = &["Foreground", "Background", "Orphan"];
    if !POLICIES.contains(&policy.as_str()) {
        errs.not_supported_in_order(&path, Shown(meta::field::quote(policy)), &[POLICIES, &["nil"]].concat());
    }
}

/// Decides what happens; 409 when a precondition does not hold.
pub fn plan_delete(rules: &Rules, options: &DeleteOptions, old: &Value) -> Result<DeletePlan> {
    check_preconditions(rules, options, old)?;
    let now = rules.ctx.now;
    let mut object = old.clone();
    let requested = options.grace_period_seconds.map(|s| if s < 0 { 1 } else { s });
    let graceful = match plan_grace(rules, requested, &mut object, now) {
        Grace::Pending => return Ok(DeletePlan::Pending),
        Grace::None => None,
        Grace::Seconds(seconds) => Some(seconds),
    };
    let is_marked = rules.hooks.prepare_delete(rules.ctx, &mut object);
    let finalizers = deletion_finalizers(rules.strategy.default_gc, options, &object);
    if finalizers.is_empty() {
        object.entry("metadata").remove("finalizers");
    } else {
        object.entry("metadata").set("finalizers", finalizers.clone());
    }
    let held_by_hooks = rules.hooks.holds(&object);
    let held = !finalizers.is_empty() || held_by_hooks;
    Ok(match graceful {
        None if held_by_hooks || is_marked => {
            // kinds with a deletion of their own: the first delete only marks, and sets no grace period
            object.entry("metadata").set_default("deletionTimestamp", now.to_rfc3339());
            DeletePlan::Keep(object)
        }
        None if held => {
            mark(&mut object, old, now);
            DeletePlan::Keep(object)
        }
        None => DeletePlan::Remove { marked: None },
        Some(seconds) if held || seconds > 0 => DeletePlan::Keep(object),
        Some(_) => DeletePlan::Remove { marked: Some(object) },
    })
}

fn check_preconditions(rules: &Rules, options: &DeleteOptions, old: &Value) -> Result<()> {
    let (descriptor, metadata) = (rules.descriptor, &old["metadata"]);
    let (name, stored_uid, stored_rv) =
        (metadata["name"].str(), metadata["uid"].str(), metadata["resourceVersion"].str());
    let differing = [
        ("UID", options.uid.as_deref(), stored_uid, "deleted and then recreated"),
        ("ResourceVersion", options.resource_version.as_deref(), stored_rv, "modified"),
    ];
    let found = differing.into_iter().find(|(_, wanted, stored, _)| wanted.is_some_and(|wanted| wanted != *stored));
    let Some((what, Some(wanted), stored, why)) = found else { return Ok(()) };
    if rules.strategy.marking_delete {
        let text = format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {stored}");
        return Err(Status::conflict(&descriptor.group, &descriptor.plural, name, &text));
    }
    // upstream names the stored kind where other conflicts name the resource
    let text = format!(
        "the {what} in the precondition ({wanted}) does not match the {what} in record ({stored}). The object might have been {why}"
    );
    Err(Status::conflict(&descriptor.storage.group, &descriptor.storage.kind, name, &text))
}

enum Grace {
    /// The kind knows no grace, or it has run out.
    None,
    Pending,
    Seconds(i64),
}

/// Upstream's BeforeDelete: sets the deletion time of kinds that are deleted gracefully.
fn plan_grace(rules: &Rules, requested: Option<i64>, object: &mut Value, now: Timestamp) -> Grace {
    if !rules.strategy.graceful_delete {
        return Grace::None;
    }
    let metadata = &object["metadata"];
    let Ok(deletion) = Timestamp::parse(metadata["deletionTimestamp"].str()) else {
        let seconds = rules.hooks.grace_period_seconds(object, requested);
        let at = Timestamp { seconds: now.seconds.saturating_add(seconds), nanos: 0 };
        set_deletion(object, at, seconds);
        move_generation(object);
        return Grace::Seconds(seconds);
    };
    // being deleted: the grace period may only be shortened
    let current = match metadata["deletionGracePeriodSeconds"].int() {
        s if s < 0 => 1,
        s => s,
    };
    match requested {
        _ if current == 0 => Grace::None,
        Some(seconds) if seconds < current => {
            let at = deletion.seconds.saturating_sub(current).saturating_add(seconds);
            let past = at < now.seconds;
            let seconds = if past && seconds != 0 { 1 } else { seconds };
            set_deletion(object, Timestamp { seconds: at.max(now.seconds), nanos: 0 }, seconds);
            Grace::Seconds(seconds)
        }
        _ => Grace::Pending,
    }
}

fn set_deletion(object: &mut Value, at: Timestamp, grace_seconds: i64) {
    let metadata = object.entry("metadata");
    metadata.set("deletionTimestamp", at.to_rfc3339());
    metadata.set("deletionGracePeriodSeconds", grace_seconds);
}

fn move_generation(object: &mut Value) {
    let generation = object["metadata"]["generation"].int();
    if generation > 0 {
        object.entry("metadata").set("generation", generation.saturating_add(1));
    }
}

/// Upstream's markAsDeleting: no grace, and a deletion time that is not in the future.
fn mark(object: &mut Value, old: &Value, now: Timestamp) {
    let stored = Timestamp::parse(old["metadata"]["deletionTimestamp"].str()).ok();
    if stored.is_none() {
        move_generation(object);
    }
    let at = stored.filter(|at| at.seconds <= now.seconds).unwrap_or(now);
    set_deletion(object, at, 0);
}

/// The finalizers that the object has once it is being deleted: the garbage collector's two are set or taken away
/// by, in this order, the options, the finalizers that are there, and the resource's default.
fn deletion_finalizers(default: DefaultGc, options: &DeleteOptions, object: &Value) -> Vec<Value> {
    let stored = object["metadata"]["finalizers"].items();
    let has = |name: &str| stored.iter().any(|f| f.str() == name);
    let policy = options.propagation_policy.as_deref();
    let (orphan, foreground) = if default == DefaultGc::Unsupported {
        (false, false)
    } else if let Some(orphan) = options.orphan_dependents {
        (orphan, false)
    } else if let Some(policy @ ("Orphan" | "Background" | "Foreground")) = policy {
        (policy == "Orphan", policy == "Foreground")
    } else if let Some(first) = stored.iter().map(Value::str).find(|f| *f == ORPHAN || *f == FOREGROUND) {
        (first == ORPHAN, first == FOREGROUND)
    } else {
        (default == DefaultGc::Orphan, false)
    };
    if (orphan, foreground) == (has(ORPHAN), has(FOREGROUND)) {
        return stored.to_vec();
    }
    let others = stored.iter().filter(|f| f.str() != ORPHAN && f.str() != FOREGROUND).cloned();
    let added = [(orphan, ORPHAN), (foreground, FOREGROUND)].into_iter().filter(|(on, _)| *on);
    others.chain(added.map(|(_, name)| Value::from(name))).collect()
}

/// Whether an update has taken away the last thing that held a deleted object: it is removed instead of written.
pub fn is_released(rules: &Rules, object: &Value, old: &Value) -> bool {
    object["metadata"]["finalizers"].items().is_empty()
        && !old["metadata"]["deletionTimestamp"].is_null()
        && old["metadata"]["deletionGracePeriodSeconds"].int() == 0
        && !rules.hooks.holds(object)
}
