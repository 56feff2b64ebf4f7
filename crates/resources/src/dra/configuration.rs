//! Parameters for a driver that only the driver understands.

use super::names;
use meta::field::{ErrorList, Path};
use meta::{Value, json};

const PARAMETERS_MAX: usize = 10 * 1024;

/// A DeviceConfiguration; `stored` ones may be longer than new ones.
pub fn validate(config: &Value, stored: bool, path: &Path, errs: &mut ErrorList) {
    let opaque = &config["opaque"];
    let path = path.child("opaque");
    if opaque.is_null() {
        errs.required(&path, "");
        return;
    }
    names::validate_driver(opaque["driver"].str(), &path.child("driver"), errs);
    validate_parameters(&opaque["parameters"], stored, &path.child("parameters"), errs);
}

/// Any object.
pub fn validate_parameters(parameters: &Value, stored: bool, path: &Path, errs: &mut ErrorList) {
    if parameters.is_null() {
        errs.required(path, "");
    } else if !stored && json::to_string(parameters).len() > PARAMETERS_MAX {
        errs.too_long(path, PARAMETERS_MAX);
    } else if parameters.as_object().is_none() {
        errs.invalid(path, "<value omitted>", "must be a valid JSON object");
    }
}
