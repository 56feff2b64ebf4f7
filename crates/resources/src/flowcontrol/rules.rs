//! What a FlowSchema says of requests.

use meta::field::{ErrorList, Path, Shown, quote};
use meta::{Value, name};

const VERBS: &[&str] = &["get", "list", "create", "update", "delete", "deletecollection", "patch", "watch", "proxy"];
/// A subject's kind, and the field that must be there for it and for no other.
const SUBJECTS: &[(&str, &str)] = &[("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")];

pub fn validate_rule(rule: &Value, path: &Path, errs: &mut ErrorList) {
    let subjects = path.child("subjects");
    if rule["subjects"].is_empty() {
        errs.required(&subjects, "subjects must contain at least one value");
    }
    for (i, subject) in rule["subjects"].items().iter().enumerate() {
        validate_subject(subject, &subjects.index(i), errs);
    }
    let (resources, others) = (rule["resourceRules"].items(), rule["nonResourceRules"].items());
    if resources.is_empty() && others.is_empty() {
        errs.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    for (i, rule) in resources.iter().enumerate() {
        validate_resource_rule(rule, &path.child("resourceRules").index(i), errs);
    }
    for (i, rule) in others.iter().enumerate() {
        validate_non_resource_rule(rule, &path.child("nonResourceRules").index(i), errs);
    }
}

fn validate_subject(subject: &Value, path: &Path, errs: &mut ErrorList) {
    let kind = subject["kind"].str();
    let Some((_, own)) = SUBJECTS.iter().find(|(known, _)| *known == kind) else {
        let kinds: Vec<&str> = SUBJECTS.iter().map(|(kind, _)| *kind).collect();
        errs.not_supported(&path.child("kind"), kind, &kinds);
        return;
    };
    let at = path.child(own);
    let about = &subject[*own];
    if about.is_null() {
        errs.required(&at, &format!("{own} is required when subject kind is '{kind}'"));
    } else {
        validate_subject_name(kind, about, &at, errs);
    }
    for (other, field) in SUBJECTS.iter().filter(|(other, _)| *other != kind) {
        if !subject[*field].is_null() {
            errs.forbidden(&path.child(field), &format!("{field} is forbidden when subject kind is not '{other}'"));
        }
    }
}

fn validate_subject_name(kind: &str, about: &Value, path: &Path, errs: &mut ErrorList) {
    let subject_name = about["name"].str();
    let at = path.child("name");
    if subject_name.is_empty() {
        errs.required(&at, "");
    } else if kind == "ServiceAccount" && subject_name != "*" {
        errs.invalid_each(&at, subject_name, name::dns1123_subdomain(subject_name));
    }
    if kind != "ServiceAccount" {
        return;
    }
    let namespace = about["namespace"].str();
    let at = path.child("namespace");
    if namespace.is_empty() {
        errs.required(&at, "must specify namespace for service account");
    } else {
        errs.invalid_each(&at, namespace, name::dns1123_label(namespace));
    }
}

/// The list as Go prints it in a message.
fn shown(list: &Value) -> Shown {
    let texts: Vec<String> = list.items().iter().map(|item| quote(item.str())).collect();
    Shown(format!("[{}]", texts.join(",")))
}

fn has_wildcard(list: &Value) -> bool {
    list.items().iter().any(|item| item.str() == "*")
}

fn validate_verbs(rule: &Value, path: &Path, errs: &mut ErrorList) {
    let verbs = &rule["verbs"];
    let at = path.child("verbs");
    if verbs.is_empty() {
        errs.required(&at, "verbs must contain at least one value");
    } else if has_wildcard(verbs) {
        if verbs.items().len() > 1 {
            errs.invalid(&at, shown(verbs), "if '*' is present, must not specify other verbs");
        }
    } else if !verbs.items().iter().all(|verb| VERBS.contains(&verb.str())) {
        errs.not_supported(&at, shown(verbs), VERBS);
    }
}

fn validate_resource_rule(rule: &Value, path: &Path, errs: &mut ErrorList) {
    validate_verbs(rule, path, errs);
    for (field, one, many) in [("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")] {
        let list = &rule[field];
        if list.is_empty() {
            errs.required(&path.child(field), &format!("resource rules must supply at least one {one}"));
        } else if list.items().len() > 1 && has_wildcard(list) {
            errs.invalid(&path.child(field), shown(list), &format!("if '*' is present, must not specify other {many}"));
        }
    }
    let namespaces = &rule["namespaces"];
    let at = path.child("namespaces");
    if namespaces.is_empty() && !rule["clusterScope"].bool() {
        errs.required(&at, "resource rules that are not cluster scoped must supply at least one namespace");
    } else if has_wildcard(namespaces) {
        if namespaces.items().len() > 1 {
            errs.invalid(&at, shown(namespaces), "if '*' is present, must not specify other namespaces");
        }
    } else {
        for (i, namespace) in namespaces.items().iter().map(Value::str).enumerate() {
            let intro = "each member of this list must be '*' or a DNS-1123 label; ";
            let details = name::dns1123_label(namespace).into_iter().map(|detail| format!("{intro}{detail}")).collect();
            errs.invalid_each(&at.index(i), namespace, details);
        }
    }
}

fn validate_non_resource_rule(rule: &Value, path: &Path, errs: &mut ErrorList) {
    validate_verbs(rule, path, errs);
    let urls = &rule["nonResourceURLs"];
    let at = path.child("nonResourceURLs");
    if urls.is_empty() {
        errs.required(&at, "nonResourceURLs must contain at least one value");
    } else if has_wildcard(urls) {
        if urls.items().len() > 1 {
            errs.invalid(&at, shown(urls), "if '*' is present, must not specify other non-resource URLs");
        }
    } else {
        for (i, url) in urls.items().iter().map(Value::str).enumerate() {
            validate_url(url, &at.index(i), errs);
        }
    }
}

fn validate_url(url: &str, path: &Path, errs: &mut ErrorList) {
    let wrong = match url {
        "" => "must not be empty",
        "/" => return,
        _ if !url.starts_with('/') => "must start with slash",
        _ if url.contains(' ') => "must not contain white-space",
        _ if url.contains("//") => "must not contain double slash",
        _ => match url.split_once('*') {
            None | Some((_, "")) => return,
            Some(_) => "wildcard can only do suffix matching",
        },
    };
    errs.invalid(path, url, wrong);
}
