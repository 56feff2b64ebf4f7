//! Binding: the scheduler's decision on which node a pod runs (upstream: registry/core/pod/storage, BindingREST).

use meta::field::{ErrorList, Path};
use meta::{Gvk, Reason, Result, Status, Str, Value, value};
use resource::{Acted, Action, Context};

/// `pods/x/binding` when `is_legacy` is false, else `bindings`, where the body names the pod.
pub struct Binding {
    pub is_legacy: bool,
}

impl Action for Binding {
    fn target(&self) -> (&'static str, &'static str) {
        ("", "pods")
    }

    fn kind(&self) -> Gvk {
        Gvk::new("", "v1", "Binding")
    }

    fn object_name(&self, name: &str, body: &Value) -> Result<Str> {
        let own = body["metadata"]["name"].str();
        if !self.is_legacy && own != name {
            return Err(Status::bad_request("name in URL does not match name in Binding object"));
        }
        validate(body)?;
        Ok(own.into())
    }

    fn act(&self, ctx: &Context, pod: &Value, body: &Value) -> Result<Acted> {
        check_preconditions(pod, body)?;
        check_bindable(pod)?;
        let mut pod = pod.clone();
        pod.entry("spec").set("nodeName", &body["target"]["name"]);
        for map in ["annotations", "labels"] {
            for (key, value) in body["metadata"][map].entries() {
                pod.entry("metadata").entry(map).set(key, value);
            }
        }
        let status = pod.entry("status");
        status.remove("nominatedNodeName");
        set_condition(status, value!({"type": "PodScheduled", "status": "True"}), &ctx.now.to_rfc3339());
        Ok(Acted::Update(pod))
    }
}

/// An untyped error: upstream returns the aggregate as it is.
fn validate(body: &Value) -> Result<()> {
    let mut errs = ErrorList::new();
    let target = Path::new("target");
    let kind = body["target"]["kind"].str();
    if !matches!(kind, "" | "Node") {
        errs.not_supported_in_order(&target.child("kind"), kind, &["Node", "<empty>"]);
    }
    if body["target"]["name"].str().is_empty() {
        errs.required(&target.child("name"), "");
    }
    if errs.is_empty() { Ok(()) } else { Err(Status::failure(500, Reason::Unknown, errs.message())) }
}

fn check_preconditions(pod: &Value, body: &Value) -> Result<()> {
    let metadata = &pod["metadata"];
    let name = metadata["name"].str();
    for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let (wanted, stored) = (body["metadata"][field].str(), metadata[field].str());
        if !wanted.is_empty() && wanted != stored {
            let key = format!("/registry/pods/{}/{name}", metadata["namespace"].str());
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {stored}"
            );
            return Err(Status::conflict("", "pods", name, &why));
        }
    }
    Ok(())
}

fn check_bindable(pod: &Value) -> Result<()> {
    let name = pod["metadata"]["name"].str();
    let node = pod["spec"]["nodeName"].str();
    let conflict = |why: String| Err(Status::conflict("", "pods/binding", name, &why));
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    if !node.is_empty() {
        return conflict(format!("pod {name} is already assigned to node {}", meta::field::quote(node)));
    }
    if !pod["spec"]["schedulingGates"].items().is_empty() {
        return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    Ok(())
}

/// Replaces the condition of the same type or adds it; the time of transition moves when its status does.
pub fn set_condition(status: &mut Value, mut condition: Value, now: &str) {
    let conditions = status.entry("conditions").array_mut();
    let old = conditions.iter().position(|c| c["type"] == condition["type"]);
    let same = old.and_then(|at| conditions.get(at)).filter(|c| c["status"] == condition["status"]);
    let transition = same.map_or_else(|| Value::from(now), |c| c["lastTransitionTime"].clone());
    condition.set("lastProbeTime", Value::Null);
    condition.set("lastTransitionTime", transition);
    match old.and_then(|at| conditions.get_mut(at)) {
        Some(slot) => *slot = condition,
        None => conditions.push(condition),
    }
}
