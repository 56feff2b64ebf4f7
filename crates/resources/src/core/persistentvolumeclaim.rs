//! PersistentVolumeClaim: a request for storage.

use super::persistentvolume::{access_modes, phase, storage_class};
use super::pod::claim::{self, ClaimOptions};
use super::pod::internal;
use crate::rules::immutable::{self, same};
use crate::rules::{diff, label_selector, quantity};
use crate::{cells, columns};
use meta::field::{ErrorList, Path, quote};
use meta::{Map, Value, name, value};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
        .short_names(&["pvc"])
        .storage_version_hash("QWTyNDq0dC4=")
        .strategy(Strategy {
            delete_returns_object: true,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(PersistentVolumeClaim)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            PersistentVolumeClaimStatus,
        );
    columns::with(descriptor, claim_cells)
}

fn claim_cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let bound = !spec["volumeName"].is_empty();
    let (capacity, modes) = match bound {
        true => (cells::text_or(&status["capacity"]["storage"], "0"), access_modes(&status["accessModes"])),
        false => ("".into(), String::new()),
    };
    vec![
        cells::name(object),
        phase(object),
        spec["volumeName"].str().into(),
        capacity,
        modes.into(),
        storage_class(object),
        cells::text_or(&spec["volumeAttributesClassName"], cells::UNSET),
        cells::age(object, now),
        cells::text_or(&spec["volumeMode"], cells::UNSET),
    ]
}

const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const RESIZE_STATUSES: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

struct PersistentVolumeClaim;

fn default(object: &mut Value) {
    if object["status"]["phase"].is_empty() {
        object.entry("status").set("phase", "Pending");
    }
    object.entry("spec").set_default("volumeMode", "Filesystem");
}

/// A source in the older field that is neither a claim nor a snapshot is forgotten, unless the claim had one.
fn drop_unknown_source(spec: &mut Value, old: Option<&Value>) {
    let in_use = |old: &Value| !old["spec"]["dataSource"].is_null() || !old["spec"]["dataSourceRef"].is_null();
    if old.is_some_and(in_use) || !spec["dataSourceRef"].is_null() {
        return;
    }
    let source = &spec["dataSource"];
    let known = [("PersistentVolumeClaim", ""), ("VolumeSnapshot", "snapshot.storage.k8s.io")]
        .contains(&(source["kind"].str(), source["apiGroup"].str()));
    if !known {
        spec.remove("dataSource");
    }
}

/// A source in another namespace needs a feature that is off by default.
fn drop_foreign_source(spec: &mut Value, old: Option<&Value>) {
    let in_use = old.is_some_and(|old| !old["spec"]["dataSourceRef"].is_null());
    if !spec["dataSourceRef"]["namespace"].is_empty() && !in_use {
        spec.remove("dataSourceRef");
    }
}

/// The two fields that name a source say the same.
fn normalize_sources(spec: &mut Value) {
    let copy = |from: &Value| {
        let fields = ["apiGroup", "kind", "name"].into_iter();
        Value::Object(fields.filter_map(|f| from.get(f).map(|v| (f.into(), v.clone()))).collect::<Map>())
    };
    match (spec["dataSource"].is_null(), spec["dataSourceRef"].is_null()) {
        (false, true) => {
            let reference = copy(&spec["dataSource"]);
            spec.set("dataSourceRef", reference);
        }
        (true, false) if spec["dataSourceRef"]["namespace"].is_empty() => {
            let source = copy(&spec["dataSourceRef"]);
            spec.set("dataSource", source);
        }
        _ => {}
    }
}

impl Hooks for PersistentVolumeClaim {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        object.set("status", value!({"phase": "Pending"}));
        let spec = object.entry("spec");
        drop_foreign_source(spec, None);
        drop_unknown_source(spec, None);
        normalize_sources(spec);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        let spec = object.entry("spec");
        drop_foreign_source(spec, Some(old));
        drop_unknown_source(spec, Some(old));
        normalize_sources(spec);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        claim::validate_spec(&object["spec"], ClaimOptions::default(), &Path::new("spec"), errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let stored = &old["spec"];
        let mut found = ErrorList::new();
        label_selector::validate(&stored["selector"], false, &Path::root(), &mut found);
        let has_group = |source: &Value| !source["apiGroup"].is_null();
        let options = ClaimOptions {
            allow_invalid_selector: !found.is_empty(),
            allow_invalid_api_group: has_group(&stored["dataSource"]) || has_group(&stored["dataSourceRef"]),
        };
        claim::validate_spec(&object["spec"], options, &Path::new("spec"), errs);
        validate_change(object, old, errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        if object["metadata"]["annotations"].get(CLASS_ANNOTATION).is_some() {
            let advice = "deprecated since v1.8; use \"storageClassName\" attribute instead";
            warnings.push(format!("metadata.annotations[{CLASS_ANNOTATION}]: {advice}"));
        }
        for list in ["requests", "limits"] {
            let amount = &object["spec"]["resources"][list]["storage"];
            if !quantity::parse(amount).is_integer() {
                let text = quote(amount.str());
                warnings.push(format!(
                    "spec.resources.{list}[storage]: fractional byte value {text} is invalid, must be an integer"
                ));
            }
        }
    }
}

/// What an update may not change (upstream: ValidatePersistentVolumeClaimUpdate).
fn validate_change(object: &Value, old: &Value, errs: &mut ErrorList) {
    let (mut spec, mut stored) = (object["spec"].clone(), old["spec"].clone());
    if stored["volumeName"].is_empty() && !spec["volumeName"].is_empty() {
        stored.set("volumeName", &spec["volumeName"]);
    }
    validate_class_change(object, old, &mut spec, errs);
    if object["status"]["phase"].str() == "Bound" {
        let size = stored["resources"]["requests"]["storage"].clone();
        if !spec["resources"]["requests"].is_null() && !size.is_null() {
            spec.entry("resources").entry("requests").set("storage", size);
        }
        match stored["volumeAttributesClassName"].clone() {
            Value::Null => drop(spec.remove("volumeAttributesClassName")),
            class => spec.set("volumeAttributesClassName", class),
        }
    }
    let path = Path::new("spec");
    if !same(&spec, &stored) {
        let text = |spec: &Value| internal::text("PersistentVolumeClaimSpec", spec);
        let changes = diff::unified(&text(&stored), &text(&spec));
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errs.forbidden(&path, &format!("{detail}\n{changes}"));
    }
    let size = |object: &Value| quantity::parse(&object["spec"]["resources"]["requests"]["storage"]);
    let capacity = quantity::parse(&old["status"]["capacity"]["storage"]);
    if size(object) < size(old) && size(object) <= capacity {
        let at = path.child("resources").child("requests").child("storage");
        errs.forbidden(&at, "field can not be less than status.capacity");
    }
    immutable::validate(&object["spec"]["volumeMode"], &old["spec"]["volumeMode"], &Path::new("volumeMode"), errs);
    if !old["status"]["currentVolumeAttributesClassName"].is_null() {
        let at = path.child("volumeAttributesClassName");
        let what = match object["spec"]["volumeAttributesClassName"].as_str() {
            None => "nil",
            Some("") => "empty string",
            Some(_) => return,
        };
        if object["spec"]["volumeAttributesClassName"] != old["spec"]["volumeAttributesClassName"] {
            let detail =
                format!("update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil");
            errs.forbidden(&at, &detail);
        }
    }
}

/// The class may come from the annotation, or from nothing, and only once. What may change is taken out of `spec`.
fn validate_class_change(object: &Value, old: &Value, spec: &mut Value, errs: &mut ErrorList) {
    let annotation = |object: &Value| object["metadata"]["annotations"].get(CLASS_ANNOTATION).cloned();
    let (new_annotation, old_annotation) = (annotation(object), annotation(old));
    let class = spec["storageClassName"].clone();
    let unset = old["spec"]["storageClassName"].is_null();
    let from_annotation = old_annotation.as_ref().is_some_and(|a| *a == class)
        && unset
        && new_annotation.as_ref().is_none_or(|new| Some(new) == old_annotation.as_ref());
    if from_annotation {
        spec.remove("storageClassName");
        return;
    }
    let text = |a: &Option<Value>| a.as_ref().map_or(String::new(), |v| v.str().to_string());
    if text(&new_annotation) != text(&old_annotation) {
        let path = Path::new("metadata").child("annotations").key(CLASS_ANNOTATION);
        errs.invalid(&path, text(&new_annotation), immutable::MESSAGE);
    }
    if unset && !class.is_null() && old_annotation.as_ref().is_none_or(|a| *a == class) {
        spec.remove("storageClassName");
    }
}

struct PersistentVolumeClaimStatus;

impl Hooks for PersistentVolumeClaimStatus {
    fn default(&self, object: &mut Value) {
        default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        if object["spec"]["accessModes"].is_empty() {
            errs.required(&Path::new("Spec").child("accessModes"), "");
        }
        let status = &object["status"];
        let path = Path::new("status");
        for (key, amount) in status["capacity"].entries() {
            validate_amount(amount, &path.child("capacity").key(key), errs);
        }
        let statuses = path.child("allocatedResourceStatuses");
        for (key, state) in status["allocatedResourceStatuses"].entries() {
            validate_resource_key(key, &statuses, errs);
            if !RESIZE_STATUSES.contains(&state.str()) {
                errs.not_supported(&statuses, key, RESIZE_STATUSES);
            }
        }
        let allocated = path.child("allocatedResources");
        for (key, amount) in status["allocatedResources"].entries() {
            let before = errs.len();
            validate_resource_key(key, &allocated, errs);
            if errs.len() == before {
                validate_amount(amount, &allocated.key(key), errs);
            }
        }
    }
}

fn validate_amount(amount: &Value, path: &Path, errs: &mut ErrorList) {
    let value = quantity::parse(amount).value();
    if value < 0 {
        errs.invalid(path, value, "must be a valid resource quantity");
    }
}

/// A qualified name; of those that are Kubernetes' own only `storage`.
fn validate_resource_key(key: &str, path: &Path, errs: &mut ErrorList) {
    let wrong = name::qualified_name(key);
    if !wrong.is_empty() {
        errs.invalid_each(path, key, wrong);
    } else if (!key.contains('/') || key.contains("kubernetes.io/")) && key != "storage" {
        errs.not_supported(path, key, &["storage"]);
    }
}
