//! Namespaces, the API server's own service, priorities, flow control, APIServices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use meta::time::Timestamp;
use meta::{Value, value};
use serve::Server;

use super::Wanted;
use super::authorities::Authorities;

/// What the objects depend on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Of the secure port, as the rest of the cluster reaches it; `None` when there is no address to publish.
    pub endpoint: Option<IpAddr>,
    pub port: u16,
    pub service_ranges: Vec<IpNet>,
    pub authorities: Authorities,
    pub now: Timestamp,
}

const NAMESPACES: &[&str] = &["kube-system", "kube-public", "kube-node-lease", "default"];

/// Name, value, description; upstream's words, since `kubectl describe` shows them.
const PRIORITY_CLASSES: &[(&str, i64, &str)] = &[
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];

/// What others are in: namespaces, and the range that service addresses come from.
pub fn foundations(facts: &Facts) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = NAMESPACES
        .iter()
        .map(|name| {
            Wanted::new(
                "/api/v1/namespaces",
                value!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": (*name)}}),
            )
        })
        .collect();
    let cidrs: Vec<Value> = facts.service_ranges.iter().map(|range| Value::from(range.trunc().to_string())).collect();
    let service_cidr = value!({
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "kubernetes"}, "spec": {"cidrs": cidrs}
    });
    let ready = value!({"conditions": [{
        "type": "Ready", "status": "True", "lastTransitionTime": (facts.now.to_rfc3339()),
        "message": "Kubernetes default Service CIDR is ready"
    }]});
    let service_cidr = Wanted::new("/apis/networking.k8s.io/v1/servicecidrs", service_cidr).with_status(ready);
    wanted.push(Wanted { status_applier: Some("kubernetes-service-cidr-controller"), ..service_cidr });
    wanted
}

pub fn objects(facts: &Facts) -> Vec<Wanted> {
    let mut wanted = vec![];
    for (name, value, description) in PRIORITY_CLASSES {
        let class = value!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": (*name)},
            "value": (*value), "description": (*description), "preemptionPolicy": "PreemptLowerPriority"
        });
        wanted.push(Wanted::new("/apis/scheduling.k8s.io/v1/priorityclasses", class));
    }
    wanted.push(token_tracking(facts));
    wanted.extend(own_service(facts));
    wanted
}

/// Since when it is known which service account tokens of old kind are used.
fn token_tracking(facts: &Facts) -> Wanted {
    let now = facts.now.to_rfc3339();
    let date = now.split('T').next().unwrap_or_default();
    let map = value!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kube-apiserver-legacy-service-account-token-tracking", "namespace": "kube-system"},
        "data": {"since": date}
    });
    Wanted::new("/api/v1/namespaces/kube-system/configmaps", map)
}

/// The service `kubernetes`, through which everything in the cluster finds this server.
fn own_service(facts: &Facts) -> Vec<Wanted> {
    let Some(range) = facts.service_ranges.first() else { return vec![] };
    let address = range.hosts().next().map(|address| address.to_string()).unwrap_or_default();
    let port = i64::from(facts.port);
    let service = value!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}]
        }
    });
    let mut wanted = vec![Wanted::new("/api/v1/namespaces/default/services", service)];
    if let Some(address) = facts.endpoint {
        wanted.push(own_endpoints(&[address], facts.port));
        wanted.push(own_slice(&[address], facts.port));
    }
    wanted
}

/// Where servers are, as the Endpoints of that service.
pub fn own_endpoints(addresses: &[IpAddr], port: u16) -> Wanted {
    let addresses: Vec<Value> = addresses.iter().map(|address| value!({"ip": (address.to_string())})).collect();
    let endpoints = value!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes", "namespace": "default", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}
        },
        "subsets": [{"addresses": addresses, "ports": [{"name": "https", "port": (i64::from(port)), "protocol": "TCP"}]}]
    });
    Wanted::new("/api/v1/namespaces/default/endpoints", endpoints)
}

/// The same as a slice; the addresses are of one family.
pub fn own_slice(addresses: &[IpAddr], port: u16) -> Wanted {
    let family = if addresses.iter().all(IpAddr::is_ipv4) { "IPv4" } else { "IPv6" };
    let endpoint = |address: &IpAddr| value!({"addresses": [(address.to_string())], "conditions": {"ready": true}});
    let endpoints: Vec<Value> = addresses.iter().map(endpoint).collect();
    let slice = value!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": [{"name": "https", "port": (i64::from(port)), "protocol": "TCP"}]
    });
    Wanted::new("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice)
}

/// One for each group and version that this server answers itself.
pub fn api_services(server: &Server, facts: &Facts) -> Vec<Wanted> {
    let resources = server.registry.load();
    let served: BTreeSet<_> = resources
        .all()
        // The group of APIServices is the aggregator's own; no APIService speaks for it.
        .filter(|e| !e.descriptor.stored_as_json && e.descriptor.group != "apiregistration.k8s.io")
        .map(|endpoint| (endpoint.descriptor.group.clone(), endpoint.descriptor.version.clone()))
        .collect();
    served.iter().map(|(group, version)| api_service(group, version, facts)).collect()
}

fn api_service(group: &str, version: &str, facts: &Facts) -> Wanted {
    let mut service = value!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {
            "name": (format!("{version}.{group}")), "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
        },
        "spec": {
            "version": version,
            "groupPriorityMinimum": (publish::group_priority(group)), "versionPriority": (version_priority(group, version))
        }
    });
    if !group.is_empty() {
        service.entry("spec").set("group", group);
    }
    let available = value!({"conditions": [{
        "type": "Available", "status": "True", "lastTransitionTime": (facts.now.to_rfc3339()), "reason": "Local",
        "message": "Local APIServices are always available"
    }]});
    Wanted::new("/apis/apiregistration.k8s.io/v1/apiservices", service).with_status(available)
}

/// Upstream's order of the versions within a group.
fn version_priority(group: &str, version: &str) -> i64 {
    match (group, version) {
        ("", _) => 1,
        ("autoscaling", "v2") => 30,
        ("flowcontrol.apiserver.k8s.io" | "resource.k8s.io", _) => 21,
        _ => 15,
    }
}
