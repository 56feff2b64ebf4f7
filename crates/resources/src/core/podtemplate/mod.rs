//! PodTemplate: a pod template by itself.

use crate::cells::{self, ColumnRow, NAME};
use crate::core::pod::template;
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "", "v1", "PodTemplate", "podtemplates")
        .storage_version_hash("LIXB2x4IFpk=")
        .strategy(Strategy {
            generation: Generation::AllButMetadata,
            delete_returns_object: true,
            ..Strategy::default()
        })
        .columns(COLUMNS, cells)
        .hooks(PodTemplate)
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Containers", "string", "", 0, "Names of each container in the template."),
    ("Images", "string", "", 0, "Images referenced by each container in the template."),
    ("Pod Labels", "string", "", 0, "The labels for the pod template."),
];

fn cells(object: &Value, _now: i64) -> Vec<Value> {
    let template = &object["template"];
    let [names, images] = cells::containers(&template["spec"]);
    vec![cells::name(object), names, images, Value::from(cells::labels_text(&template["metadata"]["labels"]))]
}

struct PodTemplate;

impl Hooks for PodTemplate {
    fn default(&self, object: &mut Value) {
        template::default_template(object.entry("template"));
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        template::drop_disabled(object.entry("template"), None);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        template::drop_disabled(object.entry("template"), Some(&old["template"]));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        template::validate_template(&object["template"], None, &Path::new("template"), errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        template::validate_template(&object["template"], Some(&old["template"]), &Path::new("template"), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        if old.is_none_or(|old| old["metadata"]["generation"] != object["metadata"]["generation"]) {
            template::warn_template(&object["template"], &Path::new("template"), out);
        }
    }
}
