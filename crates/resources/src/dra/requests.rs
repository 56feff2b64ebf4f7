//! What a claim asks for: requests of devices, constraints between them, and configuration.

use super::configuration;
use super::names::{self, validate_label, validate_list, validate_set};
use super::taints;
use cel::device::Refused;
use meta::field::{ErrorList, Path};
use meta::{Value, name};

pub const REQUESTS_MAX: usize = 32;
const CONSTRAINTS_MAX: usize = 32;
pub const CONFIG_MAX: usize = 32;
const SELECTORS_MAX: usize = 32;
const FIRST_AVAILABLE_MAX: usize = 8;
const EXPRESSION_MAX: usize = 10 * 1024;

/// A request without a mode asks for an exact count, and without a count for one device.
pub fn default_spec(spec: &mut Value) {
    let Some(requests) = spec.path_mut("devices.requests") else { return };
    for request in requests.items_mut() {
        if let Some(exactly) = request.get_mut("exactly").filter(|exactly| !exactly.is_null()) {
            default_count(exactly);
        }
        if let Some(alternatives) = request.get_mut("firstAvailable") {
            alternatives.items_mut().iter_mut().for_each(default_count);
        }
    }
}

fn default_count(request: &mut Value) {
    if request["allocationMode"].str().is_empty() {
        request.set("allocationMode", "ExactCount");
    }
    if request["allocationMode"].str() == "ExactCount" && request["count"].int() == 0 {
        request.set("count", 1);
    }
    taints::default_tolerations(request);
}

/// A ResourceClaimSpec. `stored` says that its expressions are known from before, and valid.
pub fn validate_spec(spec: &Value, stored: bool, path: &Path, errs: &mut ErrorList) {
    let claim = &spec["devices"];
    let path = path.child("devices");
    validate_set(
        &claim["requests"],
        REQUESTS_MAX,
        |r| r["name"].str(),
        &path.child("requests"),
        errs,
        |r, at, errs| {
            validate_request(r, stored, at, errs);
        },
    );
    validate_list(&claim["constraints"], CONSTRAINTS_MAX, &path.child("constraints"), errs, |constraint, at, errs| {
        validate_constraint(constraint, claim, at, errs);
    });
    validate_list(&claim["config"], CONFIG_MAX, &path.child("config"), errs, |config, at, errs| {
        validate_references(&config["requests"], claim, &at.child("requests"), errs);
        configuration::validate(config, stored, at, errs);
    });
}

fn validate_request(request: &Value, stored: bool, path: &Path, errs: &mut ErrorList) {
    validate_label(request["name"].str(), &path.child("name"), errs);
    let exactly = &request["exactly"];
    let alternatives = &request["firstAvailable"];
    match (!exactly.is_null(), !alternatives.is_empty()) {
        (false, false) => errs.required(path, "exactly one of `exactly` or `firstAvailable` is required"),
        (true, true) => errs.invalid(
            path,
            &Value::Null,
            "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set",
        ),
        (true, false) => validate_devices(exactly, stored, &path.child("exactly"), errs),
        (false, true) => {
            let at = path.child("firstAvailable");
            validate_set(
                alternatives,
                FIRST_AVAILABLE_MAX,
                |r| r["name"].str(),
                &at,
                errs,
                |request, at, errs| {
                    validate_label(request["name"].str(), &at.child("name"), errs);
                    validate_devices(request, stored, at, errs);
                },
            );
        }
    }
}

/// What an exact request and an alternative have in common.
fn validate_devices(request: &Value, stored: bool, path: &Path, errs: &mut ErrorList) {
    let class = request["deviceClassName"].str();
    let at = path.child("deviceClassName");
    if class.is_empty() {
        errs.required(&at, "");
    } else {
        errs.invalid_each(&at, class, name::dns1123_subdomain(class));
    }
    validate_selectors(&request["selectors"], stored, &path.child("selectors"), errs);
    let count = request["count"].int();
    match request["allocationMode"].str() {
        "All" if count != 0 => {
            errs.invalid(&path.child("count"), count, "must not be specified when allocationMode is 'All'");
        }
        "ExactCount" if count <= 0 => errs.invalid(&path.child("count"), count, "must be greater than zero"),
        "All" | "ExactCount" => {}
        other => errs.not_supported(&path.child("allocationMode"), other, &["All", "ExactCount"]),
    }
    for (i, toleration) in request["tolerations"].items().iter().enumerate() {
        taints::validate_toleration(toleration, &path.child("tolerations").index(i), errs);
    }
}

/// Expressions over one device. `stored` ones are known from before, and valid.
pub fn validate_selectors(selectors: &Value, stored: bool, path: &Path, errs: &mut ErrorList) {
    validate_list(selectors, SELECTORS_MAX, path, errs, |selector, at, errs| {
        let (cel, at) = (&selector["cel"], at.child("cel"));
        if cel.is_null() {
            errs.required(&at, "");
        } else if !stored {
            validate_expression(cel["expression"].str(), &at.child("expression"), errs);
        }
    });
}

fn validate_expression(text: &str, path: &Path, errs: &mut ErrorList) {
    if text.len() > EXPRESSION_MAX {
        errs.too_long(path, EXPRESSION_MAX);
        return;
    }
    match cel::device::validate_selector(text) {
        Ok(()) => {}
        Err(Refused::Invalid(detail)) => errs.invalid(path, text, &detail),
        Err(Refused::TooCostly) => errs.forbidden(path, "too complex, exceeds cost limit"),
    }
}

fn validate_constraint(constraint: &Value, claim: &Value, path: &Path, errs: &mut ErrorList) {
    validate_references(&constraint["requests"], claim, &path.child("requests"), errs);
    let attribute = ["matchAttribute", "distinctAttribute"].into_iter().find(|f| !constraint[*f].is_null());
    match attribute {
        Some(field) => names::validate_fully_qualified(constraint[field].str(), &path.child(field), errs),
        None => errs.required(
            path,
            "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but multiple fields are set",
        ),
    }
}

/// A list of names of requests, each once.
pub fn validate_references(references: &Value, claim: &Value, path: &Path, errs: &mut ErrorList) {
    validate_set(references, REQUESTS_MAX, Value::str, path, errs, |reference, at, errs| {
        validate_reference(reference.str(), claim, at, errs);
    });
}

/// The name of a request of the claim, or of a request and one of its alternatives: `request/alternative`.
pub fn validate_reference(reference: &str, claim: &Value, path: &Path, errs: &mut ErrorList) {
    let parts: Vec<&str> = reference.split('/').collect();
    if parts.len() <= 2 {
        for part in &parts {
            validate_label(part, path, errs);
        }
    }
    // A later request of the same name replaces an earlier one.
    let named = |list: &Value, name: &str| list.items().iter().rposition(|item| item["name"].str() == name);
    let requests = &claim["requests"];
    let is_there = match parts.as_slice() {
        [request] => named(requests, request).is_some(),
        [request, alternative] => named(requests, request)
            .and_then(|i| requests.items().get(i))
            .is_some_and(|request| named(&request["firstAvailable"], alternative).is_some()),
        _ => false,
    };
    if !is_there {
        errs.invalid(path, reference, NO_REQUEST);
    }
}

const NO_REQUEST: &str =
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
