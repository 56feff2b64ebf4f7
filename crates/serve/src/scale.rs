//! The scale subresource: a view of one number of the parent object, through which it is read and written.

use crate::change::{self, Patch};
use crate::form;
use crate::write::Attempt;
use codec::table::{CREATED_DESCRIPTION, NAME_DESCRIPTION};
use meta::field::{ErrorList, Path};
use meta::selector::LabelSelector;
use meta::time::{Timestamp, human_duration};
use meta::{Gvk, Result, Status, Str, Value, value};
use patch::managed::{self, OneVersion, ResetFields, Target};
use resource::{Descriptor, ScaleSelector, SubresourceKind};
use schema::TypeId;

/// What a client wants to do to a Scale.
pub enum ScaleChange {
    Replace(Value),
    Patch(Patch),
    Apply(Value),
}

/// Where in the parent a Scale's parts are.
struct Places<'a> {
    spec_replicas: &'a str,
    status_replicas: &'a str,
    selector: &'a ScaleSelector,
}

pub fn gvk() -> Gvk {
    Gvk::new("autoscaling", "v1", "Scale")
}

/// Scale as a resource of its own, for the forms that answers take.
pub fn descriptor() -> Descriptor {
    Descriptor::builtin(&schema::builtin(), "autoscaling", "v1", "Scale", "scales").not_stored().columns(COLUMNS, cells)
}

/// Name, type, format, priority and description of the columns of a table.
const COLUMNS: &[(&str, &str, &str, i32, &str)] = &[
    ("Name", "string", "", 0, NAME_DESCRIPTION),
    ("Desired", "integer", "", 0, "replicas is the desired number of instances for the scaled object."),
    ("Available", "integer", "", 0, "replicas is the actual number of observed instances of the scaled object."),
    ("Age", "string", "", 0, CREATED_DESCRIPTION),
];

fn cells(scale: &Value, now: i64) -> Vec<Value> {
    let created = Timestamp::parse(scale["metadata"]["creationTimestamp"].str());
    vec![
        Value::from(scale["metadata"]["name"].str()),
        Value::Int(scale["spec"]["replicas"].int()),
        Value::Int(scale["status"]["replicas"].int()),
        Value::from(created.map_or("<unknown>".into(), |at| human_duration(now.saturating_sub(at.seconds)))),
    ]
}

/// The built-in type of Scale.
pub fn type_id() -> Result<TypeId> {
    schema::builtin().kind(&gvk()).ok_or_else(|| Status::internal("the schema has no Scale"))
}

fn places(does: &SubresourceKind) -> Option<Places<'_>> {
    match does {
        SubresourceKind::Scale { spec_replicas, status_replicas, selector } => {
            Some(Places { spec_replicas, status_replicas, selector })
        }
        _ => None,
    }
}

/// 500 for a custom resource that has no number to show.
pub fn check_readable(does: &SubresourceKind, descriptor: &Descriptor, parent: &Value) -> Result<()> {
    match places(does) {
        Some(places) if descriptor.stored_as_json && parent.path(places.spec_replicas).is_null() => {
            let path = meta::field::quote(&format!(".{}", places.spec_replicas));
            Err(Status::internal(format!("the spec replicas field {path} does not exist")))
        }
        _ => Ok(()),
    }
}

/// The Scale of an object in its served version.
pub fn of_parent(does: &SubresourceKind, parent: &Value) -> Value {
    let Some(places) = places(does) else { return Value::Null };
    let metadata = &parent["metadata"];
    let mut scale = value!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {}, "spec": {}});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata.get(field) {
            scale.entry("metadata").set(field, value);
        }
    }
    let replicas = parent.path(places.spec_replicas).int();
    if replicas != 0 {
        scale.entry("spec").set("replicas", replicas);
    }
    let mut status = value!({"replicas": (parent.path(places.status_replicas).int())});
    let selector = selector_text(places.selector, parent);
    if !selector.is_empty() {
        status.set("selector", selector);
    }
    scale.set("status", status);
    scale
}

fn selector_text(selector: &ScaleSelector, parent: &Value) -> String {
    match selector {
        ScaleSelector::LabelSelector(path) => {
            LabelSelector::from_value(parent.path(path)).map(|s| s.to_string()).unwrap_or_default()
        }
        ScaleSelector::Labels(path) => LabelSelector::from_labels(parent.path(path)).to_string(),
        ScaleSelector::Text(path) if path.is_empty() => String::new(),
        ScaleSelector::Text(path) => parent.path(path).str().to_owned(),
    }
}

/// Sets the number in the parent.
pub fn set_replicas(does: &SubresourceKind, parent: &mut Value, replicas: i64) {
    let Some(places) = places(does) else { return };
    *places.spec_replicas.split('.').fold(parent, |at, key| at.entry(key)) = replicas.into();
}

/// The parent as the changed Scale wants it, in the storage version.
pub fn propose(attempt: &Attempt, wanted: &ScaleChange) -> Result<Value> {
    let descriptor = attempt.write.route.descriptor();
    let (Some(old), Some(part)) = (attempt.old_value(), &attempt.write.route.part) else {
        return Err(attempt.write.not_found());
    };
    let Some(places) = places(&part.does) else { return Err(attempt.write.not_found()) };
    let mut parent = form::to_served(descriptor, old.clone());
    let replicas_path = |_: &str| Some(Str::from(places.spec_replicas));
    let mut live = of_parent(&part.does, &parent);
    managed::entries_of_scale(&parent, &mut live, &replicas_path);
    let scale = changed(attempt, wanted, &live)?;
    validate(&scale, descriptor, &places)?;
    let version = scale["metadata"]["resourceVersion"].str();
    if !version.is_empty() {
        parent.entry("metadata").set("resourceVersion", version);
    }
    let replicas = scale["spec"]["replicas"].int();
    set_replicas(&part.does, &mut parent, replicas);
    managed::entries_of_parent(&scale, &mut parent, &descriptor.api_version(), &replicas_path);
    Ok(form::to_storage(descriptor, parent))
}

/// The Scale that the client wants, with its managers.
fn changed(attempt: &Attempt, wanted: &ScaleChange, live: &Value) -> Result<Value> {
    let (schema, type_id, gvk) = (schema::builtin(), type_id()?, gvk());
    let reset = ResetFields::default();
    let now = Timestamp::now().to_rfc3339();
    let target = Target {
        schema: &schema,
        type_id,
        gvk: &gvk,
        subresource: "scale",
        reset: &reset,
        now: &now,
        versions: &OneVersion,
    };
    let manager = attempt.write.manager.as_str();
    let mut scale = match wanted {
        ScaleChange::Replace(body) => body.clone(),
        ScaleChange::Patch(patch) => change::patched(attempt, patch, &schema, type_id, live.clone())?.object,
        ScaleChange::Apply(applied) => {
            let force = attempt.write.options.force.unwrap_or(false);
            let mut scale = managed::apply(&target, Some(live), applied, manager, force)?;
            codec::canonicalise(&schema, type_id, &mut scale).map_err(|why| Status::internal(why.text))?;
            return Ok(scale);
        }
    };
    managed::record_update(&target, Some(live), &mut scale, manager, false);
    Ok(scale)
}

fn validate(scale: &Value, parent: &Descriptor, places: &Places) -> Result<()> {
    let replicas = scale["spec"]["replicas"].int();
    if replicas >= 0 {
        return Ok(());
    }
    let mut errs = ErrorList::new();
    if parent.stored_as_json {
        let path = Path::root().child_named(&format!(".{}", places.spec_replicas));
        errs.invalid(&path, replicas, "should be a non-negative integer");
        return Err(Status::invalid(&parent.group, &parent.kind, scale["metadata"]["name"].str(), errs));
    }
    errs.invalid(&Path::new("spec").child("replicas"), replicas, "must be greater than or equal to 0");
    Err(Status::invalid("autoscaling", "Scale", scale["metadata"]["name"].str(), errs))
}
