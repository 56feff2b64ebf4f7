//! Defaults of pods and of every pod template (upstream: pkg/apis/core/v1/defaults.go), and what conversion to
//! upstream's internal form changes on the way.

use super::image::tag_is_latest;
use super::resources::{aggregate, allows_overcommit, is_hugepages};
use meta::quantity::Quantity;
use meta::{Value, value};

const CONTAINER_LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];
/// Permission bits of files in volumes: 0644.
const FILE_MODE: i64 = 420;
const TOKEN_SECONDS: i64 = 3600;

/// Defaults of volume sources: source, field, value.
fn source_defaults() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("secret", "defaultMode", Value::Int(FILE_MODE)),
        ("configMap", "defaultMode", Value::Int(FILE_MODE)),
        ("downwardAPI", "defaultMode", Value::Int(FILE_MODE)),
        ("projected", "defaultMode", Value::Int(FILE_MODE)),
        ("hostPath", "type", "".into()),
        ("iscsi", "iscsiInterface", "default".into()),
        ("rbd", "pool", "rbd".into()),
        ("rbd", "user", "admin".into()),
        ("rbd", "keyring", "/etc/ceph/keyring".into()),
        ("azureDisk", "cachingMode", "ReadWrite".into()),
        ("azureDisk", "kind", "Shared".into()),
        ("azureDisk", "fsType", "ext4".into()),
        ("azureDisk", "readOnly", false.into()),
        ("scaleIO", "storageMode", "ThinProvisioned".into()),
        ("scaleIO", "fsType", "xfs".into()),
    ]
}

/// A whole pod.
pub fn set_pod(pod: &mut Value) {
    let spec = pod.entry("spec");
    for list in ["containers", "initContainers"] {
        for container in list_mut(spec, list) {
            default_requests(container);
        }
    }
    default_pod_resources(spec);
    spec.set_default("enableServiceLinks", true);
    if spec["hostNetwork"].bool() {
        for port in ["containers", "initContainers"].map(|l| list_ports(spec, l)).concat() {
            let (list, i, j) = port;
            default_host_port(spec, list, i, j);
        }
    }
    if spec["terminationGracePeriodSeconds"].int() < 0 {
        spec.set("terminationGracePeriodSeconds", 1);
    }
    set_spec(spec);
    if let Some(status) = pod.get_mut("status") {
        mirror_ips(status);
    }
}

fn list_ports(spec: &Value, list: &'static str) -> Vec<(&'static str, usize, usize)> {
    let containers = spec[list].items().iter().enumerate();
    containers.flat_map(|(i, c)| (0..c["ports"].items().len()).map(move |j| (list, i, j))).collect()
}

fn default_host_port(spec: &mut Value, list: &str, i: usize, j: usize) {
    let Some(container) = list_mut(spec, list).get_mut(i) else { return };
    if let Some(port) = list_mut(container, "ports").get_mut(j)
        && port["hostPort"].int() == 0
    {
        let own = port["containerPort"].int();
        if own != 0 {
            port.set("hostPort", own);
        }
    }
}

fn list_mut<'a>(object: &'a mut Value, key: &str) -> &'a mut [Value] {
    object.get_mut(key).map_or(&mut [], Value::items_mut)
}

/// A pod's containers request what they are limited to.
fn default_requests(container: &mut Value) {
    let limits = container["resources"]["limits"].clone();
    if limits.is_null() {
        return;
    }
    let requests = container.entry("resources").entry("requests");
    if requests.is_null() {
        *requests = Value::object();
    }
    for (resource, limit) in limits.entries() {
        requests.set_default(resource, limit);
    }
}

/// Requests and limits of the pod as a whole, when it has some, follow from its containers'.
fn default_pod_resources(spec: &mut Value) {
    let resources = &spec["resources"];
    if resources["limits"].entries().len() + resources["requests"].entries().len() == 0 {
        return;
    }
    for (resource, sum) in aggregate(spec, "limits") {
        let own = &spec["resources"];
        if is_hugepages(&resource) && own["requests"].get(&resource).is_none() {
            let sum = sum.to_string();
            spec.entry("resources").entry("limits").set_default(&resource, sum);
        }
    }
    if spec["resources"]["limits"].entries().len() == 0 {
        return;
    }
    let requests = aggregate(spec, "requests");
    let limits = spec["resources"]["limits"].clone();
    let own = spec.entry("resources").entry("requests");
    for (resource, sum) in
        requests.iter().filter(|(r, _)| matches!(r.as_str(), "cpu" | "memory") && allows_overcommit(r))
    {
        own.set_default(resource, sum.to_string());
    }
    for (resource, limit) in limits.entries() {
        if matches!(resource, "cpu" | "memory") || is_hugepages(resource) {
            own.set_default(resource, limit);
        }
    }
    if own.is_empty() {
        spec.entry("resources").remove("requests");
    }
}

/// A pod spec, in a pod or in a template.
pub fn set_spec(spec: &mut Value) {
    mirror_service_account(spec);
    for (field, text) in
        [("dnsPolicy", "ClusterFirst"), ("restartPolicy", "Always"), ("schedulerName", "default-scheduler")]
    {
        default_text(spec, field, text);
    }
    spec.set_default("securityContext", Value::object());
    spec.set_default("terminationGracePeriodSeconds", 30);
    for volume in list_mut(spec, "volumes") {
        set_volume(volume);
    }
    for list in CONTAINER_LISTS {
        for container in list_mut(spec, list) {
            set_container(container);
        }
    }
    if let Some(overhead) = spec.get_mut("overhead") {
        round_quantities(overhead);
    }
    if let Some(resources) = spec.get_mut("resources") {
        round_requirements(resources);
    }
}

/// The old and the new name of the service account are one field; the new one wins.
fn mirror_service_account(spec: &mut Value) {
    let new = spec["serviceAccountName"].str();
    let own = if new.is_empty() { spec["serviceAccount"].str() } else { new };
    let own = meta::Str::from(own);
    for field in ["serviceAccount", "serviceAccountName"] {
        if own.is_empty() {
            spec.remove(field);
        } else {
            spec.set(field, &own);
        }
    }
}

/// podIP is the first of podIPs; when they differ podIP wins.
fn mirror_ips(status: &mut Value) {
    let first = meta::Str::from(status["podIPs"][0]["ip"].str());
    let own = meta::Str::from(status["podIP"].str());
    if own.is_empty() && !first.is_empty() {
        status.set("podIP", first);
    } else if !own.is_empty() && own != first {
        status.set("podIPs", value!([{"ip": own}]));
    }
}

/// Sets a text that is missing or "".
pub fn default_text(object: &mut Value, field: &str, text: &str) {
    if object[field].str().is_empty() {
        object.set(field, text);
    }
}

fn default_number(object: &mut Value, field: &str, number: i64) {
    if object[field].int() == 0 {
        object.set(field, number);
    }
}

fn set_volume(volume: &mut Value) {
    if volume.entries().all(|(key, source)| key == "name" || source.is_null()) {
        volume.set("emptyDir", Value::object());
    }
    for (source, field, default) in source_defaults() {
        if let Some(own) = volume.get_mut(source).filter(|s| !s.is_null()) {
            match default.as_str() {
                // pointers may be "" and stay so, plain texts may not
                Some(text) if source != "hostPath" && source != "azureDisk" => default_text(own, field, text),
                _ => drop(own.set_default(field, default)),
            }
        }
    }
    if let Some(image) = volume.get_mut("image").filter(|s| !s.is_null()) {
        set_pull_policy(image, "reference", "pullPolicy");
    }
    if let Some(source) = volume.get_mut("downwardAPI") {
        set_downward_files(source);
    }
    if let Some(projected) = volume.get_mut("projected") {
        for source in list_mut(projected, "sources") {
            if let Some(files) = source.get_mut("downwardAPI") {
                set_downward_files(files);
            }
            if let Some(token) = source.get_mut("serviceAccountToken").filter(|t| !t.is_null()) {
                token.set_default("expirationSeconds", TOKEN_SECONDS);
            }
        }
    }
    if let Some(template) = volume.get_mut("ephemeral").and_then(|e| e.get_mut("volumeClaimTemplate"))
        && !template.is_null()
    {
        set_claim_spec(template.entry("spec"));
    }
}

/// The spec of a claim, in a template.
pub fn set_claim_spec(spec: &mut Value) {
    spec.set_default("volumeMode", "Filesystem");
    if let Some(resources) = spec.get_mut("resources") {
        round_requirements(resources);
    }
}

fn set_downward_files(source: &mut Value) {
    for file in list_mut(source, "items") {
        if let Some(field) = file.get_mut("fieldRef").filter(|f| !f.is_null()) {
            default_text(field, "apiVersion", "v1");
        }
    }
}

/// An image is pulled again each time only when its tag is "latest".
fn set_pull_policy(object: &mut Value, image: &str, policy: &str) {
    if object[policy].str().is_empty() {
        let chosen = if tag_is_latest(object[image].str()) { "Always" } else { "IfNotPresent" };
        object.set(policy, chosen);
    }
}

fn set_container(container: &mut Value) {
    set_pull_policy(container, "image", "imagePullPolicy");
    default_text(container, "terminationMessagePath", "/dev/termination-log");
    default_text(container, "terminationMessagePolicy", "File");
    for port in list_mut(container, "ports") {
        default_text(port, "protocol", "TCP");
    }
    for var in list_mut(container, "env") {
        let Some(from) = var.get_mut("valueFrom") else { continue };
        if let Some(field) = from.get_mut("fieldRef").filter(|f| !f.is_null()) {
            default_text(field, "apiVersion", "v1");
        }
        if let Some(file) = from.get_mut("fileKeyRef").filter(|f| !f.is_null()) {
            file.set_default("optional", false);
        }
    }
    if let Some(resources) = container.get_mut("resources") {
        round_requirements(resources);
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(field).filter(|p| !p.is_null()) {
            set_probe(probe);
        }
    }
    for field in ["postStart", "preStop"] {
        if let Some(handler) = container.get_mut("lifecycle").and_then(|l| l.get_mut(field)) {
            set_http_get(handler);
        }
    }
}

fn set_probe(probe: &mut Value) {
    for (field, number) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        default_number(probe, field, number);
    }
    set_http_get(probe);
    if let Some(grpc) = probe.get_mut("grpc").filter(|g| !g.is_null()) {
        grpc.set_default("service", "");
    }
}

fn set_http_get(handler: &mut Value) {
    if let Some(action) = handler.get_mut("httpGet").filter(|a| !a.is_null()) {
        default_text(action, "path", "/");
        default_text(action, "scheme", "HTTP");
    }
}

fn round_requirements(resources: &mut Value) {
    for list in ["limits", "requests"] {
        if let Some(list) = resources.get_mut(list) {
            round_quantities(list);
        }
    }
}

/// Amounts finer than a thousandth are rounded up.
pub fn round_quantities(list: &mut Value) {
    for (_, amount) in list.entries_mut() {
        let Ok(mut quantity) = Quantity::parse(amount.str()) else { continue };
        let exact = quantity.round_up_to(-3);
        if !exact {
            *amount = Value::from(quantity.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn amounts_are_rounded_up_to_a_thousandth() {
        let mut list = value!({"cpu": "100u", "memory": "1Gi", "half": "1500m", "more": "1000100u"});
        round_quantities(&mut list);
        assert_eq!(list, value!({"cpu": "1m", "memory": "1Gi", "half": "1500m", "more": "1001m"}));
    }
}
