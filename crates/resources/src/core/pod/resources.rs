//! Requests and limits of containers and of the whole pod.

use super::containers::{Pod, is_sidecar};
use meta::field::{ErrorList, Path};
use meta::quantity::Quantity;
use meta::{Str, Value, name};
use std::collections::{BTreeMap, BTreeSet};

/// Names without a domain that resources may have anywhere.
const STANDARD: &[&str] = &[
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];

/// Standard resources that are counted in whole numbers.
const COUNTED: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

const HUGEPAGES: &str = "hugepages-";

pub fn is_hugepages(resource: &str) -> bool {
    resource.starts_with(HUGEPAGES)
}

/// Without a domain, or in one of Kubernetes' own.
pub fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

/// A resource that some device plugin or node offers.
pub fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && name::qualified_name(&format!("requests.{resource}")).is_empty()
}

/// Requests may be below limits.
pub fn allows_overcommit(resource: &str) -> bool {
    is_native(resource) && !is_hugepages(resource)
}

/// May a pod as a whole ask for it?
fn is_pod_level(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || is_hugepages(resource)
}

/// The amount of a canonical quantity; zero for what is none.
pub fn amount(value: &Value) -> Quantity {
    Quantity::parse(value.str()).unwrap_or_default()
}

/// A resource's name of any sort; says whether it is right.
pub fn validate_name(resource: &str, path: &Path, errs: &mut ErrorList) -> bool {
    let wrong = name::qualified_name(resource);
    if !wrong.is_empty() {
        errs.invalid_each(path, resource, wrong);
        return false;
    }
    let is_quota_hugepages = is_hugepages(resource) || resource.starts_with("requests.hugepages-");
    if !resource.contains('/') && !STANDARD.contains(&resource) && !is_quota_hugepages {
        errs.invalid(path, resource, "must be a standard resource type or fully qualified");
        return false;
    }
    true
}

/// The name of a container's resource.
pub fn validate_container_name(resource: &str, path: &Path, errs: &mut ErrorList) {
    validate_name(resource, path, errs);
    if !resource.contains('/') {
        if !matches!(resource, "cpu" | "memory" | "ephemeral-storage") && !is_hugepages(resource) {
            errs.invalid(path, resource, "must be a standard resource for containers");
        }
    } else if !is_native(resource) && !is_extended(resource) {
        errs.invalid(path, resource, "doesn't follow extended resource name standard");
    }
}

fn validate_pod_name(resource: &str, path: &Path, errs: &mut ErrorList) {
    if validate_name(resource, path, errs) && !is_pod_level(resource) {
        errs.not_supported(path, resource, &["cpu", HUGEPAGES, "memory"]);
    }
}

/// Not negative; whole when the resource is counted.
pub fn validate_amount(resource: &str, value: &Value, path: &Path, errs: &mut ErrorList) {
    let quantity = amount(value);
    if quantity.sign() < 0 {
        errs.invalid(path, value, "must be greater than or equal to 0");
    }
    if (COUNTED.contains(&resource) || is_extended(resource)) && !quantity.is_integer() {
        errs.invalid(path, value, "must be an integer");
    }
}

fn validate_hugepages(resource: &str, value: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    if !is_hugepages(resource) || pod.options.allow_indivisible_hugepages || is_divisible(resource, value) {
        return;
    }
    errs.invalid(path, value, &format!("{} is not positive integer multiple of {resource}", value.str()));
}

/// Is an amount of huge pages a whole number of pages?
fn is_divisible(resource: &str, value: &Value) -> bool {
    let Ok(page) = Quantity::parse(resource.strip_prefix(HUGEPAGES).unwrap_or("")) else { return false };
    page.sign() > 0 && page.is_integer() && page.value() > 0 && amount(value).value() % page.value() == 0
}

pub fn has_indivisible_hugepages(spec: &Value) -> bool {
    let lists = ["initContainers", "containers"].into_iter().flat_map(|key| spec[key].items());
    let maps = lists.flat_map(|c| [&c["resources"]["limits"], &c["resources"]["requests"]]);
    let all = maps.chain(std::iter::once(&spec["overhead"]));
    all.flat_map(|map| map.entries().collect::<Vec<_>>())
        .any(|(key, value)| is_hugepages(key) && !is_divisible(key, value))
}

type NameRule = fn(&str, &Path, &mut ErrorList);

/// What a container asks for, and what an overhead (as limits) adds.
pub fn validate_container(resources: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    validate_requirements(resources, validate_container_name, pod, path, errs);
}

fn validate_requirements(resources: &Value, rule: NameRule, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let (limits, requests) = (path.child("limits"), path.child("requests"));
    let mut has_basic = false;
    let mut has_hugepages = false;
    for (list, at) in [("limits", &limits), ("requests", &requests)] {
        for (resource, value) in resources[list].entries() {
            let own = at.key(resource);
            rule(resource, &own, errs);
            validate_amount(resource, value, &own, errs);
            if list == "requests" {
                validate_against_limit(resource, value, &resources["limits"], (&limits, &requests), errs);
            }
            validate_hugepages(resource, value, pod, &own, errs);
            has_hugepages |= is_hugepages(resource);
            has_basic |= matches!(resource, "cpu" | "memory");
        }
    }
    if has_hugepages && !has_basic {
        errs.forbidden(path, "HugePages require cpu or memory");
    }
    validate_claims(&resources["claims"], pod, &path.child("claims"), errs);
}

fn validate_against_limit(
    resource: &str,
    request: &Value,
    limits: &Value,
    (limits_path, requests_path): (&Path, &Path),
    errs: &mut ErrorList,
) {
    let Some(limit) = limits.get(resource) else {
        if !allows_overcommit(resource) {
            errs.required(limits_path, "Limit must be set for non overcommitable resources");
        }
        return;
    };
    let (wanted, most) = (amount(request), amount(limit));
    if wanted != most && !allows_overcommit(resource) {
        errs.invalid(requests_path, request, &format!("must be equal to {resource} limit of {}", limit.str()));
    } else if wanted > most {
        errs.invalid(
            requests_path,
            request,
            &format!("must be less than or equal to {resource} limit of {}", limit.str()),
        );
    }
}

/// A container names claims of its pod: a whole claim once, or single requests of it.
fn validate_claims(claims: &Value, pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let known: BTreeSet<&str> =
        pod.spec["resourceClaims"].items().iter().map(|c| c["name"].str()).filter(|n| !n.is_empty()).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (i, claim) in claims.items().iter().enumerate() {
        let path = path.index(i);
        let (own, request) = (claim["name"].str(), claim["request"].str());
        if own.is_empty() {
            errs.required(&path, "");
            continue;
        }
        if seen.contains(own) {
            errs.duplicate(&path, own);
        } else {
            let mut key = own.to_string();
            if !request.is_empty() {
                errs.invalid_each(&path.child("request"), request, name::dns1123_label(request));
                key = format!("{own}/{request}");
            }
            if seen.contains(&key) {
                errs.duplicate(&path, &key);
            } else if request.is_empty() {
                for _ in seen.iter().filter(|k| k.split_once('/').is_some_and(|(claim, _)| claim == own)) {
                    errs.duplicate(&path, own);
                }
            }
            seen.insert(key);
        }
        if !known.contains(own) {
            let mut detail = "must be one of the names in pod.spec.resourceClaims".to_string();
            if known.is_empty() {
                detail.push_str(" which is empty");
            } else {
                let names: Vec<&str> = known.iter().copied().collect();
                detail.push_str(&format!(": {}", names.join(", ")));
            }
            errs.not_found_because(&path, own, &detail);
        }
    }
}

pub fn validate_overhead(pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let overhead = &pod.spec["overhead"];
    if !overhead.is_null() {
        let mut limits = Value::object();
        limits.set("limits", overhead);
        let bare = Value::object();
        let no_claims = Pod { spec: &bare, volumes: Vec::new(), options: pod.options };
        validate_container(&limits, &no_claims, path, errs);
    }
}

/// Resources of the pod as a whole.
pub fn validate_pod_level(pod: &Pod, path: &Path, errs: &mut ErrorList) {
    let spec = pod.spec;
    let resources = &spec["resources"];
    if resources.is_null() {
        return;
    }
    if spec["os"]["name"].str() == "windows" {
        errs.forbidden(path, "may not be set for a windows pod");
        return;
    }
    if !resources["claims"].is_null() {
        errs.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    validate_requirements(resources, validate_pod_name, pod, path, errs);
    let (requests, limits) = (&resources["requests"], &resources["limits"]);
    for (resource, sum) in aggregate(spec, "requests") {
        if let Some(own) = requests.get(&resource).filter(|own| sum > amount(own)) {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            errs.invalid(&path.child("requests").key(&resource), own, &detail);
        }
    }
    for (resource, sum) in aggregate(spec, "limits").into_iter().filter(|(r, _)| is_hugepages(r)) {
        if let Some(own) = limits.get(&resource).filter(|own| sum > amount(own)) {
            let detail = format!("must be greater than or equal to aggregate container limits of {sum}");
            errs.invalid(&path.child("limits").key(&resource), own, &detail);
        }
    }
    for (i, container) in spec["containers"].items().iter().enumerate() {
        for (resource, limit) in container["resources"]["limits"].entries() {
            if let Some(own) = limits.get(resource).filter(|own| amount(limit) > amount(own)) {
                let path = path.child("containers").index(i).key(resource).child("limits");
                errs.invalid(&path, limit, &format!("must be less than or equal to pod limits of {}", own.str()));
            }
        }
    }
}

/// What all containers need together: the running ones' sum, or what the init containers need at their peak.
/// `list` is "requests" or "limits".
pub fn aggregate(spec: &Value, list: &str) -> BTreeMap<Str, Quantity> {
    let mut total: BTreeMap<Str, Quantity> = BTreeMap::new();
    let mut sidecars: BTreeMap<Str, Quantity> = BTreeMap::new();
    let mut peak: BTreeMap<Str, Quantity> = BTreeMap::new();
    for container in spec["containers"].items() {
        add(&mut total, &container["resources"][list]);
    }
    for container in spec["initContainers"].items() {
        let own = &container["resources"][list];
        let mut now = sidecars.clone();
        add(&mut now, own);
        if is_sidecar(container) {
            add(&mut total, own);
            sidecars = now.clone();
        }
        raise(&mut peak, now);
    }
    raise(&mut total, peak);
    total
}

fn add(sums: &mut BTreeMap<Str, Quantity>, list: &Value) {
    for (resource, value) in list.entries() {
        let value = amount(value);
        match sums.get_mut(resource) {
            Some(sum) => *sum = &*sum + &value,
            None => drop(sums.insert(resource.into(), value)),
        }
    }
}

fn raise(highest: &mut BTreeMap<Str, Quantity>, others: BTreeMap<Str, Quantity>) {
    for (resource, value) in others {
        match highest.get_mut(&resource) {
            Some(own) if *own >= value => {}
            Some(own) => *own = value,
            None => drop(highest.insert(resource, value)),
        }
    }
}
