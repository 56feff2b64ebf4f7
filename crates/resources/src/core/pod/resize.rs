//! The resize and ephemeralcontainers subresources: each changes one part of a pod.

use super::annotations::MIRROR;
use super::containers::is_sidecar;
use super::options::Options;
use super::{internal, prepare, qos, update, windows};
use crate::rules::diff;
use meta::Value;
use meta::field::{ErrorList, Path, quote};
use resource::rules::semantically_equal;
use resource::{Context, Hooks};

/// What upstream's ResetObjectMetaForStatus keeps of the stored metadata.
const METADATA_KEPT: &[&str] =
    &["deletionTimestamp", "selfLink", "labels", "annotations", "finalizers", "ownerReferences"];

fn keep_metadata(pod: &mut Value, old: &Value) {
    let metadata = pod.entry("metadata");
    for field in METADATA_KEPT {
        match old["metadata"].get(field) {
            Some(value) => metadata.set(field, value),
            None => drop(metadata.remove(field)),
        }
    }
}

fn put(object: &mut Value, field: &str, value: Value) {
    if value.is_null() {
        object.remove(field);
    } else {
        object.set(field, value);
    }
}

/// spec.ephemeralContainers only.
pub struct EphemeralContainers;

impl Hooks for EphemeralContainers {
    fn default(&self, pod: &mut Value) {
        super::defaults::set_pod(pod);
    }

    fn prepare_update(&self, _ctx: &Context, pod: &mut Value, old: &Value) {
        let own = pod["spec"]["ephemeralContainers"].clone();
        pod.set("spec", &old["spec"]);
        put(pod.entry("spec"), "ephemeralContainers", own);
        put(pod, "status", old["status"].clone());
        keep_metadata(pod, old);
        prepare::drop_disabled(pod.entry("spec"), Some(&old["spec"]));
    }

    fn validate_update(&self, _ctx: &Context, pod: &Value, old: &Value, errs: &mut ErrorList) {
        if old["metadata"]["annotations"].get(MIRROR).is_some() {
            errs.retain(|_| false);
            errs.forbidden(&Path::new(""), "static pods do not support ephemeral containers");
            return;
        }
        let options = Options::pod().with_old(old);
        super::validate_pod(pod, options, errs);
        update::validate_annotations(pod, old, options, errs);
        let path = Path::new("spec").child("ephemeralContainers");
        let containers = pod["spec"]["ephemeralContainers"].items();
        for stored in old["spec"]["ephemeralContainers"].items() {
            let own = quote(stored["name"].str());
            match containers.iter().rfind(|c| c["name"] == stored["name"]) {
                None => errs.forbidden(&path, &format!("existing ephemeral containers {own} may not be removed\n")),
                Some(new) if !semantically_equal(new, stored) => {
                    let text = |c: &Value| internal::text("EphemeralContainer", c);
                    let shown = diff::unified(&text(stored), &text(new));
                    errs.forbidden(&path, &format!("existing ephemeral containers {own} may not be changed\n{shown}"));
                }
                Some(_) => {}
            }
        }
    }
}

/// CPU and memory of containers, and of the pod as a whole.
pub struct Resize;

impl Hooks for Resize {
    fn default(&self, pod: &mut Value) {
        super::defaults::set_pod(pod);
    }

    fn prepare_update(&self, _ctx: &Context, pod: &mut Value, old: &Value) {
        let same_count = |list: &str| pod["spec"][list].items().len() == old["spec"][list].items().len();
        // another number of containers is left for validation to refuse
        if same_count("containers") && same_count("initContainers") {
            let spec = merge_resources(&pod["spec"], &old["spec"]);
            pod.set("spec", spec);
            put(pod, "status", old["status"].clone());
            keep_metadata(pod, old);
        }
        prepare::drop_disabled(pod.entry("spec"), Some(&old["spec"]));
    }

    fn validate_update(&self, _ctx: &Context, pod: &Value, old: &Value, errs: &mut ErrorList) {
        validate(pod, old, errs);
    }
}

/// The stored spec with the new resources and resize policies; lists with renamed containers are taken whole.
fn merge_resources(new: &Value, old: &Value) -> Value {
    let mut spec = old.clone();
    for list in ["containers", "initContainers"] {
        let (own, stored) = (new[list].items(), old[list].items());
        if own.iter().zip(stored).any(|(a, b)| a["name"] != b["name"]) {
            put(&mut spec, list, new[list].clone());
            continue;
        }
        let containers = spec.get_mut(list).map_or(&mut [][..], Value::items_mut);
        for (container, own) in containers.iter_mut().zip(own) {
            for field in ["resources", "resizePolicy"] {
                put(container, field, own[field].clone());
            }
        }
    }
    put(&mut spec, "resources", new["resources"].clone());
    spec
}

fn validate(pod: &Value, old: &Value, errs: &mut ErrorList) {
    super::validate_pod(pod, Options::pod().with_old(old), errs);
    let (spec, stored) = (&pod["spec"], &old["spec"]);
    let refused = if old["metadata"]["annotations"].get(MIRROR).is_some() {
        "static pods cannot be resized"
    } else if windows::is_windows(stored) {
        "windows pods cannot be resized"
    } else {
        ""
    };
    if !refused.is_empty() {
        errs.retain(|_| false);
        errs.forbidden(&Path::new(""), refused);
        return;
    }
    let path = Path::new("spec");
    let class = match old["status"]["qosClass"].str() {
        "" => qos::class(stored),
        own => own,
    };
    if class != qos::class(spec) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        errs.invalid(&path, pod["status"]["qosClass"].str(), detail);
    }
    if !is_supported(old) {
        errs.forbidden(&path, "Pod running on node without support for resize");
    }
    let before = errs.len();
    validate_order(spec, stored, &path, errs);
    if errs.len() > before {
        return;
    }
    for (list, i, (new, old)) in pairs(spec, stored) {
        if list == "initContainers" && !is_sidecar(old) {
            continue;
        }
        let path = path.child(list).index(i).child("resources");
        validate_kept(&new["resources"], &old["resources"], &path, errs);
    }
    validate_kept(&spec["resources"], &stored["resources"], &path.child("resources"), errs);
    let mut munged = spec.clone();
    for (list, i, (_, old)) in pairs(spec, stored) {
        let containers = munged.get_mut(list).map_or(&mut [][..], Value::items_mut);
        let Some(container) = containers.get_mut(i) else { continue };
        if list == "containers" || is_sidecar(old) {
            drop_resized(container, &old["resources"]);
        }
        if !semantically_equal(container, old) {
            errs.forbidden(&path, refusal(list, old));
        }
    }
    if errs.is_empty() {
        drop_resized(&mut munged, &stored["resources"]);
        if !semantically_equal(&munged, stored) {
            errs.forbidden(&path, "only cpu and memory resources are mutable");
        }
    }
}

fn refusal(list: &str, container: &Value) -> &'static str {
    match list {
        "containers" => "only cpu and memory resources are mutable",
        _ if is_sidecar(container) => "only cpu and memory resources for sidecar containers are mutable",
        _ => "resources for non-sidecar init containers are immutable",
    }
}

/// Containers with their stored forms.
fn pairs<'a>(
    spec: &'a Value,
    stored: &'a Value,
) -> impl Iterator<Item = (&'static str, usize, (&'a Value, &'a Value))> {
    ["containers", "initContainers"].into_iter().flat_map(move |list| {
        let both = spec[list].items().iter().zip(stored[list].items());
        both.enumerate().map(move |(i, pair)| (list, i, pair))
    })
}

/// A kubelet that knows resizing reports resources of running containers.
fn is_supported(old: &Value) -> bool {
    let mut running = old["status"]["containerStatuses"].items().iter().filter(|s| !s["state"]["running"].is_null());
    running.next().is_none_or(|status| !status["resources"].is_null())
}

fn validate_order(spec: &Value, stored: &Value, path: &Path, errs: &mut ErrorList) {
    for list in ["containers", "initContainers"] {
        let path = path.child(list);
        if spec[list].items().len() != stored[list].items().len() {
            errs.forbidden(&path, &format!("{list} may not be added or removed on resize"));
            continue;
        }
        for (i, (new, old)) in spec[list].items().iter().zip(stored[list].items()).enumerate() {
            if new["name"] != old["name"] {
                let detail = format!("{list} may not be renamed or reordered on resize");
                errs.forbidden(&path.index(i).child("name"), &detail);
            }
        }
    }
}

/// What is asked for stays asked for.
fn validate_kept(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    for (list, detail) in
        [("requests", "resource requests cannot be removed"), ("limits", "resource limits cannot be removed")]
    {
        if old[list].entries().any(|(resource, _)| new[list].get(resource).is_none()) {
            errs.forbidden(&path.child(list), detail);
        }
    }
}

/// Puts back CPU and memory, so that what still differs may not.
fn drop_resized(container: &mut Value, old: &Value) {
    for list in ["limits", "requests"] {
        let mut own = container["resources"][list].clone();
        for resource in ["cpu", "memory"] {
            own.remove(resource);
            if let Some(stored) = old[list].get(resource) {
                own.set(resource, stored);
            }
        }
        let own = if own.is_empty() { Value::Null } else { own };
        if !(container["resources"].is_null() && own.is_null()) {
            put(container.entry("resources"), list, own);
        }
    }
}
