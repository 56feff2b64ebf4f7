//! ValidatingWebhookConfiguration and MutatingWebhookConfiguration: webhooks that judge and change requests.

use super::rules;
use crate::rules::webhook_client::{REVIEW_VERSIONS, SERVICE_PORT_DEFAULT, validate_client};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::collections::HashSet;
use std::sync::Arc;

pub fn validating_webhook_configuration(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("B0wHjQmsGNk=")
    .strategy(Strategy {
        unconditional_update: false,
        metadata: MetadataRules::WHOLE.with_any_finalizers(),
        generation: Generation::Hooks,
        ..Strategy::default()
    })
    .hooks(ValidatingWebhookConfiguration);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::count(&object["webhooks"]), cells::age(object, now)]
    })
}

struct ValidatingWebhookConfiguration;

impl Hooks for ValidatingWebhookConfiguration {
    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        prepare_generation(object, old);
    }

    fn default(&self, object: &mut Value) {
        default_webhooks(object, |_| ());
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_webhooks(object, errs);
    }
}

pub fn mutating_webhook_configuration(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("Sqi0GUgDaX0=")
    .strategy(Strategy {
        unconditional_update: false,
        metadata: MetadataRules::WHOLE.with_any_finalizers(),
        generation: Generation::Hooks,
        ..Strategy::default()
    })
    .hooks(MutatingWebhookConfiguration);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::count(&object["webhooks"]), cells::age(object, now)]
    })
}

struct MutatingWebhookConfiguration;

impl Hooks for MutatingWebhookConfiguration {
    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        prepare_generation(object, old);
    }

    fn default(&self, object: &mut Value) {
        default_webhooks(object, |webhook| {
            webhook.set_default("reinvocationPolicy", "Never");
        });
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_webhooks(object, errs);
    }
}

/// Any difference between the webhooks is a new generation.
fn prepare_generation(object: &mut Value, old: &Value) {
    if object["webhooks"] != old["webhooks"] {
        let next = old["metadata"]["generation"].int().saturating_add(1);
        object.entry("metadata").set("generation", next);
    }
}

const TIMEOUT_SECONDS_DEFAULT: i64 = 10;
const TIMEOUT_SECONDS_MAX: i64 = 30;

fn default_webhooks(object: &mut Value, also: impl Fn(&mut Value)) {
    let Some(webhooks) = object.get_mut("webhooks") else { return };
    for webhook in webhooks.items_mut() {
        webhook.set_default("failurePolicy", "Fail");
        webhook.set_default("timeoutSeconds", TIMEOUT_SECONDS_DEFAULT);
        rules::default_matching(webhook, &["rules"]);
        if let Some(service) = webhook.path_mut("clientConfig.service").filter(|service| service.as_object().is_some())
        {
            service.set_default("port", SERVICE_PORT_DEFAULT);
        }
        also(webhook);
    }
}

fn validate_webhooks(object: &Value, errs: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (i, webhook) in object["webhooks"].items().iter().enumerate() {
        let path = Path::new("webhooks").index(i);
        validate_webhook(webhook, &path, errs);
        validate_review_versions(&webhook["admissionReviewVersions"], &path.child("admissionReviewVersions"), errs);
        let webhook_name = webhook["name"].str();
        if !webhook_name.is_empty() && !seen.insert(webhook_name) {
            errs.duplicate(&path.child("name"), webhook_name);
        }
    }
}

fn validate_webhook(webhook: &Value, path: &Path, errs: &mut ErrorList) {
    validate_name(webhook["name"].str(), &path.child("name"), errs);
    for (i, rule) in webhook["rules"].items().iter().enumerate() {
        rules::validate_rule(rule, &path.child("rules").index(i), errs);
    }
    rules::validate_failure_policy(webhook, path, errs);
    rules::validate_match_policy(webhook, path, errs);
    match webhook["sideEffects"].as_str() {
        None => errs.required(&path.child("sideEffects"), "must specify one of None, NoneOnDryRun"),
        Some(_) => rules::validate_choice(webhook, "sideEffects", &["None", "NoneOnDryRun"], path, errs),
    }
    let seconds = webhook["timeoutSeconds"].as_int().unwrap_or(TIMEOUT_SECONDS_DEFAULT);
    if !(1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errs.invalid(&path.child("timeoutSeconds"), seconds, detail);
    }
    rules::validate_selectors(webhook, path, errs);
    rules::validate_choice(webhook, "reinvocationPolicy", &["IfNeeded", "Never"], path, errs);
    validate_client(&webhook["clientConfig"], &path.child("clientConfig"), errs);
    rules::validate_match_conditions(&webhook["matchConditions"], false, &path.child("matchConditions"), errs);
}

/// A domain of three parts, so that names do not meet by chance.
fn validate_name(webhook_name: &str, path: &Path, errs: &mut ErrorList) {
    if webhook_name.is_empty() {
        errs.required(path, "");
        return;
    }
    let wrong = name::dns1123_subdomain(webhook_name);
    if !wrong.is_empty() {
        errs.invalid(path, webhook_name, &wrong.join(","));
    } else if webhook_name.split('.').count() < 3 {
        errs.invalid(path, webhook_name, "should be a domain with at least three segments separated by dots");
    }
}

fn validate_review_versions(versions: &Value, path: &Path, errs: &mut ErrorList) {
    if versions.is_empty() {
        errs.required(path, &format!("must specify one of {}", REVIEW_VERSIONS.join(", ")));
        return;
    }
    let mut seen = HashSet::new();
    for (i, version) in versions.items().iter().map(Value::str).enumerate() {
        if !seen.insert(version) {
            errs.invalid(&path.index(i), version, "duplicate version");
            continue;
        }
        errs.invalid_each(&path.index(i), version, name::dns1035_label(version));
    }
    if !REVIEW_VERSIONS.iter().any(|known| seen.contains(known)) {
        let detail = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errs.invalid(path, versions, &detail);
    }
}
