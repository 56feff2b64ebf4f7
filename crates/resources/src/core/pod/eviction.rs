//! Eviction: a delete that respects disruption budgets (upstream: registry/core/pod/storage/eviction.go).

use super::binding::set_condition;
use meta::selector::LabelSelector;
use meta::{Gvk, Reason, Result, Status, Str, Value, value};
use resource::rules::DeleteOptions;
use resource::{Acted, Action, Context, Recorded, SideWrite};

const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// Evictions of one budget that its controller has not confirmed yet.
const DISRUPTED_PODS_MAX: usize = 2000;
const RETRY_SECONDS: i64 = 10;

pub struct Eviction;

impl Action for Eviction {
    fn target(&self) -> (&'static str, &'static str) {
        ("", "pods")
    }

    fn kind(&self) -> Gvk {
        Gvk::new("policy", "v1", "Eviction")
    }

    fn other_versions(&self) -> &'static [&'static str] {
        &["v1beta1"]
    }

    fn object_name(&self, name: &str, body: &Value) -> Result<Str> {
        if body["metadata"]["name"].str() != name {
            return Err(Status::bad_request("name in URL does not match name in Eviction object"));
        }
        Ok(name.into())
    }

    fn act(&self, ctx: &Context, pod: &Value, body: &Value) -> Result<Acted> {
        let options = options(&body["deleteOptions"]);
        let mut first = Vec::new();
        if !ignores_budgets(pod)
            && let Some(budget) = charged_budget(ctx, pod)?
        {
            let name = budget["metadata"]["name"].str().into();
            first.push(SideWrite::Update {
                group: "policy".into(),
                resource: "poddisruptionbudgets".into(),
                namespace: ctx.namespace.into(),
                name,
                object: budget,
                recorded: Recorded::Subresource("status"),
            });
        }
        if body["deleteOptions"]["dryRun"].items().iter().any(|v| v.str() == "All") {
            return Ok(Acted::Nothing);
        }
        first.push(marked(ctx, pod));
        Ok(Acted::Delete { first, options })
    }
}

fn options(body: &Value) -> DeleteOptions {
    let text = |v: &Value| v.as_str().map(Str::from);
    DeleteOptions {
        grace_period_seconds: body["gracePeriodSeconds"].as_int(),
        uid: text(&body["preconditions"]["uid"]),
        resource_version: text(&body["preconditions"]["resourceVersion"]),
        orphan_dependents: body["orphanDependents"].as_bool(),
        propagation_policy: text(&body["propagationPolicy"]),
    }
}

/// The pod says why it goes.
fn marked(ctx: &Context, pod: &Value) -> SideWrite {
    let mut object = pod.clone();
    let condition = value!({
        "type": "DisruptionTarget", "status": "True",
        "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"
    });
    set_condition(object.entry("status"), condition, &ctx.now.to_rfc3339());
    let name = pod["metadata"]["name"].str().into();
    let (group, resource, namespace) = ("".into(), "pods".into(), ctx.namespace.into());
    SideWrite::Update { group, resource, namespace, name, object, recorded: Recorded::Nothing }
}

/// Pods that run no more, not yet, or are going already.
fn ignores_budgets(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].str(), "Succeeded" | "Failed" | "Pending")
        || !pod["metadata"]["deletionTimestamp"].is_null()
}

/// The budget with one disruption less, when the pod has one that counts it.
fn charged_budget(ctx: &Context, pod: &Value) -> Result<Option<Value>> {
    let mut budgets = ctx.reader.list("policy", "poddisruptionbudgets", ctx.namespace);
    budgets.retain(|budget| {
        let selector = LabelSelector::from_value(&budget["spec"]["selector"]);
        selector.is_ok_and(|s| s.matches_value(&pod["metadata"]["labels"]))
    });
    if budgets.len() > 1 {
        let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(Status::failure(500, Reason::Unknown, why));
    }
    let Some(budget) = budgets.pop() else { return Ok(None) };
    if !is_ready(pod) && lets_unready_go(&budget) {
        return Ok(None);
    }
    charge(ctx, pod, budget).map(Some)
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"].items().iter().any(|c| c["type"].str() == "Ready" && c["status"].str() == "True")
}

fn lets_unready_go(budget: &Value) -> bool {
    let status = &budget["status"];
    let (current, desired) = (status["currentHealthy"].int(), status["desiredHealthy"].int());
    budget["spec"]["unhealthyPodEvictionPolicy"].str() == "AlwaysAllow" || (current >= desired && desired > 0)
}

fn charge(ctx: &Context, pod: &Value, mut budget: Value) -> Result<Value> {
    let name = budget["metadata"]["name"].str().to_owned();
    let status = &budget["status"];
    if status["observedGeneration"].int() < budget["metadata"]["generation"].int() {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(Status::too_many_requests(REFUSED, RETRY_SECONDS).with_cause("DisruptionBudget", why, ""));
    }
    let allowed = status["disruptionsAllowed"].int();
    let forbidden = |why: &str| Err(Status::forbidden("policy", "poddisruptionbudget", &name, why));
    if allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if status["disruptedPods"].entries().len() > DISRUPTED_PODS_MAX {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if allowed == 0 {
        let (needs, has) = (status["desiredHealthy"].int(), status["currentHealthy"].int());
        let why = format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently");
        return Err(Status::too_many_requests(REFUSED, 0).with_cause("DisruptionBudget", why, ""));
    }
    let status = budget.entry("status");
    status.set("disruptionsAllowed", allowed - 1);
    status.entry("disruptedPods").set(pod["metadata"]["name"].str(), ctx.now.to_rfc3339());
    Ok(budget)
}
