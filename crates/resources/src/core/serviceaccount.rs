//! ServiceAccount: an identity for pods.

use crate::{cells, columns};
use meta::{Gvk, Map, Value};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy, SubresourceKind, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ServiceAccount", "serviceaccounts")
        .short_names(&["sa"])
        .storage_version_hash("pbx9ZvyFpBE=")
        .strategy(Strategy {
            delete_returns_object: true,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(ServiceAccount)
        .with_subresource(
            "token",
            Gvk::new("authentication.k8s.io", "v1", "TokenRequest"),
            &[Verb::Create],
            SubresourceKind::Token(&super::serviceaccount_token::ServiceAccountToken),
        );
    columns::with(descriptor, |object, now| vec![cells::name(object), cells::age(object, now)])
}

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

struct ServiceAccount;

/// Of references to secrets only the names are kept.
fn clean_secrets(object: &mut Value) {
    for secret in object.get_mut("secrets").map(Value::items_mut).unwrap_or_default() {
        let name = secret.remove("name");
        let mut map = Map::new();
        if let Some(name) = name {
            map.insert("name", name);
        }
        *secret = Value::Object(map);
    }
}

impl Hooks for ServiceAccount {
    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        clean_secrets(object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, _old: &Value) {
        clean_secrets(object);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        let is_set = |object: &Value| object["metadata"]["annotations"].get(ENFORCE).is_some();
        if is_set(object) && !old.is_some_and(is_set) {
            let advice = "prefer separate namespaces to isolate access to mounted secrets";
            warnings.push(format!("metadata.annotations[{ENFORCE}]: deprecated in v1.32+; {advice}"));
        }
    }
}
