//! authorization.k8s.io: reviews, answered and not stored.

use crate::rules::{label_selector, shown};
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use resource::{Context, Descriptor, Hooks, Review, Whose};
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    let review = |kind: &str, plural: &str, whose: Whose| {
        let descriptor = Descriptor::builtin(schema, "authorization.k8s.io", "v1", kind, plural);
        descriptor.review(Review::Access(whose)).hooks(AccessReview(whose))
    };
    let rules_review =
        Descriptor::builtin(schema, "authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews");
    vec![
        review("LocalSubjectAccessReview", "localsubjectaccessreviews", Whose::NamedHere),
        review("SelfSubjectAccessReview", "selfsubjectaccessreviews", Whose::Sender).cluster_scoped(),
        rules_review.cluster_scoped().review(Review::Rules),
        review("SubjectAccessReview", "subjectaccessreviews", Whose::Named).cluster_scoped(),
    ]
}

/// The rules of reviews that ask about access (upstream: pkg/apis/authorization/validation).
struct AccessReview(Whose);

impl Hooks for AccessReview {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let spec = &object["spec"];
        let path = Path::new("spec");
        let (resource, other) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
        match (resource.is_null(), other.is_null()) {
            (false, false) => {
                let detail = "cannot be specified in combination with resourceAttributes";
                errs.invalid(&path.child("nonResourceAttributes"), shown_paths(other), detail);
            }
            (true, true) => {
                let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                errs.invalid(&path.child("resourceAttributes"), other, detail);
            }
            _ => {}
        }
        if self.0 != Whose::Sender && spec["user"].is_empty() && spec["groups"].is_empty() {
            errs.invalid(&path.child("user"), "", "at least one of user or group must be specified");
        }
        validate_attributes(resource, &path.child("resourceAttributes"), errs);
        validate_metadata(object, self.0 == Whose::NamedHere, errs);
        if self.0 == Whose::NamedHere {
            validate_local(object, &path, errs);
        }
    }
}

/// As Go prints its internal form.
fn shown_paths(attributes: &Value) -> Shown {
    let text = |key: &str| meta::json::to_string(&Value::from(attributes[key].str()));
    Shown(format!("{{\"Path\":{},\"Verb\":{}}}", text("path"), text("verb")))
}

fn validate_local(object: &Value, path: &Path, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let asked = spec["resourceAttributes"]["namespace"].str();
    if !spec["resourceAttributes"].is_null() && asked != object["metadata"]["namespace"].str() {
        let at = path.child("resourceAttributes").child("namespace");
        errs.invalid(&at, asked, "must match metadata.namespace");
    }
    let other = &spec["nonResourceAttributes"];
    if !other.is_null() {
        errs.invalid(&path.child("nonResourceAttributes"), shown_paths(other), "disallowed on this kind of request");
    }
}

fn validate_metadata(object: &Value, namespaced: bool, errs: &mut ErrorList) {
    let metadata = &object["metadata"];
    let allowed = |key: &str| key == "managedFields" || key == "namespace" && namespaced;
    if metadata.entries().any(|(key, value)| !allowed(key) && !value.is_null()) {
        let detail = if namespaced { "must be empty except for namespace" } else { "must be empty" };
        let shown = shown::declared("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", metadata);
        errs.invalid(&Path::new("metadata"), shown, detail);
    }
}

fn validate_attributes(attributes: &Value, path: &Path, errs: &mut ErrorList) {
    for (field, is_label) in [("fieldSelector", false), ("labelSelector", true)] {
        let selector = &attributes[field];
        if selector.is_null() {
            continue;
        }
        let at = path.child(field);
        let (raw, requirements) = (selector["rawSelector"].str(), selector["requirements"].items());
        if !raw.is_empty() && !requirements.is_empty() {
            errs.invalid(&at.child("rawSelector"), raw, "may not specified at the same time as requirements");
        }
        if raw.is_empty() && requirements.is_empty() {
            let detail = format!("when {at} is specified, requirements or rawSelector is required");
            errs.required(&at.child("requirements"), &detail);
        }
        for (i, requirement) in requirements.iter().enumerate() {
            validate_requirement(requirement, is_label, &at.child("requirements").index(i), errs);
        }
    }
}

/// Operators that are not known are let through.
fn validate_requirement(requirement: &Value, is_label: bool, path: &Path, errs: &mut ErrorList) {
    let (key, at) = (requirement["key"].str(), path.child("key"));
    if !is_label && key.is_empty() {
        errs.required(&at, "must be specified");
    }
    let values = requirement["values"].items();
    match requirement["operator"].str() {
        "In" | "NotIn" if values.is_empty() => {
            errs.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errs.forbidden(&path.child("values"), detail);
        }
        _ => {}
    }
    if is_label {
        label_selector::validate_key(key, &at, errs);
        for (i, value) in values.iter().enumerate() {
            errs.invalid_each(&path.child("values").index(i), value, meta::name::label_value(value.str()));
        }
    }
}
