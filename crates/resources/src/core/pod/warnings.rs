//! Warnings about pods and templates (upstream: pkg/api/pod/warnings.go).

use super::annotations::{APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD, app_armor_profile};
use super::containers::all_containers;
use super::resources::amount;
use super::virtual_paths;
use crate::rules::ip;
use meta::Value;
use meta::field::{Path, quote};
use std::collections::{BTreeMap, BTreeSet};

/// Node labels that have new names.
const OLD_NODE_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];

/// Annotations that do nothing any more.
const OLD_ANNOTATIONS: &[(&str, &str)] = &[
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];

/// Volume sources that are gone, in upstream's order: field, the name in the warning, the text. The empty text stands
/// for the claim of an ephemeral volume.
const OLD_VOLUMES: &[(&str, &str, &str)] = &[
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";

/// A pod (`path` is the root) or a template.
pub fn warn(object: &Value, path: &Path, is_template: bool, out: &mut Vec<String>) {
    let (spec, annotations) = (&object["spec"], &object["metadata"]["annotations"]);
    let at = path.child("spec");
    let metadata = path.child("metadata").child("annotations");
    warn_node_labels(spec, &at, out);
    for (key, text) in OLD_ANNOTATIONS.iter().filter(|(key, _)| annotations.get(key).is_some()) {
        out.push(format!("{}: {text}", metadata.key(key)));
    }
    for (i, volume) in spec["volumes"].items().iter().enumerate() {
        let at = at.child("volumes").index(i);
        for (_, shown, text) in OLD_VOLUMES.iter().filter(|(field, _, _)| !volume[*field].is_null()) {
            out.push(format!("{}: {text}", at.child(shown)));
        }
        let claim = &volume["ephemeral"]["volumeClaimTemplate"];
        warn_claim(&claim["spec"], &at.child("ephemeral").child("volumeClaimTemplate").child("spec"), out);
    }
    virtual_paths::warn(&spec["volumes"], out);
    warn_duplicates(&spec["hostAliases"], "ip", &at.child("hostAliases"), out);
    warn_duplicates(&spec["imagePullSecrets"], "name", &at.child("imagePullSecrets"), out);
    for (i, secret) in spec["imagePullSecrets"].items().iter().enumerate() {
        if secret["name"].str().is_empty() {
            out.push(format!("{}: invalid empty name \"\"", at.child("imagePullSecrets").index(i).child("name")));
        }
    }
    warn_fractions(&spec["overhead"], &at.child("overhead"), out);
    if spec["securityContext"]["seccompProfile"].is_null() && annotations.get(SECCOMP_POD).is_some() {
        out.push(format!("{}: {SECCOMP}", metadata.key(SECCOMP_POD)));
    }
    for (container, path) in all_containers(spec, &at) {
        warn_container(container, spec, annotations, is_template, (&path, &metadata), out);
    }
    warn_ports(spec, &at, out);
    if spec["terminationGracePeriodSeconds"].int() < 0 {
        let at = at.child("terminationGracePeriodSeconds");
        out.push(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    warn_affinity(spec, &at.child("affinity"), out);
    for (i, server) in spec["dnsConfig"]["nameservers"].items().iter().enumerate() {
        ip::warn(server.str(), &at.child("dnsConfig").child("nameservers").index(i), out);
    }
    for (i, alias) in spec["hostAliases"].items().iter().enumerate() {
        ip::warn(alias["ip"].str(), &at.child("hostAliases").index(i).child("ip"), out);
    }
}

/// What replaced a node label, if something did.
pub fn old_node_label(key: &str) -> Option<&'static str> {
    OLD_NODE_LABELS.iter().find(|(old, _)| *old == key).map(|(_, text)| *text)
}

fn warn_node_labels(spec: &Value, at: &Path, out: &mut Vec<String>) {
    for (key, _) in spec["nodeSelector"].entries() {
        if let Some(text) = old_node_label(key) {
            out.push(format!("{}: {text}", at.child("nodeSelector").key(key)));
        }
    }
    let affinity = &spec["affinity"]["nodeAffinity"];
    let path = at.child("affinity").child("nodeAffinity");
    for (i, term) in affinity[REQUIRED]["nodeSelectorTerms"].items().iter().enumerate() {
        warn_node_term(term, false, &path.child(REQUIRED).child("nodeSelectorTerms").index(i), out);
    }
    for (i, preferred) in affinity[PREFERRED].items().iter().enumerate() {
        warn_node_term(&preferred["preference"], true, &path.child(PREFERRED).index(i).child("preference"), out);
    }
    for (i, constraint) in spec["topologySpreadConstraints"].items().iter().enumerate() {
        let path = at.child("topologySpreadConstraints").index(i);
        let key = constraint["topologyKey"].str();
        if let Some(text) = old_node_label(key) {
            out.push(format!("{}: {key} is {text}", path.child("topologyKey")));
        }
        if constraint["labelSelector"].is_null() {
            out.push(format!("{}: a null labelSelector results in matching no pod", path.child("labelSelector")));
        }
    }
}

/// A node selector's term. `with_values`: label values that cannot match are told, where they are not refused.
pub fn warn_node_term(term: &Value, with_values: bool, path: &Path, out: &mut Vec<String>) {
    for (i, expression) in term["matchExpressions"].items().iter().enumerate() {
        let path = path.child("matchExpressions").index(i);
        let key = expression["key"].str();
        if let Some(text) = old_node_label(key) {
            out.push(format!("{}: {key} is {text}", path.child("key")));
        }
        for (j, value) in expression["values"].items().iter().enumerate().filter(|_| with_values) {
            for message in meta::name::label_value(value.str()) {
                let at = path.child("values").index(j);
                out.push(format!("{at}: {} is invalid, {message}", value.str()));
            }
        }
    }
}

/// Amounts of a claim's storage with fractions of a byte.
pub fn warn_claim(spec: &Value, path: &Path, out: &mut Vec<String>) {
    for list in ["requests", "limits"] {
        let amount_text = &spec["resources"][list]["storage"];
        if !amount_text.is_null() && !amount(amount_text).is_integer() {
            let at = path.child("resources").child(list).key("storage");
            out.push(format!(
                "{at}: fractional byte value {} is invalid, must be an integer",
                quote(amount_text.str())
            ));
        }
    }
}

fn warn_duplicates(list: &Value, field: &'static str, path: &Path, out: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (i, item) in list.items().iter().enumerate() {
        let own = item[field].str();
        if !seen.insert(own) {
            out.push(format!("{}: duplicate {field} {}", path.index(i).child(field), quote(own)));
        }
    }
}

fn warn_fractions(list: &Value, path: &Path, out: &mut Vec<String>) {
    for resource in ["memory", "ephemeral-storage"] {
        warn_fraction(&list[resource], resource, || path.clone(), out);
    }
}

fn warn_fraction(value: &Value, resource: &str, list: impl FnOnce() -> Path, out: &mut Vec<String>) {
    if !value.is_null() && !amount(value).is_integer() {
        let (at, shown) = (list().key(resource), quote(value.str()));
        out.push(format!("{at}: fractional byte value {shown} is invalid, must be an integer"));
    }
}

fn warn_container(
    container: &Value,
    spec: &Value,
    annotations: &Value,
    is_template: bool,
    (path, metadata): (&Path, &Path),
    out: &mut Vec<String>,
) {
    let (own, context) = (container["name"].str(), &container["securityContext"]);
    let annotation = |prefix: &str| annotations.entries().find(|(key, _)| key.strip_prefix(prefix) == Some(own));
    if let Some((key, _)) = annotation(SECCOMP_CONTAINER).filter(|_| context["seccompProfile"].is_null()) {
        out.push(format!("{}: {SECCOMP}", metadata.key(key)));
    }
    // pods are told while their annotations are copied into fields
    let is_told = is_template && context["appArmorProfile"].is_null();
    if let Some((key, annotation)) = annotation(APP_ARMOR).filter(|_| is_told) {
        let of_pod = &spec["securityContext"]["appArmorProfile"];
        if of_pod.is_null() || app_armor_profile(annotation.str()).as_ref() != Some(of_pod) {
            out.push(format!(
                "{}: deprecated since v1.30; use the \"appArmorProfile\" field instead",
                metadata.key(key)
            ));
        }
    }
    let (resources, at) = (&container["resources"], path.child("resources"));
    for resource in ["memory", "ephemeral-storage"] {
        for list in ["limits", "requests"] {
            warn_fraction(&resources[list][resource], resource, || at.child(list), out);
        }
    }
    let mut names = BTreeSet::new();
    for (i, var) in container["env"].items().iter().enumerate() {
        let own = var["name"].str();
        if names.insert(own) {
            continue;
        }
        let reference = format!("$({own})");
        let (value, has_source) = (var["value"].str(), !var["valueFrom"].is_null());
        if has_source || value == reference || !value.contains(&reference) {
            let at = path.child("env").index(i);
            let shown = quote(own);
            out.push(format!("{at}: hides previous definition of {shown}, which may be dropped when using apply"));
        }
    }
}

fn warn_ports(spec: &Value, at: &Path, out: &mut Vec<String>) {
    let mut places: BTreeMap<(i64, &str), Vec<(Path, &Value)>> = BTreeMap::new();
    let mut names: BTreeMap<&str, Path> = BTreeMap::new();
    let mut about_names = Vec::new();
    for (container, path) in all_containers(spec, at) {
        for (i, port) in container["ports"].items().iter().enumerate() {
            let here = path.child("ports").index(i);
            let (ip, host) = (port["hostIP"].str(), port["hostPort"].int());
            if !ip.is_empty() && host == 0 {
                out.push(format!("{here}: hostIP set without hostPort: {}", go_port(port)));
            }
            let key = (port["containerPort"].int(), port["protocol"].str());
            let others = places.entry(key).or_default();
            for (there, other) in others.iter() {
                let (other_ip, other_host) = (other["hostIP"].str(), other["hostPort"].int());
                let what = if ip == other_ip && host == other_host {
                    "duplicate"
                } else if host == 0 || other_host == 0 {
                    "overlapping"
                } else if host == other_host && (ip.is_empty() != other_ip.is_empty()) {
                    "dangerously ambiguous"
                } else {
                    continue;
                };
                out.push(format!("{here}: {what} port definition with {there}"));
            }
            others.push((here.clone(), port));
            let own = port["name"].str();
            match names.get(own) {
                _ if own.is_empty() => {}
                Some(first) => about_names.push(format!(
                    "{here}: duplicate port name {} with {first}, services and probes that select ports by name will use {first}",
                    quote(own)
                )),
                None => drop(names.insert(own, here)),
            }
        }
    }
    out.append(&mut about_names);
}

/// As Go's `%+v` prints a ContainerPort.
fn go_port(port: &Value) -> String {
    format!(
        "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
        port["name"].str(),
        port["hostPort"].int(),
        port["containerPort"].int(),
        port["protocol"].str(),
        port["hostIP"].str()
    )
}

fn warn_affinity(spec: &Value, path: &Path, out: &mut Vec<String>) {
    const TEXT: &str = "a null labelSelector results in matching no pod";
    for field in ["podAffinity", "podAntiAffinity"] {
        let (affinity, path) = (&spec["affinity"][field], path.child(field));
        for (i, term) in affinity[REQUIRED].items().iter().enumerate() {
            if term["labelSelector"].is_null() {
                out.push(format!("{}: {TEXT}", path.child(REQUIRED).index(i).child("labelSelector")));
            }
        }
        for (i, weighted) in affinity[PREFERRED].items().iter().enumerate() {
            if weighted["podAffinityTerm"]["labelSelector"].is_null() {
                let at = path.child(PREFERRED).index(i).child("podAffinityTerm").child("labelSelector");
                out.push(format!("{at}: {TEXT}"));
            }
        }
    }
}
