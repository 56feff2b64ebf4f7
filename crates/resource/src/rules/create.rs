//! Creating (registry/rest/create.go).

use super::{Rules, metadata};
use crate::{Descriptor, Generation, NameRule};
use meta::field::ErrorList;
use meta::time::Timestamp;
use meta::{Result, Status, Value};

/// What a client may not set. Runs before admission.
pub fn wipe_system_fields(object: &mut Value) {
    let metadata = object.entry("metadata");
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        metadata.remove(field);
    }
}

/// Fills in the namespace of the request; 400 when the body names another one.
/// On cluster-scoped resources a namespace in the body is forgotten.
pub fn ensure_namespace(descriptor: &Descriptor, namespace: &str, object: &mut Value) -> Result<()> {
    let metadata = object.entry("metadata");
    let own = metadata["namespace"].str();
    if own == namespace {
        return Ok(());
    }
    if !descriptor.namespaced {
        metadata.remove("namespace");
        return Ok(());
    }
    if !own.is_empty() {
        let why = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(why));
    }
    metadata.set("namespace", namespace);
    Ok(())
}

/// Sets creationTimestamp and uid, whatever the client sent.
pub fn fill_system_fields(object: &mut Value, now: Timestamp, uid: &str) {
    let metadata = object.entry("metadata");
    metadata.set("creationTimestamp", now.to_rfc3339());
    metadata.set("uid", uid);
}

/// Resets, generation and the resource's own preparation.
pub fn prepare_create(rules: &Rules, object: &mut Value) {
    for field in rules.strategy.reset_on_create {
        super::update::take_path(object, field);
    }
    if rules.strategy.generation != Generation::None {
        object.entry("metadata").set("generation", 1);
    }
    rules.hooks.prepare_create(rules.ctx, object);
}

/// 422 with everything that is wrong: first the resource's own rules, among them its rule for names, then, when
/// these find nothing, what upstream checks for all.
pub fn validate_create(rules: &Rules, object: &Value) -> Result<()> {
    let descriptor = rules.descriptor;
    let mut errs = ErrorList::new();
    let of_metadata = &rules.strategy.metadata;
    if of_metadata.on_create && rules.strategy.name != NameRule::Hooks {
        metadata::validate_metadata(object, descriptor.namespaced, rules.strategy.name, &mut errs);
    }
    if of_metadata.on_create && of_metadata.standard_finalizers {
        metadata::validate_standard_finalizers(object, &mut errs);
    }
    rules.hooks.validate(rules.ctx, object, &mut errs);
    if errs.is_empty() {
        metadata::validate_metadata(object, descriptor.namespaced, NameRule::PathSegment, &mut errs);
    }
    invalid(descriptor, object, errs)
}

pub(super) fn invalid(descriptor: &Descriptor, object: &Value, errs: ErrorList) -> Result<()> {
    if errs.is_empty() {
        return Ok(());
    }
    // upstream names the kind of the storage's group: an Event's is always core
    let kind = &descriptor.storage;
    Err(Status::invalid(&kind.group, &kind.kind, object["metadata"]["name"].str(), errs))
}
