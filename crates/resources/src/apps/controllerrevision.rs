//! ControllerRevision: one state that a controller may go back to; never changed.

use crate::cells::{self, AGE, ColumnRow, NAME};
use crate::rules::immutable;
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use meta::json;
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "ControllerRevision", "controllerrevisions")
        .storage_version_hash("85nkx63pcBU=")
        .columns(COLUMNS, cells)
        .with_opaque_data()
        .hooks(ControllerRevision)
        .strategy(Strategy { metadata: MetadataRules::WHOLE_AND_CHANGES, ..Strategy::default() })
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Controller", "string", "", 0, "Controller of the object"),
    ("Revision", "string", "", 0, "Revision indicates the revision of the state represented by Data."),
    AGE,
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    vec![
        cells::name(object),
        Value::from(controller(object)),
        Value::Int(object["revision"].int()),
        cells::age(object, now),
    ]
}

/// `kind.group/name` of the controlling owner.
fn controller(object: &Value) -> String {
    let owners = object["metadata"]["ownerReferences"].items();
    let Some(owner) = owners.iter().find(|o| o["controller"].bool()) else { return "<none>".into() };
    let (group, _) = meta::gvk::split_api_version(owner["apiVersion"].str());
    let kind = meta::gvk::group_resource(group, owner["kind"].str()).to_lowercase();
    format!("{kind}/{}", owner["name"].str())
}

struct ControllerRevision;

impl Hooks for ControllerRevision {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let data = &object["data"];
        if data.is_null() {
            errs.required(&Path::new("data"), "data is mandatory");
        } else if data.as_object().is_none() {
            errs.required(&Path::new("data"), "data must be a valid JSON object");
        }
        validate_revision(object, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_revision(object, errs);
        if !immutable::same(&object["data"], &old["data"]) {
            errs.invalid(&Path::new("data"), Shown(json::to_string(&object["data"])), "field is immutable");
        }
    }
}

fn validate_revision(object: &Value, errs: &mut ErrorList) {
    errs.non_negative(&Path::new("revision"), object["revision"].int());
}
