//! ResourceClaimTemplate: what the claims of a pod are made from.

use super::{admin, requests};
use crate::core::pod::claim;
use crate::core::pod::internal::METADATA;
use crate::rules::{immutable, shown};
use crate::{cells, columns};
use meta::field::{ErrorList, Path, Shown, quote};
use meta::{Value, json};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor =
        Descriptor::builtin(schema, "resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates")
            .storage_version_hash("TuzjC49aUfM=")
            .strategy(Strategy {
                delete_returns_object: true,
                metadata: MetadataRules::WHOLE_AND_CHANGES,
                ..Strategy::default()
            })
            .with_opaque_data()
            .hooks(ResourceClaimTemplate);
    columns::with(descriptor, |object, now| vec![cells::name(object), cells::age(object, now)])
}

struct ResourceClaimTemplate;

impl Hooks for ResourceClaimTemplate {
    fn default(&self, object: &mut Value) {
        if let Some(spec) = object.path_mut("spec.spec") {
            requests::default_spec(spec);
        }
    }

    fn validate(&self, ctx: &Context, object: &Value, errs: &mut ErrorList) {
        admin::validate_requests(ctx, object, &object["spec"]["spec"]["devices"]["requests"], errs);
        validate_spec(&object["spec"], false, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], true, errs);
        if !immutable::same(&object["spec"], &old["spec"]) {
            errs.invalid(&Path::new("spec"), shown_spec(&object["spec"]), immutable::MESSAGE);
        }
    }
}

fn validate_spec(spec: &Value, stored: bool, errs: &mut ErrorList) {
    let path = Path::new("spec");
    claim::validate_template_metadata(&spec["metadata"], &path.child("metadata"), errs);
    requests::validate_spec(&spec["spec"], stored, &path.child("spec"), errs);
}

/// The fields of the metadata stand among the others, with their wire names.
fn shown_spec(spec: &Value) -> Shown {
    let mut parts: Vec<String> = METADATA
        .iter()
        .filter_map(|field| Some((field, spec["metadata"].get(field)?)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| format!("{}:{}", quote(field), json::to_string(value)))
        .collect();
    let inner = shown::internal("io.k8s.api.resource.v1.ResourceClaimSpec", &spec["spec"]).0;
    parts.push(format!("\"Spec\":{inner}"));
    Shown(format!("{{{}}}", parts.join(",")))
}
