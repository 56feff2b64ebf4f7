//! The spec of a PersistentVolumeClaim, as ephemeral volumes, stateful sets and claims themselves have it.

use super::containers::validate_optional_choice;
use super::internal::METADATA;
use super::resources::{amount, validate_amount};
use crate::rules::label_selector;
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use meta::name;

const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// What a stored claim may keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimOptions {
    pub allow_invalid_selector: bool,
    pub allow_invalid_api_group: bool,
}

/// An ephemeral volume's template: labels, annotations and a claim's spec.
pub fn validate_template(template: &Value, path: &Path, errs: &mut ErrorList) {
    validate_template_metadata(&template["metadata"], &path.child("metadata"), errs);
    validate_spec(&template["spec"], ClaimOptions::default(), &path.child("spec"), errs);
}

/// Upstream's ValidateTemplateObjectMeta: labels and annotations, and nothing else.
pub fn validate_template_metadata(metadata: &Value, path: &Path, errs: &mut ErrorList) {
    resource::rules::validate_annotations(&metadata["annotations"], &path.child("annotations"), errs);
    label_selector::validate_labels(&metadata["labels"], &path.child("labels"), errs);
    for field in METADATA.iter().filter(|field| !matches!(**field, "labels" | "annotations")) {
        let value = &metadata[*field];
        if !value.is_empty() && *value != Value::Int(0) {
            // upstream makes names of Go's
            let shown = if *field == "uid" { "uID" } else { field };
            errs.forbidden(&path.child(shown), "cannot be set");
        }
    }
}

/// Upstream's ValidatePersistentVolumeClaimSpec.
pub fn validate_spec(spec: &Value, options: ClaimOptions, path: &Path, errs: &mut ErrorList) {
    let modes = spec["accessModes"].items();
    let modes_path = path.child("accessModes");
    if modes.is_empty() {
        errs.required(&modes_path, "at least 1 access mode is required");
    }
    label_selector::validate(&spec["selector"], options.allow_invalid_selector, &path.child("selector"), errs);
    for mode in modes {
        validate_optional_choice(mode, ACCESS_MODES, &modes_path, errs);
    }
    let once_pod = |mode: &&Value| mode.str() == "ReadWriteOncePod";
    if modes.iter().any(|m| once_pod(&m)) && modes.iter().any(|m| !once_pod(&m) && ACCESS_MODES.contains(&m.str())) {
        errs.forbidden(&modes_path, "may not use ReadWriteOncePod with other access modes");
    }
    validate_storage(spec, &path.child("resources").key("storage"), errs);
    validate_class(&spec["storageClassName"], &path.child("storageClassName"), errs);
    validate_optional_choice(&spec["volumeMode"], &["Block", "Filesystem"], &path.child("volumeMode"), errs);
    let (source, reference) = (&spec["dataSource"], &spec["dataSourceRef"]);
    for (field, value) in [("dataSource", source), ("dataSourceRef", reference)] {
        if !value.is_null() {
            validate_source(value, options.allow_invalid_api_group, &path.child(field), errs);
        }
    }
    // upstream shows the path itself as the value
    let shown = || Shown("{}".into());
    if !reference["namespace"].str().is_empty() {
        if !source.is_null() {
            errs.invalid(path, shown(), "may not be specified when dataSourceRef.namespace is specified");
        }
    } else if !source.is_null()
        && !reference.is_null()
        && ["apiGroup", "kind", "name"].iter().any(|f| source[*f] != reference[*f])
    {
        errs.invalid(path, shown(), "must match dataSourceRef");
    }
    validate_class(&spec["volumeAttributesClassName"], &path.child("volumeAttributesClassName"), errs);
}

fn validate_storage(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let storage = &spec["resources"]["requests"]["storage"];
    if storage.is_null() {
        errs.required(path, "");
    } else if amount(storage).sign() <= 0 {
        errs.invalid(path, storage, "must be greater than zero");
    } else {
        validate_amount("storage", storage, path, errs);
    }
}

fn validate_class(class: &Value, path: &Path, errs: &mut ErrorList) {
    if !class.str().is_empty() {
        errs.invalid_each(path, class, name::dns1123_subdomain(class.str()));
    }
}

fn validate_source(source: &Value, lenient: bool, path: &Path, errs: &mut ErrorList) {
    for field in ["name", "kind"] {
        if source[field].str().is_empty() {
            errs.required(&path.child(field), "");
        }
    }
    let (group, kind) = (source["apiGroup"].str(), source["kind"].str());
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        errs.invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
    if !group.is_empty() && !lenient {
        errs.invalid_each(&path.child("apiGroup"), group, name::dns1123_subdomain(group));
    }
    let namespace = source["namespace"].str();
    if !namespace.is_empty() {
        errs.invalid_each(&path.child("namespace"), namespace, name::dns1123_label(namespace));
    }
}
