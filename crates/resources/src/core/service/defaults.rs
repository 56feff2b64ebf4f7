//! Defaults of a Service (upstream: pkg/apis/core/v1/defaults.go, SetDefaults_Service).

use meta::{Value, value};

/// How long client affinity lasts.
const CLIENT_IP_SECONDS: i64 = 10_800;

pub fn default(object: &mut Value) {
    let externally_accessible = {
        let spec = object.entry("spec");
        spec_defaults(spec);
        super::is_externally_accessible(object)
    };
    let spec = object.entry("spec");
    if externally_accessible && spec["externalTrafficPolicy"].is_empty() {
        spec.set("externalTrafficPolicy", "Cluster");
    }
    if super::is_in_cluster(object) {
        object.entry("spec").set_default("internalTrafficPolicy", "Cluster");
    }
    if object["spec"]["type"].str() != "LoadBalancer" {
        return;
    }
    object.entry("spec").set_default("allocateLoadBalancerNodePorts", true);
    if let Some(ingress) = object.path_mut("status.loadBalancer.ingress") {
        for point in ingress.items_mut() {
            if !point["ip"].is_empty() {
                point.set_default("ipMode", "VIP");
            }
        }
    }
}

fn spec_defaults(spec: &mut Value) {
    for (key, value) in [("sessionAffinity", "None"), ("type", "ClusterIP")] {
        if spec[key].is_empty() {
            spec.set(key, value);
        }
    }
    match spec["sessionAffinity"].str() {
        "None" => drop(spec.remove("sessionAffinityConfig")),
        "ClientIP" if spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null() => {
            spec.set("sessionAffinityConfig", value!({"clientIP": {"timeoutSeconds": CLIENT_IP_SECONDS}}));
        }
        _ => {}
    }
    let Some(ports) = spec.get_mut("ports") else { return };
    for port in ports.items_mut() {
        if port["protocol"].is_empty() {
            port.set("protocol", "TCP");
        }
        if port["targetPort"].is_empty() || port["targetPort"].as_int() == Some(0) {
            let number = port["port"].int();
            port.set("targetPort", number);
        }
    }
}
