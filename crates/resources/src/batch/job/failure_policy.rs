//! What a failed pod means for its job.

use crate::core::pod::template;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: &[&str] = &["In", "NotIn"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];

pub fn validate(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let rules = spec["podFailurePolicy"]["rules"].items();
    let list = path.child("rules");
    if rules.len() > RULES_MAX {
        errs.too_many(&list, rules.len(), RULES_MAX);
    }
    for (i, rule) in rules.iter().enumerate() {
        validate_rule(rule, spec, &list.index(i), errs);
    }
}

fn validate_rule(rule: &Value, spec: &Value, path: &Path, errs: &mut ErrorList) {
    let at = path.child("action");
    if rule["action"].str() == "FailIndex" {
        if spec["backoffLimitPerIndex"].is_null() {
            errs.invalid(&at, "FailIndex", "requires the backoffLimitPerIndex to be set");
        }
    } else {
        validate_choice(&rule["action"], ACTIONS, &at, errs);
    }
    let (codes, conditions) = (&rule["onExitCodes"], rule["onPodConditions"].items());
    if !codes.is_null() {
        validate_exit_codes(codes, &spec["template"], &path.child("onExitCodes"), errs);
    }
    validate_conditions(conditions, &path.child("onPodConditions"), errs);
    match (codes.is_null(), conditions.is_empty()) {
        (true, true) => errs.invalid_omitted(path, "specifying one of OnExitCodes and OnPodConditions is required"),
        (false, false) => {
            errs.invalid_omitted(path, "specifying both OnExitCodes and OnPodConditions is not supported");
        }
        _ => {}
    }
}

fn validate_choice(value: &Value, choices: &[&str], path: &Path, errs: &mut ErrorList) {
    match value.str() {
        "" => {
            let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            errs.required(path, &format!("valid values: [{}]", quoted.join(" ")));
        }
        value if !choices.contains(&value) => errs.not_supported(path, value, choices),
        _ => {}
    }
}

fn validate_exit_codes(codes: &Value, of: &Value, path: &Path, errs: &mut ErrorList) {
    validate_choice(&codes["operator"], OPERATORS, &path.child("operator"), errs);
    if let Some(container) = codes["containerName"].as_str()
        && !template::container_names(of).contains(&container)
    {
        let detail = "must be one of the container or initContainer names in the pod template";
        errs.invalid(&path.child("containerName"), container, detail);
    }
    let (values, list) = (codes["values"].items(), path.child("values"));
    if values.is_empty() {
        errs.invalid(&list, &codes["values"], "at least one value is required");
    } else if values.len() > EXIT_CODES_MAX {
        errs.too_many(&list, values.len(), EXIT_CODES_MAX);
    }
    let mut seen = BTreeSet::new();
    for (i, value) in values.iter().enumerate() {
        let (value, at) = (value.int(), list.index(i));
        if codes["operator"].str() == "In" && value == 0 {
            errs.invalid(&at, value, "must not be 0 for the In operator");
        }
        if !seen.insert(value) {
            errs.duplicate(&at, value);
        }
    }
    if !values.is_sorted_by_key(Value::int) {
        errs.invalid(&list, &codes["values"], "must be ordered");
    }
}

fn validate_conditions(conditions: &[Value], path: &Path, errs: &mut ErrorList) {
    if conditions.len() > CONDITIONS_MAX {
        errs.too_many(path, conditions.len(), CONDITIONS_MAX);
    }
    for (i, condition) in conditions.iter().enumerate() {
        let path = path.index(i);
        let kind = condition["type"].str();
        errs.invalid_each(&path.child("type"), kind, name::qualified_name(kind));
        validate_choice(&condition["status"], STATUSES, &path.child("status"), errs);
    }
}
