//! A pod's row in tables.

use crate::cells::{self, AGE, ColumnRow, NAME};
use meta::Value;

pub const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Ready", "string", "", 0, "The aggregate readiness state of this pod for accepting traffic."),
    ("Status", "string", "", 0, "The aggregate status of the containers in this pod."),
    (
        "Restarts",
        "string",
        "",
        0,
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    AGE,
    (
        "IP",
        "string",
        "",
        1,
        "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.",
    ),
    (
        "Node",
        "string",
        "",
        1,
        "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename",
    ),
    (
        "Nominated Node",
        "string",
        "",
        1,
        "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled.",
    ),
    (
        "Readiness Gates",
        "string",
        "",
        1,
        "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to \"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates",
    ),
];

/// What [`cells`] reads.
pub const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "spec.nodeName",
    "spec.containers.name",
    "spec.initContainers.name",
    "spec.initContainers.restartPolicy",
    "spec.readinessGates",
    "status.phase",
    "status.reason",
    "status.nominatedNodeName",
    "status.podIPs",
    "status.conditions.type",
    "status.conditions.status",
    "status.conditions.reason",
    "status.initContainerStatuses.name",
    "status.initContainerStatuses.state",
    "status.initContainerStatuses.lastState.terminated.finishedAt",
    "status.initContainerStatuses.ready",
    "status.initContainerStatuses.started",
    "status.initContainerStatuses.restartCount",
    "status.containerStatuses.state",
    "status.containerStatuses.lastState.terminated.finishedAt",
    "status.containerStatuses.ready",
    "status.containerStatuses.restartCount",
];

/// Ready/total containers, the reason that says most, restarts with the last one's age.
pub fn cells(pod: &Value, now: i64) -> Vec<Value> {
    let row = summarise(pod);
    let restarts = match &row.last_restart {
        Some(at) if row.restarts != 0 => format!("{} ({} ago)", row.restarts, cells::since(at, now)),
        _ => row.restarts.to_string(),
    };
    let or_none = |text: &str| Value::from(if text.is_empty() { "<none>" } else { text });
    vec![
        cells::name(pod),
        Value::from(format!("{}/{}", row.ready, row.total)),
        Value::from(row.reason),
        Value::from(restarts),
        cells::age(pod, now),
        or_none(pod["status"]["podIPs"][0]["ip"].str()),
        or_none(pod["spec"]["nodeName"].str()),
        or_none(pod["status"]["nominatedNodeName"].str()),
        Value::from(readiness_gates(pod)),
    ]
}

struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i64,
    /// The latest end of a container that was started again.
    last_restart: Option<Value>,
}

fn summarise(pod: &Value) -> Summary {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let init_specs = spec["initContainers"].items();
    let sidecars = init_specs.iter().filter(|c| is_sidecar(c)).count();
    let mut row = Summary {
        ready: 0,
        total: spec["containers"].items().len() + sidecars,
        reason: first_reason(status),
        restarts: 0,
        last_restart: None,
    };
    let initializing = summarise_init(&mut row, init_specs, status);
    if !initializing || condition_is_true(status, "Initialized") {
        summarise_running(&mut row, init_specs, status);
    }
    if pod["metadata"].get("deletionTimestamp").is_some() {
        if status["reason"].str() == "NodeLost" {
            row.reason = "Unknown".into();
        } else if !matches!(status["phase"].str(), "Failed" | "Succeeded") {
            row.reason = "Terminating".into();
        }
    }
    row
}

fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"].str() == "Always"
}

fn first_reason(status: &Value) -> String {
    let gated = |c: &&Value| c["type"].str() == "PodScheduled" && c["reason"].str() == "SchedulingGated";
    if status["conditions"].items().iter().any(|c| gated(&c)) {
        return "SchedulingGated".into();
    }
    let reason = status["reason"].str();
    if reason.is_empty() { status["phase"].str().into() } else { reason.into() }
}

fn condition_is_true(status: &Value, kind: &str) -> bool {
    status["conditions"].items().iter().any(|c| c["type"].str() == kind && c["status"].str() == "True")
}

/// Counts one container's restarts; timestamps compare as text because they are canonical.
fn count_restarts(container: &Value, restarts: &mut i64, last: &mut Option<Value>) {
    *restarts = restarts.saturating_add(container["restartCount"].int());
    let finished = &container["lastState"]["terminated"]["finishedAt"];
    if last.as_ref().map_or("", Value::str) < finished.str() {
        *last = Some(finished.clone());
    }
}

/// Reads the init containers up to the first that is not done; says whether there is one.
fn summarise_init(row: &mut Summary, specs: &[Value], status: &Value) -> bool {
    for (i, container) in status["initContainerStatuses"].items().iter().enumerate() {
        count_restarts(container, &mut row.restarts, &mut row.last_restart);
        let sidecar = specs.iter().any(|s| is_sidecar(s) && s["name"] == container["name"]);
        let terminated = container["state"].get("terminated").filter(|t| !t.is_null());
        if terminated.is_some_and(|t| t["exitCode"].int() == 0) {
            continue;
        }
        if sidecar && container["started"].bool() {
            row.ready += usize::from(container["ready"].bool());
            continue;
        }
        let waiting = container["state"]["waiting"]["reason"].str();
        row.reason = match terminated {
            Some(state) => format!("Init:{}", end_reason(state)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{i}/{}", specs.len()),
        };
        return true;
    }
    false
}

fn end_reason(terminated: &Value) -> String {
    match (terminated["reason"].str(), terminated["signal"].int()) {
        ("", 0) => format!("ExitCode:{}", terminated["exitCode"].int()),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.into(),
    }
}

fn summarise_running(row: &mut Summary, init_specs: &[Value], status: &Value) {
    (row.restarts, row.last_restart) = (0, None);
    for container in status["initContainerStatuses"].items() {
        if init_specs.iter().any(|s| is_sidecar(s) && s["name"] == container["name"]) {
            count_restarts(container, &mut row.restarts, &mut row.last_restart);
        }
    }
    let mut running = false;
    for container in status["containerStatuses"].items().iter().rev() {
        count_restarts(container, &mut row.restarts, &mut row.last_restart);
        let state = &container["state"];
        let waiting = state["waiting"]["reason"].str();
        if !waiting.is_empty() {
            row.reason = waiting.into();
        } else if !state["terminated"].is_null() {
            row.reason = end_reason(&state["terminated"]);
        } else if container["ready"].bool() && !state["running"].is_null() {
            running = true;
            row.ready += 1;
        }
    }
    if row.reason == "Completed" && running {
        row.reason = if condition_is_true(status, "Ready") { "Running" } else { "NotReady" }.into();
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = pod["spec"]["readinessGates"].items();
    if gates.is_empty() {
        return "<none>".into();
    }
    let conditions = pod["status"]["conditions"].items();
    let is_met = |gate: &&Value| {
        let condition = conditions.iter().find(|c| c["type"] == gate["conditionType"]);
        condition.is_some_and(|c| c["status"].str() == "True")
    };
    format!("{}/{}", gates.iter().filter(is_met).count(), gates.len())
}
