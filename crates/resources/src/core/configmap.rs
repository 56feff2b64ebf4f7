//! ConfigMap: text and binary data under keys. Immutable ones change only in their metadata.

use crate::rules::{base64, immutable};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ConfigMap", "configmaps")
        .short_names(&["cm"])
        .storage_version_hash("qFsyl6wFWjQ=")
        .strategy(Strategy { metadata: MetadataRules::WHOLE_AND_CHANGES, ..Strategy::default() })
        .hooks(ConfigMap);
    columns::with(descriptor, |object, now| vec![cells::name(object), data_count(object), cells::age(object, now)])
}

/// Text and binary entries together.
fn data_count(object: &Value) -> Value {
    let entries = |key: &str| object[key].entries().len() as i64;
    Value::Int(entries("data") + entries("binaryData"))
}

/// All values together, in bytes (upstream's MaxSecretSize).
pub const TOTAL_BYTES_MAX: usize = 1024 * 1024;

struct ConfigMap;

impl Hooks for ConfigMap {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let mut total = 0;
        let binary = &object["binaryData"];
        for (key, value) in object["data"].entries() {
            let path = Path::new("data").key(key);
            errs.invalid_each(&path, key, name::config_map_key(key));
            if binary.get(key).is_some() {
                errs.invalid(&path, key, "duplicate of key present in binaryData");
            }
            total += value.str().len();
        }
        for (key, value) in binary.entries() {
            errs.invalid_each(&Path::new("binaryData").key(key), key, name::config_map_key(key));
            total += base64::decoded_len(value.str());
        }
        if total > TOTAL_BYTES_MAX {
            // Upstream's path has one step, without a name.
            errs.too_long(&Path::root().key(""), TOTAL_BYTES_MAX);
        }
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_frozen(object, old, &["data", "binaryData"], errs);
        self.validate(ctx, object, errs);
    }
}

/// An object once `immutable` keeps its content and stays immutable. Also for secrets.
pub fn validate_frozen(object: &Value, old: &Value, content: &[&'static str], errs: &mut ErrorList) {
    if !old["immutable"].bool() {
        return;
    }
    let complaint = "field is immutable when `immutable` is set";
    if !object["immutable"].bool() {
        errs.forbidden(&Path::new("immutable"), complaint);
    }
    for field in content {
        if !immutable::same(&object[*field], &old[*field]) {
            errs.forbidden(&Path::new(field), complaint);
        }
    }
}
