//! The pod spec as a whole: the same rules for pods and for every workload's template.

use super::containers::{
    Pod, validate_choice, validate_containers, validate_ephemeral_containers, validate_init_containers,
};
use super::options::Options;
use super::{affinity, annotations, env, internal, ports, resources, scheduling, security, topology, volumes, windows};
use crate::rules::{ip, label_selector};
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const HOSTNAME_BYTES_MAX: usize = 64;
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCHES_CHARS_MAX: usize = 2048;
const RESTART_POLICIES: &[&str] = &["Always", "OnFailure", "Never"];
const DNS_POLICIES: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/// A pod spec. `metadata` is the pod's own, `None` for templates.
pub fn validate(spec: &Value, metadata: Option<&Value>, options: Options, path: &Path, errs: &mut ErrorList) {
    if spec["terminationGracePeriodSeconds"].is_null() {
        errs.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let pod_name = metadata.map_or("", |m| m["name"].str());
    let volumes = volumes::validate_volumes(spec, pod_name, options, &path.child("volumes"), errs);
    let pod = Pod { spec, volumes, options };
    validate_claims(spec, metadata, &path.child("resourceClaims"), errs);
    validate_containers(&pod, &path.child("containers"), errs);
    validate_init_containers(&pod, &path.child("initContainers"), errs);
    validate_ephemeral_containers(&pod, &path.child("ephemeralContainers"), errs);
    resources::validate_pod_level(&pod, &path.child("resources"), errs);
    ports::validate_host_network(spec, options, path, errs);
    validate_choice(&spec["restartPolicy"], RESTART_POLICIES, &path.child("restartPolicy"), errs);
    validate_choice(&spec["dnsPolicy"], DNS_POLICIES, &path.child("dnsPolicy"), errs);
    label_selector::validate_labels(&spec["nodeSelector"], &path.child("nodeSelector"), errs);
    security::validate_pod(spec, options, &path.child("securityContext"), errs);
    affinity::validate(spec, options, &path.child("affinity"), errs);
    validate_dns(spec, &path.child("dnsConfig"), errs);
    scheduling::validate_readiness_gates(&spec["readinessGates"], &path.child("readinessGates"), errs);
    scheduling::validate_scheduling_gates(&spec["schedulingGates"], &path.child("schedulingGates"), errs);
    topology::validate(spec, options, &path.child("topologySpreadConstraints"), errs);
    windows::validate_host_process(spec, path, errs);
    security::validate_host_users(spec, options, path, errs);
    validate_hostname(spec, path, errs);
    validate_names(spec, path, errs);
    resources::validate_overhead(&pod, &path.child("overhead"), errs);
    windows::validate_os(spec, path, errs);
    env::validate_file_volumes(spec, path, errs);
}

/// Single fields, most of them names, in upstream's order.
fn validate_names(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let named = |field: &'static str, rule: fn(&str) -> Vec<String>, errs: &mut ErrorList| {
        let own = spec[field].str();
        if !own.is_empty() {
            errs.invalid_each(&path.child(field), own, rule(own));
        }
    };
    named("serviceAccountName", name::dns1123_subdomain, errs);
    named("nodeName", name::dns1123_subdomain, errs);
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_int() {
        let wrong = name::in_range(seconds, 1, i32::MAX.into());
        errs.invalid_each(&path.child("activeDeadlineSeconds"), seconds, wrong);
    }
    named("hostname", name::dns1123_label, errs);
    named("subdomain", name::dns1123_label, errs);
    scheduling::validate_tolerations(&spec["tolerations"], &path.child("tolerations"), errs);
    validate_host_aliases(&spec["hostAliases"], &path.child("hostAliases"), errs);
    named("priorityClassName", name::dns1123_subdomain, errs);
    if let Some(own) = spec["runtimeClassName"].as_str() {
        errs.invalid_each(&path.child("runtimeClassName"), own, name::dns1123_subdomain(own));
    }
    if !spec["preemptionPolicy"].is_null() {
        let choices = &["PreemptLowerPriority", "Never"];
        validate_choice(&spec["preemptionPolicy"], choices, &path.child("preemptionPolicy"), errs);
    }
}

fn validate_claims(spec: &Value, metadata: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    let is_mirror = metadata.is_some_and(|m| m["annotations"].get(annotations::MIRROR).is_some());
    let mut names = BTreeSet::new();
    for (i, claim) in spec["resourceClaims"].items().iter().enumerate() {
        if is_mirror {
            errs.forbidden(&Path::new(""), "static pods do not support resource claims");
            continue;
        }
        let path = path.index(i);
        let own = claim["name"].str();
        if own.is_empty() {
            errs.required(&path.child("name"), "");
        } else if names.contains(own) {
            errs.duplicate(&path.child("name"), own);
        } else {
            errs.invalid_each(&path.child("name"), own, name::dns1123_label(own));
            names.insert(own);
        }
        let fields = ["resourceClaimName", "resourceClaimTemplateName"];
        let detail = match fields.iter().filter(|f| !claim[**f].is_null()).count() {
            0 => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            1 => "",
            _ => "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
        };
        if !detail.is_empty() {
            errs.invalid(&path, internal::shown("PodResourceClaim", claim), detail);
        }
        for field in fields {
            if let Some(other) = claim[field].as_str() {
                errs.invalid_each(&path.child(field), other, name::dns1123_subdomain(other));
            }
        }
    }
}

fn validate_dns(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let config = &spec["dnsConfig"];
    let servers = config["nameservers"].items();
    if spec["dnsPolicy"].str() == "None" {
        if config.is_null() {
            errs.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errs.required(&path.child("nameservers"), detail);
            return;
        }
    }
    let limit = |field: &'static str, wrong: bool, detail: String, errs: &mut ErrorList| {
        if wrong {
            errs.invalid(&path.child(field), &config[field], &detail);
        }
    };
    let too_many = servers.len() > NAMESERVERS_MAX;
    limit("nameservers", too_many, format!("must not have more than {NAMESERVERS_MAX} nameservers"), errs);
    for (i, server) in servers.iter().enumerate() {
        ip::validate_legacy(server.str(), &[], &path.child("nameservers").index(i), errs);
    }
    let searches = config["searches"].items();
    let too_many = searches.len() > SEARCHES_MAX;
    limit("searches", too_many, format!("must not have more than {SEARCHES_MAX} search paths"), errs);
    let chars = searches.iter().map(|s| s.str().len() + 1).sum::<usize>().saturating_sub(1);
    let detail =
        format!("must not have more than {SEARCHES_CHARS_MAX} characters (including spaces) in the search list");
    limit("searches", chars > SEARCHES_CHARS_MAX, detail, errs);
    for (i, search) in searches.iter().map(Value::str).enumerate() {
        if search != "." {
            let own = search.strip_suffix('.').unwrap_or(search);
            errs.invalid_each(&path.child("searches").index(i), own, name::dns1123_subdomain_with_underscore(own));
        }
    }
    for (i, option) in config["options"].items().iter().enumerate() {
        if option["name"].str().is_empty() {
            errs.required(&path.child("options").index(i), "must not be empty");
        }
    }
}

fn validate_hostname(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let Some(own) = spec["hostnameOverride"].as_str() else { return };
    let path = path.child("hostnameOverride");
    if spec["setHostnameAsFQDN"].bool() {
        errs.forbidden(&path, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec["hostNetwork"].bool() {
        errs.forbidden(&path, "may not be specified when hostNetwork is true");
    }
    if own.len() > HOSTNAME_BYTES_MAX {
        errs.too_long(&path, HOSTNAME_BYTES_MAX);
    }
    errs.invalid_each(&path, own, name::dns1123_subdomain(own));
}

fn validate_host_aliases(aliases: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, alias) in aliases.items().iter().enumerate() {
        let path = path.index(i);
        ip::validate_legacy(alias["ip"].str(), &[], &path.child("ip"), errs);
        for (j, host) in alias["hostnames"].items().iter().enumerate() {
            errs.invalid_each(&path.child("hostnames").index(j), host, name::dns1123_subdomain(host.str()));
        }
    }
}
