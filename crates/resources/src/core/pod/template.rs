//! Pod templates: what all workloads ask of theirs.

use super::containers::all_containers;
use super::options::Options;
use super::{annotations, defaults, prepare, spec, warnings};
use crate::rules::label_selector;
use meta::Value;
use meta::field::{ErrorList, Path};

/// Defaults of a template in place.
pub fn default_template(template: &mut Value) {
    defaults::set_spec(template.entry("spec"));
}

/// Fields of features that are off.
pub fn drop_disabled(template: &mut Value, old: Option<&Value>) {
    if !template["spec"].is_null() {
        prepare::drop_disabled(template.entry("spec"), old.map(|t| &t["spec"]));
    }
}

/// Rules for a template; `old` is the stored one.
pub fn validate_template(template: &Value, old: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    let options = old.map_or(Options::default(), |old| Options::default().with_old(old));
    validate_with(template, options, path, errs);
}

pub fn validate_with(template: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    let (metadata, own) = (&template["metadata"], &template["spec"]);
    let at = path.child("annotations");
    label_selector::validate_labels(&metadata["labels"], &path.child("labels"), errs);
    resource::rules::validate_annotations(&metadata["annotations"], &at, errs);
    annotations::validate(&metadata["annotations"], own, options, &at, errs);
    let at = path.child("spec");
    spec::validate(own, None, options, &at, errs);
    annotations::validate_seccomp_agrees(metadata, own, &at, errs);
    annotations::validate_app_armor_agrees(metadata, own, &at, errs);
    if !own["ephemeralContainers"].items().is_empty() {
        errs.forbidden(&at.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
}

/// Warnings about a template.
pub fn warn_template(template: &Value, path: &Path, out: &mut Vec<String>) {
    warnings::warn(template, path, true, out);
}

/// The names of a template's containers, of all sorts.
pub fn container_names(template: &Value) -> Vec<&str> {
    all_containers(&template["spec"], &Path::root()).map(|(c, _)| c["name"].str()).collect()
}
