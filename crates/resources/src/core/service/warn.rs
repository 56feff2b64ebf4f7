//! Warnings about a Service (upstream: pkg/api/service/warnings.go).

use super::NONE;
use crate::rules::ip;
use meta::Value;
use meta::field::Path;

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";

pub fn warn(object: &Value, warnings: &mut Vec<String>) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    if object["metadata"]["annotations"].get(HINTS).is_some() {
        let text = format!("annotation {HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead");
        warnings.push(text);
    }
    for (i, address) in spec["clusterIPs"].items().iter().enumerate().filter(|(_, a)| a.str() != NONE) {
        ip::warn(address.str(), &path.child("clusterIPs").index(i), warnings);
    }
    let is = |kind: &str| spec["type"].str() == kind;
    if is("ClusterIP") && spec["clusterIP"].str() == NONE {
        for (ignored, name) in [
            (!spec["loadBalancerIP"].is_empty(), "loadBalancerIP"),
            (!spec["externalIPs"].is_empty(), "externalIPs"),
            (spec["sessionAffinity"].str() != NONE, "SessionAffinity"),
        ] {
            if ignored {
                warnings.push(format!("spec.{name} is ignored for headless services"));
            }
        }
    }
    for (i, address) in spec["externalIPs"].items().iter().enumerate() {
        ip::warn(address.str(), &path.child("externalIPs").index(i), warnings);
    }
    ip::warn(spec["loadBalancerIP"].str(), &path.child("loadBalancerIP"), warnings);
    for (i, range) in spec["loadBalancerSourceRanges"].items().iter().enumerate() {
        ip::warn_cidr(range.str(), &path.child("loadBalancerSourceRanges").index(i), warnings);
    }
    if is("ExternalName") && !spec["externalIPs"].is_empty() {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".into());
    }
    if !is("ExternalName") && !spec["externalName"].is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".into());
    }
    if spec["trafficDistribution"].str() == "PreferClose" {
        let text = "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"";
        warnings.push(text.into());
    }
    if !spec["externalIPs"].is_empty() {
        warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".into());
    }
}
