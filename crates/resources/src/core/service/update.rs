//! What an update carries over from the stored Service, and what it drops when the type changes
//! (upstream: pkg/registry/core/service).

use super::{has_type, needs_cluster_ip, needs_health_check_node_port, needs_node_port};
use crate::rules::immutable::same;
use meta::Value;
use std::collections::BTreeSet;

fn node_ports(object: &Value) -> BTreeSet<i64> {
    object["spec"]["ports"].items().iter().map(|p| p["nodePort"].int()).filter(|n| *n != 0).collect()
}

/// Fills in allocated values that the client left out.
pub fn patch_allocated(object: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(object) {
        let stored = &old["spec"];
        let spec = object.entry("spec");
        if spec["clusterIP"].is_empty() && !stored["clusterIP"].is_empty() {
            spec.set("clusterIP", &stored["clusterIP"]);
        }
        if spec["clusterIPs"].is_empty() && spec["clusterIP"] == stored["clusterIP"] && !stored["clusterIPs"].is_empty()
        {
            spec.set("clusterIPs", &stored["clusterIPs"]);
        }
    }
    if needs_node_port(old) && needs_node_port(object) {
        let used: BTreeSet<i64> = node_ports(old).intersection(&node_ports(object)).copied().collect();
        let stored = old["spec"]["ports"].items();
        let Some(ports) = object.path_mut("spec.ports") else { return };
        for port in ports.items_mut().iter_mut().filter(|p| p["nodePort"].int() == 0) {
            let before = stored.iter().rfind(|p| p["name"].str() == port["name"].str());
            let number = before.map_or(0, |p| p["nodePort"].int());
            if number != 0 && !used.contains(&number) {
                port.set("nodePort", number);
            }
        }
    }
    if needs_health_check_node_port(old) && needs_health_check_node_port(object) {
        let stored = &old["spec"]["healthCheckNodePort"];
        let spec = object.entry("spec");
        if spec["healthCheckNodePort"].int() == 0 && stored.int() != 0 {
            spec.set("healthCheckNodePort", stored);
        }
    }
}

/// Makes clusterIP and clusterIPs agree where a client knows only one of them.
pub fn normalize_cluster_ips(object: &mut Value, old: Option<&Value>) {
    let spec = object.entry("spec");
    let Some(old) = old else {
        if !spec["clusterIP"].is_empty() && spec["clusterIPs"].is_empty() {
            let ips = vec![spec["clusterIP"].clone()];
            spec.set("clusterIPs", ips);
        }
        return;
    };
    let stored = &old["spec"];
    let same_ip = same(&stored["clusterIP"], &spec["clusterIP"]);
    if !stored["clusterIPs"].is_empty() && spec["clusterIPs"].is_empty() {
        spec.set("clusterIPs", &stored["clusterIPs"]);
    }
    if same_ip || !same(&stored["clusterIPs"], &spec["clusterIPs"]) {
        return;
    }
    if spec["clusterIP"].is_empty() {
        spec.remove("clusterIPs");
    } else {
        let ips = vec![spec["clusterIP"].clone()];
        spec.set("clusterIPs", ips);
    }
}

/// Fields that the new type has no use for and that the client did not touch.
pub fn drop_type_dependent(object: &mut Value, old: &Value) {
    let stored = &old["spec"];
    if needs_cluster_ip(old) && !needs_cluster_ip(object) {
        if same(&stored["clusterIPs"], &object["spec"]["clusterIPs"]) {
            object.entry("spec").remove("clusterIP");
        }
        drop_unchanged(object, old, &["clusterIPs", "ipFamilies", "ipFamilyPolicy"]);
    }
    if needs_node_port(old) && !needs_node_port(object) && node_ports(object).is_subset(&node_ports(old)) {
        for port in object.path_mut("spec.ports").map(Value::items_mut).unwrap_or_default() {
            port.remove("nodePort");
        }
    }
    if needs_health_check_node_port(old) && !needs_health_check_node_port(object) {
        drop_unchanged(object, old, &["healthCheckNodePort"]);
    }
    if has_type(old, &["LoadBalancer"]) && !has_type(object, &["LoadBalancer"]) {
        drop_unchanged(object, old, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if super::is_externally_accessible(old) && !super::is_externally_accessible(object) {
        drop_unchanged(object, old, &["externalTrafficPolicy"]);
    }
    if super::is_in_cluster(old) && !super::is_in_cluster(object) {
        drop_unchanged(object, old, &["internalTrafficPolicy"]);
    }
}

fn drop_unchanged(object: &mut Value, old: &Value, keys: &[&str]) {
    let spec = object.entry("spec");
    for key in keys {
        if same(&spec[*key], &old["spec"][*key]) {
            spec.remove(key);
        }
    }
}
