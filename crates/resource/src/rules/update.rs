//! Updating (registry/rest/update.go).

use super::{Rules, metadata, semantically_equal};
use crate::{Generation, MetadataCheck, NameRule};
use meta::field::ErrorList;
use meta::{Result, Value};

/// What upstream's ResetObjectMetaForStatus keeps of the stored metadata.
const METADATA_KEPT: &[&str] =
    &["deletionTimestamp", "generation", "selfLink", "labels", "annotations", "finalizers", "ownerReferences"];

/// Keeps what this endpoint may not change, lets the hooks prepare, and moves the generation.
pub fn prepare_update(rules: &Rules, object: &mut Value, old: &Value) {
    keep(object, old, "metadata.generation");
    rules.strategy.keep_on_update.iter().for_each(|path| keep(object, old, path));
    if rules.strategy.reset_fields.contains(&"metadata") {
        METADATA_KEPT.iter().for_each(|field| keep(object.entry("metadata"), &old["metadata"], field));
    }
    rules.hooks.prepare_update(rules.ctx, object, old);
    if has_moved(rules.strategy.generation, object, old) {
        let next = old["metadata"]["generation"].int().saturating_add(1);
        object.entry("metadata").set("generation", next);
    }
    restore_system_fields(object, old);
}

fn has_moved(generation: Generation, object: &Value, old: &Value) -> bool {
    match generation {
        Generation::None | Generation::Hooks => false,
        Generation::Spec => !semantically_equal(&object["spec"], &old["spec"]),
        Generation::AllButMetadata => {
            let content = |v: &Value| {
                let members = v.entries().filter(|(key, _)| !matches!(*key, "metadata" | "status"));
                Value::Object(members.map(|(k, v)| (k.into(), v.clone())).collect())
            };
            !semantically_equal(&content(object), &content(old))
        }
    }
}

/// uid when the client sent none; creation and deletion times always; the grace period when it was taken away.
fn restore_system_fields(object: &mut Value, old: &Value) {
    let metadata = object.entry("metadata");
    for (field, always) in [
        ("uid", false),
        ("creationTimestamp", true),
        ("deletionTimestamp", true),
        ("deletionGracePeriodSeconds", false),
    ] {
        let stored = &old["metadata"][field];
        if !stored.is_null() && (always || metadata[field].is_empty()) {
            metadata.set(field, stored);
        }
    }
}

/// 422 with everything that is wrong. Upstream checks metadata once for all resources and once more, or twice, in
/// most strategies; causes repeat as often, and so they do here.
pub fn validate_update(rules: &Rules, object: &Value, old: &Value) -> Result<()> {
    let namespaced = rules.descriptor.namespaced;
    let mut errs = ErrorList::new();
    metadata::validate_metadata(object, namespaced, NameRule::PathSegment, &mut errs);
    metadata::validate_metadata_update(object, old, &mut errs);
    for check in rules.strategy.metadata.on_update {
        match check {
            MetadataCheck::Whole => {
                let rule =
                    if rules.strategy.name == NameRule::Hooks { NameRule::PathSegment } else { rules.strategy.name };
                metadata::validate_metadata(object, namespaced, rule, &mut errs);
            }
            MetadataCheck::Changes => metadata::validate_metadata_update(object, old, &mut errs),
        }
        if rules.strategy.metadata.standard_finalizers {
            metadata::validate_standard_finalizers(object, &mut errs);
        }
    }
    rules.hooks.validate_update(rules.ctx, object, old, &mut errs);
    super::create::invalid(rules.descriptor, object, errs)
}

/// Makes the value at a dotted path what it is in the stored object.
fn keep(object: &mut Value, old: &Value, path: &str) {
    let stored = old.path(path);
    if stored.is_null() {
        take_path(object, path);
        return;
    }
    let mut at = object;
    for key in path.split('.') {
        at = at.entry(key);
    }
    // Mostly it is, and a look costs less than a copy.
    if at != stored {
        *at = stored.clone();
    }
}

/// Removes the value at a dotted path.
pub(super) fn take_path(object: &mut Value, path: &str) {
    match path.rsplit_once('.') {
        Some((parent, last)) => {
            if let Some(parent) = object.path_mut(parent) {
                parent.remove(last);
            }
        }
        None => drop(object.remove(path)),
    }
}
