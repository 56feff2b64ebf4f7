//! Ingress: HTTP routes into the cluster.

use crate::rules::ip;
use crate::{cells, columns};
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "Ingress", "ingresses")
        .short_names(&["ing"])
        .storage_prefix("/registry/ingress")
        .storage_version_hash("39NQlfNR+bo=")
        .strategy(Strategy {
            generation: Generation::Spec,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(Ingress)
        .status(Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() }, IngressStatus);
    columns::with(descriptor, ingress_cells)
}

fn ingress_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        cells::name(object),
        cells::text_or(&spec["ingressClassName"], cells::NONE),
        hosts(spec["rules"].items()).into(),
        cells::load_balancer(&object["status"]["loadBalancer"]).into(),
        if spec["tls"].is_empty() { "80".into() } else { "80, 443".into() },
        cells::age(object, now),
    ]
}

/// The first three hosts; rules without one count only among those left out.
fn hosts(rules: &[Value]) -> String {
    let named = |rule: &Value| !rule["host"].is_empty();
    let list: Vec<&str> = rules.iter().filter(|r| named(r)).take(3).map(|r| r["host"].str()).collect();
    let third = rules.iter().enumerate().filter(|(_, r)| named(r)).nth(2).map(|(i, _)| i);
    match third {
        Some(i) if i + 1 < rules.len() => format!("{} + {} more...", list.join(","), rules.len() - 3),
        _ if list.is_empty() => "*".into(),
        _ => list.join(","),
    }
}

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];

struct Ingress;

impl Hooks for Ingress {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], None, errs);
        let (annotation, class) = (class_annotation(object), object["spec"]["ingressClassName"].as_str());
        if let (Some(annotation), Some(class)) = (annotation, class)
            && annotation != class
        {
            let path = Path::new("annotations").child(CLASS_ANNOTATION);
            errs.invalid(&path, annotation, "must match `ingressClassName` when both are specified");
        }
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], Some(&old["spec"]), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        if class_annotation(object).is_some() && old.is_none() {
            warnings.push(format!(
                "annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"
            ));
        }
    }
}

fn class_annotation(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"].get(CLASS_ANNOTATION).map(Value::str)
}

/// `old` lets pass what the stored spec has wrong already.
fn validate_spec(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    let rules = spec["rules"].items();
    let backend = &spec["defaultBackend"];
    if rules.is_empty() && backend.is_null() {
        errs.invalid(&path, Shown::from(&spec["rules"]), "either `defaultBackend` or `rules` must be specified");
    }
    if !backend.is_null() {
        validate_backend(backend, &path.child("defaultBackend"), errs);
    }
    let lenient = old.is_some_and(has_invalid_wildcard_rule);
    for (i, rule) in rules.iter().enumerate() {
        validate_rule(rule, lenient, &path.child("rules").index(i), errs);
    }
    let secret_name = |tls: &Value| match tls["secretName"].str() {
        "" => Vec::new(),
        secret => name::dns1123_subdomain(secret),
    };
    let lenient = old.is_some_and(|old| old["tls"].items().iter().any(|tls| !secret_name(tls).is_empty()));
    for (i, tls) in spec["tls"].items().iter().enumerate() {
        let at = path.child("tls").index(i);
        for (j, host) in tls["hosts"].items().iter().enumerate() {
            errs.invalid_each(&at.child("hosts").index(j), host.str(), host_errors(host.str()));
        }
        if !lenient {
            errs.invalid_each(&at.child("secretName"), tls["secretName"].str(), secret_name(tls));
        }
    }
    if let Some(class) = spec["ingressClassName"].as_str() {
        errs.invalid_each(&path.child("ingressClassName"), class, name::dns1123_subdomain(class));
    }
}

fn host_errors(host: &str) -> Vec<String> {
    if host.contains('*') { name::wildcard_subdomain(host) } else { name::dns1123_subdomain(host) }
}

fn has_invalid_wildcard_rule(spec: &Value) -> bool {
    let wildcards = spec["rules"].items().iter().filter(|rule| rule["host"].str().contains('*'));
    wildcards.into_iter().any(|rule| {
        let mut errs = ErrorList::new();
        validate_http(&rule["http"], &Path::root(), &mut errs);
        !errs.is_empty()
    })
}

fn validate_rule(rule: &Value, lenient: bool, path: &Path, errs: &mut ErrorList) {
    let host = rule["host"].str();
    if !host.is_empty() {
        let at = path.child("host");
        if ip::parse_sloppy(host).is_some() {
            errs.invalid(&at, host, "must be a DNS name, not an IP address");
        }
        errs.invalid_each(&at, host, host_errors(host));
    }
    if !host.contains('*') || !lenient {
        validate_http(&rule["http"], &path.child("http"), errs);
    }
}

fn validate_http(http: &Value, path: &Path, errs: &mut ErrorList) {
    if http.is_null() {
        return;
    }
    let at = path.child("paths");
    if http["paths"].is_empty() {
        errs.required(&at, "");
    }
    for (i, item) in http["paths"].items().iter().enumerate() {
        validate_path(item, &at.index(i), errs);
    }
}

fn validate_path(item: &Value, path: &Path, errs: &mut ErrorList) {
    let Some(path_type) = item["pathType"].as_str() else {
        errs.required(&path.child("pathType"), "pathType must be specified");
        return;
    };
    let text = item["path"].str();
    let at = path.child("path");
    match path_type {
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errs.invalid(&at, text, "must be an absolute path");
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"].into_iter().filter(|s| text.contains(s)) {
                errs.invalid(&at, text, &format!("must not contain '{sequence}'"));
            }
            for suffix in ["/..", "/."].into_iter().filter(|s| text.ends_with(s)) {
                errs.invalid(&at, text, &format!("cannot end with '{suffix}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errs.invalid(&at, text, "must be an absolute path");
            }
        }
        other => errs.not_supported(&path.child("pathType"), other, PATH_TYPES),
    }
    validate_backend(&item["backend"], &path.child("backend"), errs);
}

fn validate_backend(backend: &Value, path: &Path, errs: &mut ErrorList) {
    let (resource, service) = (&backend["resource"], &backend["service"]);
    match (resource.is_null(), service.is_null()) {
        (false, false) => errs.invalid(path, "", "cannot set both resource and service backends"),
        (false, true) => validate_typed_reference(resource, &path.child("resource"), errs),
        (true, false) => validate_service(service, path, errs),
        (true, true) => errs.invalid(path, "", "resource or service backend is required"),
    }
}

/// A reference by optional group, kind and name.
pub fn validate_typed_reference(reference: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(group) = reference["apiGroup"].as_str() {
        errs.invalid_each(&path.child("apiGroup"), group, name::dns1123_subdomain(group));
    }
    for field in ["kind", "name"] {
        match reference[field].str() {
            "" => errs.required(&path.child(field), ""),
            value => errs.invalid_each(&path.child(field), value, name::path_segment(value)),
        }
    }
}

fn validate_service(service: &Value, path: &Path, errs: &mut ErrorList) {
    let at = path.child("service");
    match service["name"].str() {
        "" => errs.required(&at.child("name"), ""),
        service_name => errs.invalid_each(&at.child("name"), service_name, name::dns1123_label(service_name)),
    }
    let port = &service["port"];
    match (port["name"].str(), port["number"].int()) {
        ("", 0) => errs.required(path, "port name or number is required"),
        ("", number) => errs.invalid_each(&at.child("port").child("number"), number, name::port_number(number)),
        (port_name, 0) => errs.invalid_each(&at.child("port").child("name"), port_name, name::port_name(port_name)),
        _ => errs.invalid(path, "", "cannot set both port name & port number"),
    }
}

struct IngressStatus;

impl Hooks for IngressStatus {
    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let path = Path::new("status").child("loadBalancer").child("ingress");
        let points = |object: &Value| object["status"]["loadBalancer"]["ingress"].clone();
        let stored = points(old);
        let stored: Vec<&str> = stored.items().iter().map(|p| p["ip"].str()).filter(|a| !a.is_empty()).collect();
        for (i, point) in points(object).items().iter().enumerate() {
            let at = path.index(i);
            if !point["ip"].is_empty() {
                ip::validate_legacy(point["ip"].str(), &stored, &at.child("ip"), errs);
            }
            let host = point["hostname"].str();
            if !host.is_empty() {
                errs.invalid_each(&at.child("hostname"), host, name::dns1123_subdomain(host));
                if ip::parse_sloppy(host).is_some() {
                    errs.invalid(&at.child("hostname"), host, "must be a DNS name, not an IP address");
                }
            }
        }
    }
}
