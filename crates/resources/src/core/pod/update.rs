//! What an update of a pod may change (upstream: ValidatePodUpdate).

use super::options::Options;
use super::{annotations, internal, scheduling};
use crate::rules::diff;
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, name};
use resource::rules::semantically_equal;

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
`spec.tolerations` (only additions to existing tolerations),\
`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub fn validate(new: &Value, old: &Value, errs: &mut ErrorList) {
    let options = Options::pod().with_old(old);
    super::validate_pod(new, options, errs);
    validate_annotations(new, old, options, errs);
    let (spec, stored) = (&new["spec"], &old["spec"]);
    let path = Path::new("spec");
    for list in ["containers", "initContainers"] {
        if !validate_images(&spec[list], &stored[list], &path.child(list), errs) {
            return;
        }
    }
    if !validate_deadline(spec, stored, &path.child("activeDeadlineSeconds"), errs) {
        return;
    }
    validate_tolerations(&spec["tolerations"], &stored["tolerations"], &path.child("tolerations"), errs);
    validate_gates(&spec["schedulingGates"], &stored["schedulingGates"], &path.child("schedulingGates"), errs);
    if is_same(spec, stored) {
        return;
    }
    let mut munged = munge(spec, stored);
    if !stored["schedulingGates"].items().is_empty() {
        validate_gated(&mut munged, stored, &path, errs);
    }
    if !is_same(&munged, stored) {
        let shown = diff::unified(&internal::pod_spec_text(stored), &internal::pod_spec_text(&munged));
        errs.forbidden(&path, &format!("pod updates may not change fields other than {UPDATABLE}\n{shown}"));
    }
}

/// Semantic equality, by which an empty struct that is there is not one that is missing.
fn is_same(new: &Value, old: &Value) -> bool {
    new == old || (semantically_equal(new, old) && internal::pod_spec_text(new) == internal::pod_spec_text(old))
}

pub fn validate_annotations(new: &Value, old: &Value, options: Options, errs: &mut ErrorList) {
    let path = Path::new("metadata").child("annotations");
    let (own, stored) = (&new["metadata"]["annotations"], &old["metadata"]["annotations"]);
    annotations::validate_update(own, stored, &path, errs);
    annotations::validate(own, &new["spec"], options, &path, errs);
}

/// Says whether there are as many containers as before.
fn validate_images(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) -> bool {
    if new.items().len() != old.items().len() {
        errs.forbidden(path, "pod updates may not add or remove containers");
        return false;
    }
    for (i, container) in new.items().iter().enumerate() {
        if container["image"].str().is_empty() {
            errs.required(&path.index(i).child("image"), "");
        }
        super::containers::validate_image_spaces(container, &path.index(i), errs);
    }
    true
}

/// A deadline may be set and brought forward. Says whether judging goes on.
fn validate_deadline(spec: &Value, stored: &Value, path: &Path, errs: &mut ErrorList) -> bool {
    let (new, old) = (spec["activeDeadlineSeconds"].as_int(), stored["activeDeadlineSeconds"].as_int());
    match (new, old) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            errs.invalid(path, seconds, &name::inclusive_range_error(0, i32::MAX.into()));
            false
        }
        (Some(seconds), Some(old)) if old < seconds => {
            errs.invalid(path, seconds, "must be less than or equal to previous value");
            false
        }
        (None, Some(_)) => {
            errs.invalid(path, Shown("null".into()), "must not update from a positive integer to nil value");
            true
        }
        _ => true,
    }
}

/// Tolerations may be added; of those there are only the seconds may change.
fn validate_tolerations(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    let without_seconds = |toleration: &Value| {
        let mut bare = toleration.clone();
        bare.remove("tolerationSeconds");
        bare
    };
    let kept: Vec<Value> = new.items().iter().map(without_seconds).collect();
    if !old.items().iter().map(without_seconds).all(|t| kept.contains(&t)) {
        errs.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
        return;
    }
    scheduling::validate_tolerations(new, path, errs);
}

fn validate_gates(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, gate) in new.items().iter().enumerate() {
        let own = gate["name"].str();
        let is_last = new.items().iter().rposition(|g| g["name"].str() == own) == Some(i);
        if is_last && !old.items().iter().any(|g| g["name"].str() == own) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{own}'");
            errs.forbidden(&path.index(i).child("name"), &detail);
        }
    }
}

fn put(object: &mut Value, field: &str, value: &Value) {
    if value.is_null() {
        object.remove(field);
    } else {
        object.set(field, value);
    }
}

/// The new spec with all that may change put back.
fn munge(spec: &Value, stored: &Value) -> Value {
    let mut munged = spec.clone();
    for list in ["containers", "initContainers"] {
        let containers = munged.get_mut(list).map_or(&mut [][..], Value::items_mut);
        for (container, old) in containers.iter_mut().zip(stored[list].items()) {
            put(container, "image", &old["image"]);
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        put(&mut munged, field, &stored[field]);
    }
    let field = "terminationGracePeriodSeconds";
    if stored[field].int() < 0 && munged[field].as_int() == Some(1) {
        put(&mut munged, field, &stored[field]);
    }
    munged
}

/// Where a gated pod may run can still be narrowed.
fn validate_gated(munged: &mut Value, stored: &Value, path: &Path, errs: &mut ErrorList) {
    if !semantically_equal(&munged["nodeSelector"], &stored["nodeSelector"]) {
        let new = &munged["nodeSelector"];
        if stored["nodeSelector"].entries().any(|(key, value)| new.get(key) != Some(value)) {
            let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errs.invalid(&path.child("nodeSelector"), new, detail);
        }
        put(munged, "nodeSelector", &stored["nodeSelector"]);
    }
    let (new, old) = (munged["affinity"]["nodeAffinity"].clone(), &stored["affinity"]["nodeAffinity"]);
    if semantically_equal(&new, old) {
        return;
    }
    validate_node_affinity(&new, old, &path.child("affinity").child("nodeAffinity"), errs);
    let others = ["podAffinity", "podAntiAffinity"].iter().any(|f| !munged["affinity"][*f].is_null());
    if !munged["affinity"].is_null() && stored["affinity"].is_null() && !others {
        munged.remove("affinity");
    } else if !(munged["affinity"].is_null() && old.is_null()) {
        put(munged.entry("affinity"), "nodeAffinity", old);
    }
}

fn validate_node_affinity(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    if old[REQUIRED].is_null() {
        return;
    }
    let (new, old) = (&new[REQUIRED]["nodeSelectorTerms"], &old[REQUIRED]["nodeSelectorTerms"]);
    let path = path.child(REQUIRED).child("nodeSelectorTerms");
    if !old.items().is_empty() && old.items().len() != new.items().len() {
        let shown = shown_list("NodeSelectorTerm", new);
        errs.invalid(&path, shown, "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
        return;
    }
    for (i, (new, old)) in new.items().iter().zip(old.items()).enumerate() {
        if !only_adds(new, old) {
            let shown = internal::shown("NodeSelectorTerm", new);
            errs.invalid(&path.index(i), shown, "only additions are allowed (no mutations or deletions)");
        }
    }
}

fn shown_list(kind: &str, list: &Value) -> Shown {
    if list.is_null() {
        return Shown("null".into());
    }
    let items: Vec<String> = list.items().iter().map(|item| internal::shown(kind, item).0).collect();
    Shown(format!("[{}]", items.join(",")))
}

/// A term may gain requirements at its end; one without any matches nothing and must stay so.
fn only_adds(new: &Value, old: &Value) -> bool {
    let fields = ["matchExpressions", "matchFields"];
    let is_empty = |term: &Value| fields.iter().all(|f| term[*f].items().is_empty());
    if is_empty(old) {
        return is_empty(new);
    }
    fields.iter().all(|field| {
        let (new, old) = (new[*field].items(), old[*field].items());
        new.len() >= old.len() && new.iter().zip(old).all(|(new, old)| semantically_equal(new, old))
    })
}
