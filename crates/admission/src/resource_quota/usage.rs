//! What an object counts for, by resource (k8s.io/kubernetes/pkg/quota/v1/evaluator/core).

use super::scopes;
use crate::resource_list::{ResourceList, of_pod};
use crate::{Attributes, Operation};
use meta::Value;
use meta::quantity::{Format, Quantity};
use resource::Reader;
use std::collections::BTreeMap;

/// The resources that count for more than one.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    Pods,
    Services,
    Claims,
    /// ResourceClaims, by class of device.
    DeviceClaims,
    /// Anything else that lives in a namespace counts as one under `count/<resource>[.<group>]`, and a few of the core
    /// group under their plain name too.
    Objects {
        count: String,
        plain: Option<String>,
    },
}

/// Resources of the core group that had quotas before `count/`.
const PLAIN: &[&str] = &["configmaps", "secrets", "replicationcontrollers", "resourcequotas"];

/// The most devices that a request for all of them can get.
const DEVICES_MAX: i64 = 32;
const DEVICE_CLASS: &str = ".deviceclass.resource.k8s.io/devices";
const DEVICE_CLAIMS: &str = "count/resourceclaims.resource.k8s.io";
const STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";
const COMPUTE: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
/// Resources that every container must ask for once a quota limits them.
const MUST_BE_SAID: &[&str] = &["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

impl Counted {
    /// What the request's object counts for; `None` when the request is not counted.
    pub fn of(attributes: &Attributes) -> Option<Counted> {
        let creates = attributes.operation == Operation::Create;
        let updates = attributes.operation == Operation::Update;
        if attributes.namespace().is_empty() || attributes.is("", "namespaces") {
            return None;
        }
        let plain = attributes.subresource().is_empty();
        match (attributes.group, attributes.resource) {
            ("", "pods") if creates && plain || updates && attributes.subresource() == "resize" => Some(Counted::Pods),
            ("", "services") if (creates || updates) && plain => Some(Counted::Services),
            ("", "persistentvolumeclaims") if (creates || updates) && plain => Some(Counted::Claims),
            ("", "pods" | "services" | "persistentvolumeclaims") => None,
            ("resource.k8s.io", "resourceclaims") if creates && plain => Some(Counted::DeviceClaims),
            (group, resource) if creates && plain => Some(Counted::objects(group, resource)),
            _ => None,
        }
    }

    fn objects(group: &str, resource: &str) -> Counted {
        Counted::Objects {
            count: format!("count/{}", meta::gvk::group_resource(group, resource)),
            plain: (group.is_empty() && PLAIN.contains(&resource)).then(|| resource.to_string()),
        }
    }

    /// What a name in a quota counts: with the group and resource of the objects. `None` for a name that counts nothing.
    fn of_name(name: &str) -> Option<(String, String, Counted)> {
        let core = |resource: &str, counted: Counted| Some((String::new(), resource.to_string(), counted));
        let special = [
            ("", "pods", Counted::Pods),
            ("", "services", Counted::Services),
            ("", "persistentvolumeclaims", Counted::Claims),
            ("resource.k8s.io", "resourceclaims", Counted::DeviceClaims),
        ];
        if let Some((group, resource, counted)) = special.into_iter().find(|(_, _, counted)| counted.counts(name)) {
            return Some((group.into(), resource.into(), counted));
        }
        if PLAIN.contains(&name) {
            return core(name, Counted::objects("", name));
        }
        let (resource, group) = match name.strip_prefix("count/")?.split_once('.') {
            Some((resource, group)) => (resource, group),
            None => (name.strip_prefix("count/")?, ""),
        };
        Some((group.into(), resource.into(), Counted::objects(group, resource)))
    }

    /// May a quota on this name concern these objects?
    pub fn counts(&self, name: &str) -> bool {
        match self {
            Counted::Pods => {
                matches!(name, "pods" | "count/pods")
                    || COMPUTE.contains(&name)
                    || name.starts_with("hugepages-")
                    || name.starts_with("requests.hugepages-")
                    || name.strip_prefix("requests.").is_some_and(|name| name.contains('/'))
            }
            Counted::Services => {
                matches!(name, "services" | "count/services" | "services.nodeports" | "services.loadbalancers")
            }
            Counted::Claims => {
                matches!(name, "persistentvolumeclaims" | "count/persistentvolumeclaims" | "requests.storage")
                    || name.contains(STORAGE_CLASS)
            }
            Counted::DeviceClaims => name == DEVICE_CLAIMS || name.ends_with(DEVICE_CLASS),
            Counted::Objects { count, plain } => name == count || Some(name) == plain.as_deref(),
        }
    }

    pub fn usage(&self, object: &Value) -> ResourceList {
        let mut usage = ResourceList::default();
        let one = || Quantity::new(1, Format::DecimalSI);
        match self {
            Counted::Pods => return pod(object),
            Counted::Services => return service(&object["spec"]),
            Counted::Claims => return claim(object),
            Counted::DeviceClaims => return device_claim(object),
            Counted::Objects { count, plain } => {
                usage.set(count.clone(), one());
                if let Some(plain) = plain {
                    usage.set(plain.clone(), one());
                }
            }
        }
        usage
    }

    /// What the object should have said under these limits: `must specify limits.memory for: a,b; requests.cpu for: c`.
    pub fn missing(&self, limited: &ResourceList, object: &Value) -> Option<String> {
        if *self != Counted::Pods {
            return None;
        }
        let spec = &object["spec"];
        let silent = |name: &str| -> Vec<&str> {
            let (kind, resource) = name.split_once('.').unwrap_or(("requests", name));
            if spec["resources"][kind].get(resource).is_some() {
                return Vec::new();
            }
            let containers = ["containers", "initContainers"].into_iter().flat_map(|field| spec[field].items());
            let mut names: Vec<&str> = containers
                .filter(|container| container["resources"][kind].get(resource).is_none())
                .map(|container| container["name"].str())
                .collect();
            names.sort_unstable();
            names
        };
        let said = limited.0.keys().filter(|name| MUST_BE_SAID.contains(&name.as_str()));
        let texts: Vec<String> = said
            .map(|name| (name, silent(name)))
            .filter(|(_, silent)| !silent.is_empty())
            .map(|(name, silent)| format!("{name} for: {}", silent.join(",")))
            .collect();
        if texts.is_empty() { None } else { Some(format!("must specify {}", texts.join("; "))) }
    }
}

fn count(usage: &mut ResourceList, name: &str, n: i64) {
    usage.set(name, Quantity::new(n, Format::DecimalSI));
}

/// A finished pod counts as an object only: it holds no resources.
fn pod(pod: &Value) -> ResourceList {
    let mut usage = ResourceList::default();
    count(&mut usage, "count/pods", 1);
    if matches!(pod["status"]["phase"].str(), "Succeeded" | "Failed") {
        return usage;
    }
    count(&mut usage, "pods", 1);
    for (name, amount) in of_pod(&pod["spec"], "requests").0 {
        let compute = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if compute {
            usage.set(name.clone(), amount.clone());
        }
        if compute || name.contains('/') {
            usage.set(format!("requests.{name}"), amount);
        }
    }
    for (name, amount) in of_pod(&pod["spec"], "limits").0 {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            usage.set(format!("limits.{name}"), amount);
        }
    }
    usage
}

fn service(spec: &Value) -> ResourceList {
    let mut usage = ResourceList::default();
    let ports = spec["ports"].items();
    let allocated = ports.iter().filter(|port| port["nodePort"].int() != 0).count();
    let automatic = spec["allocateLoadBalancerNodePorts"].as_bool() != Some(false);
    let (node_ports, load_balancers) = match spec["type"].str() {
        "NodePort" => (ports.len(), 0),
        "LoadBalancer" => (if automatic { ports.len() } else { allocated }, 1),
        _ => (0, 0),
    };
    count(&mut usage, "services", 1);
    count(&mut usage, "count/services", 1);
    count(&mut usage, "services.nodeports", node_ports as i64);
    count(&mut usage, "services.loadbalancers", load_balancers);
    usage
}

fn claim(claim: &Value) -> ResourceList {
    let mut usage = ResourceList::default();
    let annotated = claim["metadata"]["annotations"].get("volume.beta.kubernetes.io/storage-class");
    let class = annotated.unwrap_or(&claim["spec"]["storageClassName"]).str();
    let storage = Quantity::parse(claim.path("spec.resources.requests.storage").str()).ok();
    count(&mut usage, "count/persistentvolumeclaims", 1);
    let prefixes = [String::new(), format!("{class}{STORAGE_CLASS}")];
    for prefix in prefixes.iter().take(if class.is_empty() { 1 } else { 2 }) {
        count(&mut usage, &format!("{prefix}persistentvolumeclaims"), 1);
        if let Some(storage) = &storage {
            usage.set(format!("{prefix}requests.storage"), storage.clone());
        }
    }
    usage
}

/// Each request takes devices of its class; of alternatives the most that any of them takes of each class.
fn device_claim(claim: &Value) -> ResourceList {
    let mut devices: BTreeMap<String, i64> = BTreeMap::new();
    let amount = |request: &Value| match request["allocationMode"].str() {
        "All" => DEVICES_MAX,
        _ => request["count"].as_int().unwrap_or(1),
    };
    for request in claim.path("spec.devices.requests").items() {
        let mut own: BTreeMap<&str, i64> = BTreeMap::new();
        let exactly = std::iter::once(&request["exactly"]).filter(|exactly| !exactly.is_null());
        for wanted in exactly.chain(request["firstAvailable"].items()) {
            let most = own.entry(wanted["deviceClassName"].str()).or_default();
            *most = amount(wanted).max(*most);
        }
        for (class, n) in own {
            let total = devices.entry(class.to_string()).or_default();
            *total = total.saturating_add(n);
        }
    }
    let mut usage = ResourceList::default();
    count(&mut usage, DEVICE_CLAIMS, 1);
    for (class, n) in devices {
        count(&mut usage, &format!("{class}{DEVICE_CLASS}"), n);
    }
    usage
}

/// Group and plural of what a quota counts.
pub fn kinds_of(quota: &Value) -> Vec<(String, String)> {
    let named = quota["spec"]["hard"].entries().filter_map(|(name, _)| Counted::of_name(name));
    named.map(|(group, resource, _)| (group, resource)).collect()
}

/// The status that a quota should have: its limits, and what the objects of its namespace use of them now.
pub fn plan_status(quota: &Value, reader: &dyn Reader) -> Value {
    let namespace = quota["metadata"]["namespace"].str();
    let mut kinds: Vec<(String, String, Counted)> = Vec::new();
    let mut used = ResourceList::default();
    for (name, _) in quota["spec"]["hard"].entries() {
        count(&mut used, name, 0);
        if let Some(kind) = Counted::of_name(name).filter(|kind| !kinds.contains(kind)) {
            kinds.push(kind);
        }
    }
    for (group, resource, counted) in kinds {
        for object in reader.list(&group, &resource, namespace) {
            if scopes::matches(quota, &counted, &object) {
                used.add(
                    &counted
                        .usage(&object)
                        .only(|name| counted.counts(name) && quota["spec"]["hard"].get(name).is_some()),
                );
            }
        }
    }
    let mut status = quota["status"].clone();
    status.set("hard", &quota["spec"]["hard"]);
    status.set("used", used.to_value());
    status
}
