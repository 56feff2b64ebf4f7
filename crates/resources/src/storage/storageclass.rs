//! StorageClass: how volumes are provisioned.

use super::parameters;
use crate::rules::{immutable, label_selector};
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "StorageClass", "storageclasses")
        .cluster_scoped()
        .short_names(&["sc"])
        .storage_version_hash("K+m6uJwbjGY=")
        .strategy(Strategy {
            delete_returns_object: true,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(StorageClass);
    columns::with(descriptor, class_cells)
}

fn class_cells(object: &Value, now: i64) -> Vec<Value> {
    let annotations = &object["metadata"]["annotations"];
    let default = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
        .iter()
        .any(|key| annotations[*key].str() == "true");
    let name = object["metadata"]["name"].str();
    vec![
        if default { format!("{name} (default)").into() } else { name.into() },
        object["provisioner"].str().into(),
        cells::text_or(&object["reclaimPolicy"], "Delete"),
        cells::text_or(&object["volumeBindingMode"], "Immediate"),
        object["allowVolumeExpansion"].bool().into(),
        cells::age(object, now),
    ]
}

const RECLAIM_POLICIES: &[&str] = &["Delete", "Retain"];
const BINDING_MODES: &[&str] = &["Immediate", "WaitForFirstConsumer"];

struct StorageClass;

impl Hooks for StorageClass {
    fn default(&self, object: &mut Value) {
        object.set_default("reclaimPolicy", "Delete");
        object.set_default("volumeBindingMode", "Immediate");
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        parameters::validate_provisioner(object["provisioner"].str(), &Path::new("provisioner"), errs);
        parameters::validate(&object["parameters"], true, errs);
        validate_choices(object, errs);
        validate_topologies(object["allowedTopologies"].items(), &Path::new("allowedTopologies"), errs);
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.validate(ctx, object, errs);
        immutable::validate(&object["parameters"], &old["parameters"], &Path::new("parameters"), errs);
        immutable::validate_text(&object["provisioner"], &old["provisioner"], &Path::new("provisioner"), errs);
        for field in ["reclaimPolicy", "volumeBindingMode"] {
            immutable::validate(&object[field], &old[field], &Path::new(field), errs);
        }
    }
}

fn validate_choices(object: &Value, errs: &mut ErrorList) {
    for (field, known) in [("reclaimPolicy", RECLAIM_POLICIES), ("volumeBindingMode", BINDING_MODES)] {
        let path = Path::new(field);
        match object[field].as_str() {
            None => errs.required(&path, ""),
            Some("") if field == "reclaimPolicy" => {}
            Some(value) if !known.contains(&value) => errs.not_supported(&path, value, known),
            Some(_) => {}
        }
    }
}

fn validate_topologies(terms: &[Value], path: &Path, errs: &mut ErrorList) {
    let requirements = |term: &Value| {
        let expressions = term["matchLabelExpressions"].items();
        let mut sets: Vec<(String, Vec<String>)> = expressions
            .iter()
            .map(|e| {
                let mut values: Vec<String> = e["values"].items().iter().map(|v| v.str().to_string()).collect();
                values.sort_unstable();
                values.dedup();
                (e["key"].str().to_string(), values)
            })
            .collect();
        sets.sort_unstable();
        sets
    };
    for (i, term) in terms.iter().enumerate() {
        let at = path.index(i).child("matchLabelExpressions");
        let expressions = term["matchLabelExpressions"].items();
        for (j, expression) in expressions.iter().enumerate() {
            validate_topology(expression, &at.index(j), errs);
            if expressions.iter().take(j).any(|e| e["key"].str() == expression["key"].str()) {
                errs.duplicate(&at.index(j).child("key"), expression["key"].str());
            }
        }
        // upstream's list of the terms before begins with as many empty ones as there are terms
        let repeats = terms.iter().take(i).filter(|other| requirements(other) == requirements(term)).count();
        let empty = if expressions.is_empty() { terms.len() } else { 0 };
        for _ in 0..repeats + empty {
            errs.duplicate(&at, "");
        }
    }
}

fn validate_topology(expression: &Value, path: &Path, errs: &mut ErrorList) {
    let values = expression["values"].items();
    let at = path.child("values");
    if values.is_empty() {
        errs.required(&at, "");
    }
    for (i, value) in values.iter().enumerate() {
        if values.iter().take(i).any(|v| v == value) {
            errs.duplicate(&at.index(i), value);
        }
    }
    label_selector::validate_key(expression["key"].str(), &path.child("key"), errs);
}
