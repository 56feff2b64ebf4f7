//! Validation of a Service (upstream: validateService and what it calls in pkg/apis/core/validation).

use super::{NONE, families, has_type, is_externally_accessible, is_headless, needs_health_check_node_port};
use crate::rules::{immutable, ip, label_selector, port};
use meta::field::{ErrorList, Path, Shown, quote};
use meta::{Value, name};

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const POLICIES: &[&str] = &["Cluster", "Local"];
const AFFINITY_SECONDS_MAX: i64 = 86_400;

pub fn validate_update(object: &Value, old: &Value, errs: &mut ErrorList) {
    validate_cluster_ip_change(object, old, errs);
    validate_family_change(object, old, errs);
    let class = &object["spec"]["loadBalancerClass"];
    let path = Path::new("spec").child("loadBalancerClass");
    let balancers = has_type(object, &["LoadBalancer"]) && has_type(old, &["LoadBalancer"]);
    if balancers && *class != old["spec"]["loadBalancerClass"] {
        errs.invalid(&path, class, "may not change once set");
    }
    validate_class(object, errs);
    if needs_health_check_node_port(old)
        && needs_health_check_node_port(object)
        && object["spec"]["healthCheckNodePort"].int() != old["spec"]["healthCheckNodePort"].int()
    {
        errs.forbidden(&Path::new("spec").child("healthCheckNodePort"), immutable::MESSAGE);
    }
    validate(object, Some(old), errs);
}

pub fn validate(object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let annotations = &object["metadata"]["annotations"];
    if let (Some(mode), Some(hints)) = (annotations.get(MODE), annotations.get(HINTS))
        && mode != hints
    {
        let path = Path::new("metadata").child("annotations").key(MODE);
        errs.invalid(&path, mode, &format!("must match annotations[{HINTS}] when both are specified"));
    }
    let spec = &object["spec"];
    let path = Path::new("spec");
    validate_type_rules(object, &path, errs);
    validate_ports(spec, &path.child("ports"), errs);
    label_selector::validate_labels(&spec["selector"], &path.child("selector"), errs);
    validate_affinity(spec, &path, errs);
    validate_cluster_ips(object, old, errs);
    let stored = old.map_or(&Value::Null, |old| &old["spec"]["externalIPs"]);
    let stored: Vec<&str> = stored.items().iter().map(Value::str).collect();
    for (i, address) in spec["externalIPs"].items().iter().enumerate() {
        let at = path.child("externalIPs").index(i);
        let before = errs.len();
        ip::validate_legacy(address.str(), &stored, &at, errs);
        if errs.len() == before {
            ip::validate_not_special(address.str(), &at, errs);
        }
    }
    match spec["type"].str() {
        "" => errs.required(&path.child("type"), ""),
        kind if !TYPES.contains(&kind) => errs.not_supported(&path.child("type"), kind, TYPES),
        _ => {}
    }
    validate_port_pairs(spec, &path.child("ports"), errs);
    validate_source_ranges(object, old, errs);
    let balancer = has_type(object, &["LoadBalancer"]);
    if !spec["allocateLoadBalancerNodePorts"].is_null() && !balancer {
        errs.forbidden(&path.child("allocateLoadBalancerNodePorts"), ONLY_LOAD_BALANCER);
    }
    if balancer && spec["allocateLoadBalancerNodePorts"].is_null() {
        errs.required(&Path::new("allocateLoadBalancerNodePorts"), "");
    }
    validate_class(object, errs);
    validate_traffic(object, &path, errs);
}

const ONLY_LOAD_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";

fn validate_type_rules(object: &Value, path: &Path, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let kind = spec["type"].str();
    if spec["ports"].is_empty() && !is_headless(object) && kind != "ExternalName" {
        errs.required(&path.child("ports"), "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(object) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errs.invalid(&path.child("clusterIPs").index(0), &spec["clusterIPs"][0], &detail);
        }
        "ExternalName" => {
            for (field, set) in [
                ("clusterIPs", !spec["clusterIPs"].is_empty()),
                ("ipFamilies", !spec["ipFamilies"].is_empty()),
                ("ipFamilyPolicy", !spec["ipFamilyPolicy"].is_null()),
            ] {
                if set {
                    errs.forbidden(&path.child(field), "may not be set for ExternalName services");
                }
            }
            let name = spec["externalName"].str();
            match name.strip_suffix('.').unwrap_or(name) {
                "" => errs.required(&path.child("externalName"), ""),
                name => errs.invalid_each(&path.child("externalName"), name, name::dns1123_subdomain(name)),
            }
        }
        _ => {}
    }
}

fn validate_ports(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let ports = spec["ports"].items();
    let mut names: Vec<&str> = Vec::new();
    for (i, item) in ports.iter().enumerate() {
        let at = path.index(i);
        match item["name"].str() {
            "" if ports.len() > 1 => errs.required(&at.child("name"), ""),
            "" => {}
            port_name => {
                errs.invalid_each(&at.child("name"), port_name, name::dns1123_label(port_name));
                if names.contains(&port_name) {
                    errs.duplicate(&at.child("name"), port_name);
                } else {
                    names.push(port_name);
                }
            }
        }
        port::validate_number(item["port"].int(), &at.child("port"), errs);
        port::validate_protocol(item["protocol"].str(), &at.child("protocol"), errs);
        port::validate_number_or_name(&item["targetPort"], &at.child("targetPort"), errs);
        if let Some(protocol) = item["appProtocol"].as_str() {
            errs.invalid_each(&at.child("appProtocol"), protocol, name::qualified_name(protocol));
        }
    }
}

fn validate_affinity(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let config = &spec["sessionAffinityConfig"];
    let config_path = path.child("sessionAffinityConfig");
    match spec["sessionAffinity"].str() {
        "" => errs.required(&path.child("sessionAffinity"), ""),
        "None" => {
            if !config.is_null() {
                errs.forbidden(&config_path, "must not be set when session affinity is None");
            }
        }
        "ClientIP" => {
            if config.is_null() {
                errs.required(&config_path, "when session affinity type is ClientIP");
            } else if config["clientIP"].is_null() {
                errs.required(&config_path.child("clientIP"), "when session affinity type is ClientIP");
            } else {
                let seconds = &config["clientIP"]["timeoutSeconds"];
                let at = config_path.child("clientIP").child("timeoutSeconds");
                match seconds.as_int() {
                    None => errs.required(&at, "when session affinity type is ClientIP"),
                    Some(n) if n <= 0 || n > AFFINITY_SECONDS_MAX => {
                        let detail = format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}");
                        errs.invalid(&at, n, &detail);
                    }
                    Some(_) => {}
                }
            }
        }
        other => errs.not_supported(&path.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
}

/// clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy together.
pub fn validate_cluster_ips(object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let spec = &object["spec"];
    if spec["type"].str() == "ExternalName" {
        return;
    }
    let path = Path::new("spec");
    let (ips, ips_path) = (&spec["clusterIPs"], path.child("clusterIPs"));
    match (spec["clusterIP"].str(), ips.is_empty()) {
        ("", false) => errs.invalid(&ips_path, ips, "must be empty when `clusterIP` is not specified"),
        ("", true) => {}
        (_, true) => errs.required(&ips_path, ""),
        (first, false) if ips[0].str() != first => {
            errs.invalid(&ips_path, ips, "first value must match `clusterIP`");
        }
        _ => {}
    }
    let families = spec["ipFamilies"].items();
    for (i, family) in families.iter().enumerate() {
        let at = path.child("ipFamilies").index(i);
        if !["IPv4", "IPv6"].contains(&family.str()) {
            errs.not_supported(&at, family, &["IPv4", "IPv6"]);
        }
        if families.iter().take(i).any(|f| f == family) {
            errs.duplicate(&at, family);
        }
    }
    let policy = &spec["ipFamilyPolicy"];
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    if !policy.is_null() && !policies.contains(&policy.str()) {
        errs.not_supported(&path.child("ipFamilyPolicy"), policy, &policies);
    }
    validate_addresses(object, old, &ips_path, errs);
}

fn validate_addresses(object: &Value, old: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    let ips = &object["spec"]["clusterIPs"];
    let stored = old.map_or(&Value::Null, |old| &old["spec"]["clusterIPs"]);
    let stored: Vec<&str> = stored.items().iter().map(Value::str).collect();
    let before = errs.len();
    for (i, address) in ips.items().iter().enumerate() {
        if i == 0 && address.str() == NONE {
            if ips.items().len() > 1 {
                errs.invalid(path, ips, "'None' must be the first and only value");
            }
            continue;
        }
        ip::validate_legacy(address.str(), &stored, &path.index(i), errs);
    }
    let broken = errs.len() > before;
    if ips.items().len() > 2 {
        errs.invalid(path, ips, "may only hold up to 2 values");
    }
    if broken {
        return;
    }
    let family_at = |i: usize| families::family_of(ips[i].str());
    if ips.items().len() > 1 && (1..ips.items().len()).all(|i| family_at(i) == family_at(0)) {
        errs.invalid(path, ips, "may specify no more than one IP for each IP family");
    }
    if is_headless(object) {
        return;
    }
    for (i, (address, family)) in ips.items().iter().zip(object["spec"]["ipFamilies"].items()).enumerate() {
        let family = family.str();
        if ["IPv4", "IPv6"].contains(&family) && family_at(i) != family {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{i}]`");
            errs.invalid(&path.index(i), address, &detail);
        }
    }
}

fn validate_port_pairs(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let ports = spec["ports"].items();
    if spec["type"].str() == "ClusterIP" {
        for (i, _) in ports.iter().enumerate().filter(|(_, p)| p["nodePort"].int() != 0) {
            errs.forbidden(&path.index(i).child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let same = |a: &Value, b: &Value, key: &str| a["protocol"] == b["protocol"] && a[key].int() == b[key].int();
    for (i, item) in ports.iter().enumerate() {
        let node_port = item["nodePort"].int();
        if node_port != 0 && ports.iter().take(i).any(|p| same(p, item, "nodePort")) {
            errs.duplicate(&path.index(i).child("nodePort"), node_port);
        }
    }
    for (i, item) in ports.iter().enumerate() {
        if ports.iter().take(i).any(|p| same(p, item, "port")) {
            // upstream shows the key of its map: a port of which only these two fields are set
            let (protocol, number) = (quote(item["protocol"].str()), item["port"].int());
            errs.duplicate(
                &path.index(i),
                Shown(format!(
                    "{{\"Name\":\"\",\"Protocol\":{protocol},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}"
                )),
            );
        }
    }
}

fn validate_source_ranges(object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let balancer = has_type(object, &["LoadBalancer"]);
    let ranges = spec["loadBalancerSourceRanges"].items();
    if !ranges.is_empty() {
        // upstream writes the Go name of the field
        let path = Path::new("spec").child("LoadBalancerSourceRanges");
        if !balancer {
            errs.forbidden(&path, ONLY_LOAD_BALANCER);
        }
        let stored = old.map_or(&Value::Null, |old| &old["spec"]["loadBalancerSourceRanges"]);
        let stored: Vec<&str> = stored.items().iter().map(|r| r.str().trim()).collect();
        for (i, range) in ranges.iter().enumerate() {
            ip::validate_legacy_cidr(range.str().trim(), &stored, &path.index(i), errs);
        }
        return;
    }
    let Some(annotation) = object["metadata"]["annotations"].get(SOURCE_RANGES) else { return };
    let path = Path::new("metadata").child("annotations").key(SOURCE_RANGES);
    if !balancer {
        errs.forbidden(&path, ONLY_LOAD_BALANCER);
    }
    let unchanged = old.is_some_and(|old| old["metadata"]["annotations"].get(SOURCE_RANGES) == Some(annotation));
    let text = annotation.str().trim();
    if !unchanged && !text.is_empty() {
        for range in text.split(',') {
            ip::validate_legacy_cidr(range.trim(), &[], &path, errs);
        }
    }
}

fn validate_class(object: &Value, errs: &mut ErrorList) {
    let path = Path::new("spec").child("loadBalancerClass");
    let Some(class) = object["spec"]["loadBalancerClass"].as_str() else { return };
    if has_type(object, &["LoadBalancer"]) {
        errs.invalid_each(&path, class, name::qualified_name(class));
    } else {
        errs.forbidden(&path, ONLY_LOAD_BALANCER);
    }
}

fn validate_traffic(object: &Value, path: &Path, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let external = spec["externalTrafficPolicy"].str();
    let at = path.child("externalTrafficPolicy");
    match (is_externally_accessible(object), external) {
        (false, "") => {}
        (false, _) => errs.invalid(&at, external, "may only be set for externally-accessible services"),
        (true, "") => errs.required(&at, ""),
        (true, _) if !POLICIES.contains(&external) => errs.not_supported(&at, external, POLICIES),
        _ => {}
    }
    let health_check = spec["healthCheckNodePort"].int();
    let at = path.child("healthCheckNodePort");
    match (needs_health_check_node_port(object), health_check) {
        (false, 0) => {}
        (false, n) => {
            errs.invalid(
                &at,
                n,
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
            );
        }
        (true, 0) => errs.required(&at, ""),
        (true, n) => port::validate_number(n, &at, errs),
    }
    let at = path.child("internalTrafficPolicy");
    match spec["internalTrafficPolicy"].as_str() {
        None if super::is_in_cluster(object) => errs.required(&at, ""),
        Some(policy) if !POLICIES.contains(&policy) => errs.not_supported(&at, policy, POLICIES),
        _ => {}
    }
    let distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    if let Some(distribution) = spec["trafficDistribution"].as_str()
        && !distributions.contains(&distribution)
    {
        errs.not_supported_in_order(&path.child("trafficDistribution"), distribution, &distributions);
    }
}

fn validate_cluster_ip_change(object: &Value, old: &Value, errs: &mut ErrorList) {
    if has_type(object, &["ExternalName"]) || has_type(old, &["ExternalName"]) {
        return;
    }
    if is_headless(object) && is_headless(old) {
        return;
    }
    let path = Path::new("spec").child("clusterIPs");
    let ips = &object["spec"]["clusterIPs"];
    let (new, stored) = (ips.items(), old["spec"]["clusterIPs"].items());
    if new.len() == stored.len() {
        for (i, _) in new.iter().zip(stored).enumerate().filter(|(_, (a, b))| a != b) {
            errs.invalid(&path.index(i), ips, "may not change once set");
        }
        return;
    }
    if new.is_empty() {
        errs.invalid(&path.index(0), ips, "primary clusterIP can not be unset");
    }
    if let (Some(first), Some(before)) = (new.first(), stored.first())
        && first != before
    {
        errs.invalid(&path.index(0), ips, "may not change once set");
    }
    let policy = &object["spec"]["ipFamilyPolicy"];
    if new.len() == 1 && stored.len() > 1 && policy.str() != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        errs.invalid(&Path::new("spec").child("ipFamilyPolicy"), policy, detail);
    }
}

fn validate_family_change(object: &Value, old: &Value, errs: &mut ErrorList) {
    if has_type(object, &["ExternalName"]) || has_type(old, &["ExternalName"]) {
        return;
    }
    if is_headless(object) || is_headless(old) {
        return;
    }
    let path = Path::new("spec").child("ipFamilies").index(0);
    let (ips, families) = (&object["spec"]["clusterIPs"], &object["spec"]["ipFamilies"]);
    let (new, stored) = (families.items(), old["spec"]["ipFamilies"].items());
    if new.len() == stored.len() {
        for _ in new.iter().zip(stored).filter(|(a, b)| a != b) {
            errs.invalid(&path, families, "may not change once set");
        }
        return;
    }
    if new.len() < stored.len() && ips.is_empty() {
        errs.invalid(&path, families, "primary ipFamily can not be unset");
    }
    if let (Some(first), Some(before)) = (new.first(), stored.first())
        && first != before
    {
        // upstream shows the addresses here
        errs.invalid(&path, ips, "may not change once set");
    }
    let policy = &object["spec"]["ipFamilyPolicy"];
    if new.len() == 1 && stored.len() > 1 && policy.str() != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        errs.invalid(&Path::new("spec").child("ipFamilyPolicy"), policy, detail);
    }
}

/// The addresses that a load balancer reports.
pub fn validate_status(object: &Value, old: &Value, errs: &mut ErrorList) {
    let path = Path::new("status").child("loadBalancer").child("ingress");
    let ingress = object["status"]["loadBalancer"]["ingress"].items();
    if !has_type(object, &["LoadBalancer"]) && !ingress.is_empty() {
        errs.forbidden(&path, "may only be used when `spec.type` is 'LoadBalancer'");
        return;
    }
    let stored: Vec<&str> = old["status"]["loadBalancer"]["ingress"]
        .items()
        .iter()
        .map(|i| i["ip"].str())
        .filter(|a| !a.is_empty())
        .collect();
    for (i, point) in ingress.iter().enumerate() {
        let at = path.index(i);
        let address = point["ip"].str();
        if !address.is_empty() {
            ip::validate_legacy(address, &stored, &at.child("ip"), errs);
        }
        match (point["ipMode"].as_str(), address) {
            (None, "") => {}
            (None, _) => errs.required(&at.child("ipMode"), "must be specified when `ip` is set"),
            (Some(_), "") => errs.forbidden(&at.child("ipMode"), "may not be specified when `ip` is not set"),
            (Some(mode), _) if !["Proxy", "VIP"].contains(&mode) => {
                errs.not_supported(&at.child("ipMode"), mode, &["Proxy", "VIP"]);
            }
            _ => {}
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
