//! PodTemplate: a pod template by itself.

use crate::cells::{self, ColumnRow, NAME};
use meta::Value;
use resource::{Descriptor, Generation, Strategy};
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
