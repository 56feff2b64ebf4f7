//! What the server changes in a pod before it is judged (upstream: pkg/registry/core/pod/strategy.go, pkg/api/pod).

use super::annotations::{APP_ARMOR, app_armor_profile};
use super::{affinity, qos, windows};
use meta::time::Timestamp;
use meta::{Value, value};

const CONTAINER_LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

/// A new pod: pending, with its class, and its own labels merged into its selectors.
pub fn prepare_create(pod: &mut Value, now: Timestamp) {
    let class = qos::class(&pod["spec"]);
    pod.set("status", value!({"phase": "Pending", "qosClass": class}));
    let spec = pod.entry("spec");
    drop_disabled(spec, None);
    if !spec["schedulingGates"].items().is_empty() {
        let condition = value!({
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": null, "lastTransitionTime": (now.to_rfc3339())
        });
        pod.entry("status").set("conditions", Value::Array(vec![condition]));
    }
    let labels = pod["metadata"]["labels"].clone();
    let spec = pod.entry("spec");
    affinity::for_each_term_mut(spec, |term| merge_label_keys(term, &labels));
    if let Some(constraints) = spec.get_mut("topologySpreadConstraints") {
        constraints.items_mut().iter_mut().for_each(|constraint| merge_label_keys(constraint, &labels));
    }
    let annotations = pod["metadata"]["annotations"].clone();
    copy_app_armor(pod.entry("spec"), &annotations);
}

/// matchLabelKeys stand for the pod's own values of these labels.
fn merge_label_keys(term: &mut Value, labels: &Value) {
    if term["labelSelector"].is_null() {
        return;
    }
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in term[field].items().to_vec() {
            if let Some(label) = labels.get(key.str()) {
                let requirement = value!({"key": (&key), "operator": operator, "values": [label]});
                term.entry("labelSelector").entry("matchExpressions").array_mut().push(requirement);
            }
        }
    }
}

/// The container's annotation becomes its profile, unless it has one or the pod's is the same.
fn copy_app_armor(spec: &mut Value, annotations: &Value) {
    if windows::is_windows(spec) {
        return;
    }
    let of_pod = spec["securityContext"]["appArmorProfile"].clone();
    for list in CONTAINER_LISTS {
        for container in spec.get_mut(list).map_or(&mut [][..], Value::items_mut) {
            let annotation = &annotations[format!("{APP_ARMOR}{}", container["name"].str()).as_str()];
            let has_profile = !container["securityContext"]["appArmorProfile"].is_null();
            if let Some(profile) = annotation.as_str().filter(|_| !has_profile).and_then(app_armor_profile)
                && profile != of_pod
            {
                container.entry("securityContext").set("appArmorProfile", profile);
            }
        }
    }
}

/// Warnings for AppArmor annotations of a new pod: upstream gives them while it copies.
pub fn warn_app_armor(pod: &Value, warnings: &mut Vec<String>) {
    let spec = &pod["spec"];
    if windows::is_windows(spec) {
        return;
    }
    let of_pod = &spec["securityContext"]["appArmorProfile"];
    for container in CONTAINER_LISTS.iter().flat_map(|list| spec[*list].items()) {
        let key = format!("{APP_ARMOR}{}", container["name"].str());
        let Some(annotation) = pod["metadata"]["annotations"].get(&key) else { continue };
        let own = &container["securityContext"]["appArmorProfile"];
        let profile = app_armor_profile(annotation.str());
        // the copy has happened by now: a profile that the annotation means was copied from it
        let copied = profile.as_ref() == Some(own) && own != of_pod;
        if copied || (own.is_null() && profile.is_none()) {
            warnings.push(format!(
                "metadata.annotations[{key}]: deprecated since v1.30; use the \"appArmorProfile\" field instead"
            ));
        }
    }
}

/// Fields of features that are off by default go, unless the stored object has them.
pub fn drop_disabled(spec: &mut Value, old: Option<&Value>) {
    let old = old.unwrap_or(&Value::Null);
    if old["schedulingGroup"].is_null() {
        spec.remove("schedulingGroup");
    }
    for kind in ["clusterTrustBundle", "podCertificate"] {
        let has = |spec: &Value| {
            spec["volumes"].items().iter().flat_map(|v| v["projected"]["sources"].items()).any(|s| !s[kind].is_null())
        };
        if has(old) || !has(spec) {
            continue;
        }
        for volume in spec.get_mut("volumes").map_or(&mut [][..], Value::items_mut) {
            let sources = volume.get_mut("projected").and_then(|p| p.get_mut("sources"));
            for source in sources.map_or(&mut [][..], Value::items_mut) {
                source.remove(kind);
            }
        }
    }
    let has_signal = |spec: &Value| {
        CONTAINER_LISTS.iter().flat_map(|list| spec[*list].items()).any(|c| !c["lifecycle"]["stopSignal"].is_null())
    };
    if has_signal(spec) && !has_signal(old) {
        for list in CONTAINER_LISTS {
            for container in spec.get_mut(list).map_or(&mut [][..], Value::items_mut) {
                drop_stop_signal(container);
            }
        }
    }
}

fn drop_stop_signal(container: &mut Value) {
    let Some(lifecycle) = container.get_mut("lifecycle") else { return };
    if lifecycle.remove("stopSignal").is_some() && lifecycle.is_empty() {
        container.remove("lifecycle");
    }
}
