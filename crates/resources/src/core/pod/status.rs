//! The status of a pod, which kubelets and the scheduler write (upstream: ValidatePodStatusUpdate).

use super::options::Options;
use super::{containers::is_sidecar, internal, update};
use crate::rules::ip;
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, name};
use resource::{Context, Hooks};
use std::collections::BTreeSet;

pub struct Status;

const STATUS_LISTS: &[(&str, &str)] = &[
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", "ephemeralContainers"),
];

impl Hooks for Status {
    fn default(&self, pod: &mut Value) {
        super::defaults::set_pod(pod);
    }

    fn prepare_update(&self, _ctx: &Context, pod: &mut Value, old: &Value) {
        let class = old["status"]["qosClass"].clone();
        let status = pod.entry("status");
        if status["qosClass"].str().is_empty() && !class.is_null() {
            status.set("qosClass", class);
        }
        keep_observed_generations(status, &old["status"]);
    }

    fn validate_update(&self, _ctx: &Context, pod: &Value, old: &Value, errs: &mut ErrorList) {
        validate(pod, old, errs);
    }

    fn warn(&self, _ctx: &Context, pod: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        for list in ["podIPs", "hostIPs"] {
            for (i, own) in pod["status"][list].items().iter().enumerate() {
                let path = Path::new("status").child(list).index(i).child("ip");
                ip::warn(own["ip"].str(), &path, warnings);
            }
        }
    }
}

/// observedGeneration is not taken away: the old value stays, for conditions by type in order.
fn keep_observed_generations(status: &mut Value, old: &Value) {
    let keep = |object: &mut Value, stored: i64| {
        if object["observedGeneration"].int() == 0 && stored != 0 {
            object.set("observedGeneration", stored);
        }
    };
    keep(status, old["observedGeneration"].int());
    let mut left: Vec<&Value> = old["conditions"].items().iter().collect();
    for condition in status.get_mut("conditions").map_or(&mut [][..], Value::items_mut) {
        if let Some(i) = left.iter().position(|o| o["type"] == condition["type"]) {
            keep(condition, left.remove(i)["observedGeneration"].int());
        }
    }
}

fn validate(pod: &Value, old: &Value, errs: &mut ErrorList) {
    let options = Options::pod().with_old(old);
    update::validate_annotations(pod, old, options, errs);
    let (status, stored, path) = (&pod["status"], &old["status"], Path::new("status"));
    validate_conditions(status, &path.child("conditions"), errs);
    validate_nominated_node(pod, old, &path.child("nominatedNodeName"), errs);
    let observed = status["observedGeneration"].int();
    if observed < 0 {
        errs.invalid(&path.child("observedGeneration"), observed, "must be a non-negative integer");
    }
    if status["qosClass"].str() != stored["qosClass"].str() {
        errs.invalid(&path.child("qosClass"), status["qosClass"].str(), "field is immutable");
    }
    for (list, containers) in STATUS_LISTS {
        validate_transitions(status, stored, list, &old["spec"], containers, &path.child(list), errs);
    }
    validate_claim_statuses(pod, &path.child("resourceClaimStatuses"), errs);
    validate_extended_claim(pod, &path.child("extendedResourceClaimStatus"), errs);
    validate_addresses(status, stored, "podIPs", "PodIP", &path.child("podIPs"), errs);
    validate_addresses(status, stored, "hostIPs", "HostIP", &path.child("hostIPs"), errs);
    for (list, containers) in STATUS_LISTS {
        validate_users(&status[*list], &pod["spec"], &path.child(list), errs);
        let _ = containers;
    }
    for (list, containers) in STATUS_LISTS {
        validate_allocated(&status[*list], &pod["spec"][*containers], list, &path.child(list), errs);
    }
}

fn validate_conditions(status: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, condition) in status["conditions"].items().iter().enumerate() {
        let observed = condition["observedGeneration"].int();
        if observed < 0 {
            errs.invalid(&path.index(i).child("observedGeneration"), observed, "must be a non-negative integer");
        }
        let kind = condition["type"].str();
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            errs.invalid_each(&path.index(i).child("Type"), kind, name::qualified_name(kind));
        }
    }
}

fn validate_nominated_node(pod: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    let (own, stored) = (pod["status"]["nominatedNodeName"].str(), old["status"]["nominatedNodeName"].str());
    if own.is_empty() || own == stored {
        return;
    }
    errs.invalid_each(path, own, name::dns1123_subdomain(own));
    if !old["spec"]["nodeName"].str().is_empty() {
        errs.forbidden(path, "may not be set on pods that are already bound to a node");
    }
}

/// A container that has ended starts again only when its restart policy says so.
fn validate_transitions(
    status: &Value,
    stored: &Value,
    list: &str,
    spec: &Value,
    containers: &str,
    path: &Path,
    errs: &mut ErrorList,
) {
    for (i, old) in stored[list].items().iter().enumerate() {
        let ended = &old["state"]["terminated"];
        if ended.is_null() {
            continue;
        }
        let container = spec[containers].items().iter().find(|c| c["name"] == old["name"]);
        let may_restart = container.is_some_and(|c| may_restart(c, containers, spec, ended["exitCode"].int()));
        let runs = |new: &&Value| new["name"] == old["name"] && new["state"]["terminated"].is_null();
        if !may_restart && status[list].items().iter().any(|n| runs(&n)) {
            errs.forbidden(&path.index(i).child("state"), "may not be transitioned to non-terminated state");
        }
    }
}

fn may_restart(container: &Value, list: &str, spec: &Value, exit_code: i64) -> bool {
    if list == "ephemeralContainers" {
        return false;
    }
    let by_policy = |policy: &str| policy == "Always" || (policy == "OnFailure" && exit_code != 0);
    if list == "initContainers" {
        return is_sidecar(container) || by_policy(spec["restartPolicy"].str());
    }
    let by_rule = container["restartPolicyRules"].items().iter().any(|rule| {
        let codes = &rule["exitCodes"];
        let listed = codes["values"].items().contains(&Value::Int(exit_code));
        match codes["operator"].str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    });
    by_rule || by_policy(container["restartPolicy"].as_str().unwrap_or(spec["restartPolicy"].str()))
}

fn validate_claim_statuses(pod: &Value, path: &Path, errs: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, status) in pod["status"]["resourceClaimStatuses"].items().iter().enumerate() {
        let path = path.index(i).child("name");
        let own = status["name"].str();
        if !pod["spec"]["resourceClaims"].items().iter().any(|c| c["name"].str() == own) {
            errs.invalid(&path, own, "must match the name of an entry in `spec.resourceClaims`");
        }
        if !seen.insert(own) {
            errs.duplicate(&path, own);
        }
        if let Some(claim) = status["resourceClaimName"].as_str() {
            errs.invalid_each(&path, claim, name::dns1123_subdomain(claim));
        }
    }
}

fn validate_extended_claim(pod: &Value, path: &Path, errs: &mut ErrorList) {
    let status = &pod["status"]["extendedResourceClaimStatus"];
    if status.is_null() {
        return;
    }
    let mappings = status["requestMappings"].items();
    let list = path.child("requestMappings");
    if mappings.is_empty() {
        errs.required(&list, "at least one request mapping is required");
    }
    let find = |own: &str| {
        let all = ["containers", "initContainers"].into_iter().flat_map(|l| pod["spec"][l].items());
        all.into_iter().find(|c| c["name"].str() == own)
    };
    let mut seen = BTreeSet::new();
    for (i, mapping) in mappings.iter().enumerate() {
        let at = list.index(i);
        let (container, resource) = (mapping["containerName"].str(), mapping["resourceName"].str());
        match find(container) {
            None => {
                let detail = "must match the name of an entry in spec.initContainers.name or spec.containers.name";
                errs.invalid(&at.child("containerName"), container, detail);
            }
            Some(c) if c["resources"]["requests"].get(resource).is_none() => {
                let detail = "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests";
                errs.invalid(&at.child("resourceName"), resource, detail);
            }
            Some(_) => {}
        }
        let request = mapping["requestName"].str();
        errs.invalid_each(&path.child("requestName"), request, name::dns1123_label(request));
        if !seen.insert((container, resource)) {
            errs.duplicate(&at.child("containerName"), container);
            errs.duplicate(&at.child("resourceName"), resource);
        }
    }
    match status["resourceClaimName"].str() {
        "" => errs.required(&path.child("resourceClaimName"), ""),
        own => errs.invalid_each(&path.child("resourceClaimName"), own, name::dns1123_subdomain(own)),
    }
}

/// One address for each family at most. `kind` is the internal type, for messages.
fn validate_addresses(status: &Value, stored: &Value, field: &str, kind: &str, path: &Path, errs: &mut ErrorList) {
    let own: Vec<&str> = status[field].items().iter().map(|a| a["ip"].str()).collect();
    let old: Vec<&str> = stored[field].items().iter().map(|a| a["ip"].str()).collect();
    if let Some(first) = own.first().filter(|first| field == "hostIPs" && **first != status["hostIP"].str()) {
        errs.invalid(&path.index(0).child("ip"), *first, "must be equal to `hostIP`");
    }
    for (i, text) in own.iter().enumerate() {
        ip::validate_legacy(text, &old, &path.index(i), errs);
    }
    if own.len() < 2 {
        return;
    }
    let families: Vec<bool> = own.iter().filter_map(|text| ip::parse_sloppy(text)).map(ip::is_v6).collect();
    if let Some(bad) = own.iter().find(|text| ip::parse_sloppy(text).is_none()) {
        let n = own.iter().position(|text| text == bad).unwrap_or(0);
        let why = format!("failed to check for dual stack with error:invalid IP[{n}]: {bad}");
        errs.internal(path, &why);
    }
    if own.len() > 2 || families.len() != 2 || families.first() == families.last() {
        let shown: Vec<String> = status[field].items().iter().map(|a| internal::shown(kind, a).0).collect();
        let detail = "may specify no more than one IP for each IP family";
        errs.invalid(path, Shown(format!("[{}]", shown.join(","))), detail);
    }
}

fn validate_users(statuses: &Value, spec: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, status) in statuses.items().iter().enumerate() {
        let linux = &status["user"]["linux"];
        if linux.is_null() {
            continue;
        }
        let path = path.index(i).child("user").child("linux");
        if super::windows::is_windows(spec) {
            errs.forbidden(&path, "cannot be set for a windows pod");
            continue;
        }
        for field in ["uid", "gid"] {
            errs.invalid_each(&path.child(field), linux[field].int(), name::user_id(linux[field].int()));
        }
        for (j, group) in linux["supplementalGroups"].items().iter().enumerate() {
            let path = path.child("supplementalGroups").index(j);
            errs.invalid_each(&path, group.int(), name::user_id(group.int()));
        }
    }
}

fn validate_allocated(statuses: &Value, containers: &Value, list: &str, path: &Path, errs: &mut ErrorList) {
    for (i, status) in statuses.items().iter().enumerate() {
        let path = path.index(i).child("allocatedResourcesStatus");
        let allocated = status["allocatedResourcesStatus"].items();
        if list == "ephemeralContainerStatuses" {
            if !allocated.is_empty() {
                errs.forbidden(&path, "must not be specified in container status");
            }
            continue;
        }
        let container = containers.items().iter().find(|c| c["name"] == status["name"]);
        for (j, entry) in allocated.iter().enumerate() {
            let path = path.index(j);
            if let Some(container) = container {
                validate_allocated_name(entry["name"].str(), container, &path.child("name"), errs);
            }
            let mut seen = BTreeSet::new();
            for (k, health) in entry["resources"].items().iter().enumerate() {
                let path = path.child("resources").index(k);
                let own = health["health"].str();
                if !["Healthy", "Unhealthy", "Unknown"].contains(&own) {
                    errs.not_supported(&path.child("health"), own, &["Healthy", "Unhealthy", "Unknown"]);
                }
                let id = health["resourceID"].str();
                if !seen.insert(id) {
                    errs.duplicate(&path.child("resourceID"), id);
                }
            }
        }
    }
}

fn validate_allocated_name(own: &str, container: &Value, path: &Path, errs: &mut ErrorList) {
    let resources = &container["resources"];
    if !own.starts_with("claim:") {
        if resources["requests"].get(own).is_none() {
            errs.invalid(path, own, "must match one of the container's resource requests");
        }
        return;
    }
    let is_claim = resources["claims"].items().iter().any(|claim| {
        let (name, request) = (claim["name"].str(), claim["request"].str());
        let text = if request.is_empty() { format!("claim:{name}") } else { format!("claim:{name}/{request}") };
        text == own
    });
    if !is_claim {
        let detail = "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
        errs.invalid(path, own, detail);
    }
}
