//! IngressClass: which controller implements an Ingress.

use crate::rules::{domain_path, immutable};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "IngressClass", "ingressclasses")
        .cluster_scoped()
        .storage_version_hash("l/iqIbDgFyQ=")
        .strategy(Strategy {
            generation: Generation::Spec,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(IngressClass);
    columns::with(descriptor, ingress_class_cells)
}

fn ingress_class_cells(object: &Value, now: i64) -> Vec<Value> {
    let parameters = &object["spec"]["parameters"];
    let text = match (parameters.is_null(), parameters["apiGroup"].as_str()) {
        (true, _) => cells::NONE.to_string(),
        (false, Some(group)) => format!("{}.{group}/{}", parameters["kind"].str(), parameters["name"].str()),
        (false, None) => format!("{}/{}", parameters["kind"].str(), parameters["name"].str()),
    };
    vec![cells::name(object), object["spec"]["controller"].str().into(), text.into(), cells::age(object, now)]
}

const CONTROLLER_LENGTH_MAX: usize = 250;

struct IngressClass;

impl Hooks for IngressClass {
    fn default(&self, object: &mut Value) {
        if let Some(parameters) = object.path_mut("spec.parameters").filter(|p| !p.is_null()) {
            parameters.set_default("scope", "Cluster");
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec");
        let at = path.child("controller");
        match object["spec"]["controller"].str() {
            "" => errs.required(&at, ""),
            controller => {
                if controller.len() > CONTROLLER_LENGTH_MAX {
                    errs.too_long(&at, CONTROLLER_LENGTH_MAX);
                }
                domain_path::validate(controller, &at, errs);
            }
        }
        validate_parameters(&object["spec"]["parameters"], &path.child("parameters"), errs);
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec").child("controller");
        immutable::validate_text(&object["spec"]["controller"], &old["spec"]["controller"], &path, errs);
        self.validate(ctx, object, errs);
    }
}

fn validate_parameters(parameters: &Value, path: &Path, errs: &mut ErrorList) {
    if parameters.is_null() {
        return;
    }
    super::ingress::validate_typed_reference(parameters, path, errs);
    let at = path.child("namespace");
    match (parameters["scope"].as_str(), parameters["namespace"].as_str()) {
        (None, _) => errs.required(&path.child("scope"), ""),
        (Some("Namespace"), None) => errs.required(&at, "`parameters.scope` is set to 'Namespace'"),
        (Some("Namespace"), Some(namespace)) => errs.invalid_each(&at, namespace, name::dns1123_label(namespace)),
        (Some("Cluster"), None) => {}
        (Some("Cluster"), Some(_)) => errs.forbidden(&at, "`parameters.scope` is set to 'Cluster'"),
        (Some(other), _) => errs.not_supported(&path.child("scope"), other, &["Cluster", "Namespace"]),
    }
}
