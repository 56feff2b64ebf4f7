//! Secret: sensitive bytes under keys, with rules by type.

use super::configmap::{TOTAL_BYTES_MAX, validate_frozen};
use crate::rules::{base64, immutable, pem};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, json, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Secret", "secrets")
        .storage_version_hash("S6u1pOWzb84=")
        .select_field("type")
        .strategy(Strategy { metadata: MetadataRules::WHOLE_AND_CHANGES, ..Strategy::default() })
        .hooks(Secret);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), object["type"].str().into(), cells::count(&object["data"]), cells::age(object, now)]
    })
}

const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

struct Secret;

impl Hooks for Secret {
    fn default(&self, object: &mut Value) {
        if let Some(text) = object.remove("stringData") {
            for (key, value) in text.entries() {
                let bytes = base64::encode(value.str().as_bytes());
                object.entry("data").set(key, bytes);
            }
        }
        for (_, value) in object.get_mut("data").into_iter().flat_map(Value::entries_mut) {
            if value.is_null() {
                *value = "".into();
            }
        }
        if object["type"].is_empty() {
            object.set("type", "Opaque");
        }
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        if object["type"].is_empty() {
            object.set("type", &old["type"]);
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let path = Path::new("data");
        let data = &object["data"];
        let mut total = 0;
        for (key, value) in data.entries() {
            errs.invalid_each(&path.key(key), key, name::config_map_key(key));
            total += base64::decoded_len(value.str());
        }
        if total > TOTAL_BYTES_MAX {
            errs.too_long(&path, TOTAL_BYTES_MAX);
        }
        validate_type(object, &path, errs);
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        immutable::validate(&object["type"], &old["type"], &Path::new("type"), errs);
        validate_frozen(object, old, &["data"], errs);
        self.validate(ctx, object, errs);
    }

    /// Upstream tries the pair as a TLS server would; a pair of PEM texts is taken for right here.
    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        if object["type"].str() != "kubernetes.io/tls" {
            return;
        }
        for (key, what) in [("tls.crt", "certificate"), ("tls.key", "key")] {
            if !pem::has_block(&base64::decode(object["data"][key].str())) {
                warnings.push(format!("tls: failed to find any PEM data in {what} input"));
                return;
            }
        }
    }
}

fn validate_type(object: &Value, path: &Path, errs: &mut ErrorList) {
    let data = &object["data"];
    let has = |key: &str| data.get(key).is_some();
    match object["type"].str() {
        "kubernetes.io/service-account-token" => {
            let annotations = &object["metadata"]["annotations"];
            if annotations[SERVICE_ACCOUNT_NAME].is_empty() {
                errs.required(&Path::new("metadata").child("annotations").key(SERVICE_ACCOUNT_NAME), "");
            }
        }
        "kubernetes.io/dockercfg" => validate_json(data, ".dockercfg", path, errs),
        "kubernetes.io/dockerconfigjson" => validate_json(data, ".dockerconfigjson", path, errs),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errs.required(&path.key("username"), "");
            errs.required(&path.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if data["ssh-privatekey"].is_empty() => {
            errs.required(&path.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"].into_iter().filter(|key| !has(key)) {
                errs.required(&path.key(key), "");
            }
        }
        _ => {}
    }
}

/// The entry must be a JSON object, or null.
fn validate_json(data: &Value, key: &str, path: &Path, errs: &mut ErrorList) {
    let Some(text) = data.get(key) else {
        errs.required(&path.key(key), "");
        return;
    };
    let wrong = match json::parse(&base64::decode(text.str())) {
        Err(error) => error.to_string(),
        Ok(parsed) => {
            let found = match parsed.value {
                Value::Object(_) | Value::Null | Value::Raw(_) => return,
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Int(_) | Value::Float(_) => "number",
            };
            format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")
        }
    };
    errs.invalid(&path.key(key), "<secret contents redacted>", &wrong);
}
