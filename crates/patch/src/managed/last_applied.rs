//! kubectl's way from client-side to server-side apply: the annotation in which client-side apply kept its configuration.

use super::Target;
use super::conflict::Conflict;
use crate::fields::Set;
use meta::{Str, Value};

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The conflicts that remain when fields that client-side apply set, and that still have its value, are no conflicts.
pub(super) fn refused(target: &Target, live: &Value, conflicts: Vec<Conflict>) -> Vec<Conflict> {
    match owned_by_client(target, live) {
        Some(owned) => conflicts.into_iter().filter(|c| !owned.contains(&c.elements())).collect(),
        None => conflicts,
    }
}

fn owned_by_client(target: &Target, live: &Value) -> Option<Set> {
    let text = live["metadata"]["annotations"][ANNOTATION].as_str().filter(|t| !t.is_empty())?;
    let last = meta::json::parse(text.as_bytes()).ok()?.value;
    if last["apiVersion"].str() != target.api_version() {
        return None;
    }
    let typed = target.typed();
    if !typed.validate(&last).is_empty() {
        return None;
    }
    let mut owned = typed.collect(&last).ok()?;
    let change = typed.compare(&last, live).ok()?;
    for different in [&change.modified, &change.added, &change.removed] {
        owned.remove(different);
    }
    Some(owned)
}

/// Keeps the annotation in step with what was applied, on objects that have it.
pub(super) fn write(object: &mut Value, applied: &Value) {
    if object["metadata"]["annotations"][ANNOTATION].str().is_empty() {
        return;
    }
    let mut configuration = applied.clone();
    if let Some(annotations) = configuration.path_mut("metadata.annotations") {
        annotations.remove(ANNOTATION);
    }
    let text = meta::json::to_string(&configuration) + "\n";
    object.entry("metadata").entry("annotations").set(ANNOTATION, Str::from(text));
}
