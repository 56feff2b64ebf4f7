//! What webhooks and policies say of requests: which of them they see (upstream: pkg/apis/admissionregistration).
//!

use crate::rules::label_selector;
use cel::Type;
use cel::policy::{PolicyEnv, Variables};
use meta::field::{ErrorList, Path, Shown, quote};
use meta::{Value, name};
use std::collections::HashSet;

const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];
const MATCH_CONDITIONS_MAX: usize = 64;

/// The fields that webhooks and MatchResources share.
pub fn default_matching(holder: &mut Value, rule_lists: &[&str]) {
    holder.set_default("matchPolicy", "Equivalent");
    holder.set_default("namespaceSelector", Value::object());
    holder.set_default("objectSelector", Value::object());
    for list in rule_lists {
        let Some(rules) = holder.get_mut(list) else { continue };
        for rule in rules.items_mut() {
            rule.set_default("scope", "*");
        }
    }
}

/// MatchResources of the spec, when it is there.
pub fn default_match_resources(object: &mut Value, field: &str) {
    let Some(resources) = object.get_mut("spec").and_then(|spec| spec.get_mut(field)) else { return };
    if resources.as_object().is_some() {
        default_matching(resources, &["resourceRules", "excludeResourceRules"]);
    }
}

/// One of a few texts; a field that is missing is right, as defaults fill it.
pub fn validate_choice(holder: &Value, field: &'static str, choices: &[&str], path: &Path, errs: &mut ErrorList) {
    if let Some(choice) = holder[field].as_str()
        && !choices.contains(&choice)
    {
        errs.not_supported(&path.child(field), choice, choices);
    }
}

pub fn validate_failure_policy(holder: &Value, path: &Path, errs: &mut ErrorList) {
    validate_choice(holder, "failurePolicy", FAILURE_POLICIES, path, errs);
}

pub fn validate_match_policy(holder: &Value, path: &Path, errs: &mut ErrorList) {
    validate_choice(holder, "matchPolicy", MATCH_POLICIES, path, errs);
}

pub fn validate_selectors(holder: &Value, path: &Path, errs: &mut ErrorList) {
    for field in ["namespaceSelector", "objectSelector"] {
        label_selector::validate(&holder[field], false, &path.child(field), errs);
    }
}

pub fn validate_match_resources(resources: &Value, path: &Path, errs: &mut ErrorList) {
    validate_match_policy(resources, path, errs);
    validate_selectors(resources, path, errs);
    for field in ["resourceRules", "excludeResourceRules"] {
        let list = path.child(field);
        for (i, rule) in resources[field].items().iter().enumerate() {
            validate_resource_names(&rule["resourceNames"], &list.index(i).child("resourceNames"), errs);
            validate_rule(rule, &list.index(i), errs);
        }
    }
}

fn validate_resource_names(names: &Value, path: &Path, errs: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (i, resource_name) in names.items().iter().map(Value::str).enumerate() {
        errs.invalid_each(&path.index(i), resource_name, name::path_segment(resource_name));
        if !seen.insert(resource_name) {
            errs.duplicate(&path.index(i), resource_name);
        }
    }
}

/// The list as Go prints it in a message.
fn shown(list: &Value) -> Shown {
    let texts: Vec<String> = list.items().iter().map(|item| quote(item.str())).collect();
    Shown(format!("[{}]", texts.join(",")))
}

/// A list that must have items, and no other beside `*`.
fn validate_list(rule: &Value, field: &'static str, noun: &str, path: &Path, errs: &mut ErrorList) {
    let list = &rule[field];
    if list.is_empty() {
        errs.required(&path.child(field), "");
    } else if list.items().len() > 1 && list.items().iter().any(|item| item.str() == "*") {
        errs.invalid(&path.child(field), shown(list), &format!("if '*' is present, must not specify other {noun}"));
    }
}

/// RuleWithOperations.
pub fn validate_rule(rule: &Value, path: &Path, errs: &mut ErrorList) {
    validate_list(rule, "operations", "operations", path, errs);
    for (i, operation) in rule["operations"].items().iter().map(Value::str).enumerate() {
        if !OPERATIONS.contains(&operation) {
            errs.not_supported(&path.child("operations").index(i), operation, OPERATIONS);
        }
    }
    validate_list(rule, "apiGroups", "API groups", path, errs);
    validate_list(rule, "apiVersions", "API versions", path, errs);
    for (i, version) in rule["apiVersions"].items().iter().enumerate() {
        if version.str().is_empty() {
            errs.required(&path.child("apiVersions").index(i), "");
        }
    }
    validate_resources(&rule["resources"], &path.child("resources"), errs);
    validate_choice(rule, "scope", SCOPES, path, errs);
}

/// `pods`, `pods/status`, `pods/*`, `*/scale`, `*` and `*/*`, none of which another one already covers.
fn validate_resources(resources: &Value, path: &Path, errs: &mut ErrorList) {
    if resources.is_empty() {
        errs.required(path, "");
    }
    let (mut all_parts_of, mut part_of_all) = (HashSet::new(), HashSet::new());
    let (mut every_part, mut every_resource, mut plain) = (false, false, false);
    for (i, resource) in resources.items().iter().map(Value::str).enumerate() {
        let at = path.index(i);
        every_part |= resource == "*/*";
        every_resource |= resource == "*";
        if resource.is_empty() {
            errs.required(&at, "");
            continue;
        }
        let Some((parent, part)) = resource.split_once('/') else {
            plain |= resource != "*";
            continue;
        };
        if all_parts_of.contains(parent) {
            errs.invalid(&at, resource, &format!("if '{parent}/*' is present, must not specify {resource}"));
        }
        if part_of_all.contains(part) {
            errs.invalid(&at, resource, &format!("if '*/{part}' is present, must not specify {resource}"));
        }
        if part == "*" {
            all_parts_of.insert(parent);
        }
        if parent == "*" {
            part_of_all.insert(part);
        }
    }
    if every_part && resources.items().len() > 1 {
        errs.invalid(path, shown(resources), "if '*/*' is present, must not specify other resources");
    }
    if every_resource && plain {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errs.invalid(path, shown(resources), detail);
    }
}

/// Conditions are true or false, and have names that differ. `params`: they may use the parameters of a policy.
pub fn validate_match_conditions(conditions: &Value, params: bool, path: &Path, errs: &mut ErrorList) {
    let conditions = conditions.items();
    if conditions.len() > MATCH_CONDITIONS_MAX {
        errs.too_many(path, conditions.len(), MATCH_CONDITIONS_MAX);
    }
    let mut seen = HashSet::new();
    for (i, condition) in conditions.iter().enumerate() {
        let (expression, at) = (condition["expression"].str().trim(), path.index(i).child("expression"));
        if expression.is_empty() {
            errs.required(&at, "");
        } else {
            let variables = Variables { params, authorizer: true, patches: false };
            if let Err(detail) = PolicyEnv::new().compile(expression, variables, &[Type::Bool]) {
                errs.invalid(&at, expression, &detail);
            }
        }
        let (condition_name, at) = (condition["name"].str(), path.index(i).child("name"));
        if condition_name.is_empty() {
            errs.required(&at, "");
            continue;
        }
        errs.invalid_each(&at, condition_name, name::qualified_name(condition_name));
        if !seen.insert(condition_name) {
            errs.duplicate(&at, condition_name);
        }
    }
}

/// A deletion has nothing to change. `matches`: the field of a mutating policy's or binding's spec that has the rules.
pub fn validate_mutated_operations(spec: &Value, matches: &'static str, errs: &mut ErrorList) {
    const MUTABLE: &[&str] = &["*", "CONNECT", "CREATE", "UPDATE"];
    let path = Path::new("spec").child(matches).child("resourceRules").child("operations");
    let rules = spec[matches]["resourceRules"].items().iter();
    for operation in rules.flat_map(|rule| rule["operations"].items()).map(Value::str) {
        if !MUTABLE.contains(&operation) {
            errs.not_supported(&path, operation, MUTABLE);
        }
    }
}
