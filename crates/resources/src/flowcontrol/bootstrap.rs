//! The flow schemas and priority levels that every server keeps: two of each are mandatory and fixed, the rest are
//! suggestions (k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap).

use meta::{Value, value};

/// While this annotation is "true" the server keeps the object's spec as it is here.
pub const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

/// Name, shares, lendable percent, (queues, hand size); `None`: rejects what does not fit.
type Limited = (&'static str, i64, i64, Option<(i64, i64)>);
const LIMITED: &[Limited] = &[
    ("catch-all", 5, 0, None),
    ("system", 30, 33, Some((64, 6))),
    ("node-high", 40, 25, Some((64, 6))),
    ("leader-election", 10, 0, Some((16, 4))),
    ("workload-high", 40, 50, Some((128, 6))),
    ("workload-low", 100, 90, Some((128, 6))),
    ("global-default", 20, 50, Some((128, 6))),
];
const QUEUE_LENGTH_MAX: i64 = 50;

/// Which subjects a schema is for.
enum Who {
    Groups(&'static [&'static str]),
    Users(&'static [&'static str]),
    SystemAccounts,
}

/// What of theirs.
enum What {
    Everything,
    Probes,
    Leases,
    Nodes,
}

const EVERYONE: &[&str] = &["system:unauthenticated", "system:authenticated"];
const LEADERS: &[&str] = &["system:kube-controller-manager", "system:kube-scheduler"];

/// name, level, precedence, distinguisher, whose, what
type Row = (&'static str, &'static str, i64, &'static str, &'static [Who], What);

const SCHEMAS: &[Row] = &[
    ("exempt", "exempt", 1, "", &[Who::Groups(&["system:masters"])], What::Everything),
    ("probes", "exempt", 2, "", &[Who::Groups(EVERYONE)], What::Probes),
    (
        "system-leader-election",
        "leader-election",
        100,
        "ByUser",
        &[Who::Users(LEADERS), Who::SystemAccounts],
        What::Leases,
    ),
    ("system-node-high", "node-high", 400, "ByUser", &[Who::Groups(&["system:nodes"])], What::Nodes),
    ("system-nodes", "system", 500, "ByUser", &[Who::Groups(&["system:nodes"])], What::Everything),
    (
        "kube-controller-manager",
        "workload-high",
        800,
        "ByNamespace",
        &[Who::Users(&["system:kube-controller-manager"])],
        What::Everything,
    ),
    (
        "kube-scheduler",
        "workload-high",
        800,
        "ByNamespace",
        &[Who::Users(&["system:kube-scheduler"])],
        What::Everything,
    ),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", &[Who::SystemAccounts], What::Everything),
    ("service-accounts", "workload-low", 9000, "ByUser", &[Who::Groups(&["system:serviceaccounts"])], What::Everything),
    ("global-default", "global-default", 9900, "ByUser", &[Who::Groups(EVERYONE)], What::Everything),
    ("catch-all", "catch-all", 10000, "ByUser", &[Who::Groups(EVERYONE)], What::Everything),
];

/// These may not be changed.
const MANDATORY: &[&str] = &["exempt", "catch-all"];

/// All priority levels.
pub fn priority_levels() -> Vec<Value> {
    let exempt = value!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}});
    let limited = LIMITED.iter().map(|(name, shares, lendable, queues)| (*name, limited(*shares, *lendable, *queues)));
    let all = std::iter::once(("exempt", exempt)).chain(limited);
    all.map(|(name, spec)| object("PriorityLevelConfiguration", name, spec)).collect()
}

/// All flow schemas.
pub fn flow_schemas() -> Vec<Value> {
    SCHEMAS.iter().map(|row| object("FlowSchema", row.0, schema_spec(row))).collect()
}

/// The spec that a mandatory object must have.
pub fn mandatory_spec(objects: Vec<Value>, name: &str) -> Option<Value> {
    let mut objects = objects.into_iter().filter(|_| MANDATORY.contains(&name));
    objects.find(|object| object["metadata"]["name"].str() == name).map(|object| object["spec"].clone())
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    value!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}},
        "spec": spec
    })
}

fn limited(shares: i64, lendable: i64, queues: Option<(i64, i64)>) -> Value {
    let response = match queues {
        None => value!({"type": "Reject"}),
        Some((queues, hand_size)) => {
            let queuing = value!({"queues": queues, "handSize": hand_size, "queueLengthLimit": QUEUE_LENGTH_MAX});
            value!({"type": "Queue", "queuing": queuing})
        }
    };
    let limited = value!({"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable});
    value!({"type": "Limited", "limited": limited})
}

fn schema_spec((_, level, precedence, distinguisher, who, what): &Row) -> Value {
    let mut spec = value!({"priorityLevelConfiguration": {"name": (*level)}, "matchingPrecedence": (*precedence)});
    if !distinguisher.is_empty() {
        spec.set("distinguisherMethod", value!({"type": (*distinguisher)}));
    }
    let subjects: Vec<Value> = who.iter().flat_map(subjects).collect();
    let (resources, others) = rules(what);
    let mut rule = value!({"subjects": subjects});
    for (field, rules) in [("resourceRules", resources), ("nonResourceRules", others)] {
        if !rules.is_empty() {
            rule.set(field, rules);
        }
    }
    spec.set("rules", vec![rule]);
    spec
}

fn subjects(who: &Who) -> Vec<Value> {
    match who {
        Who::Groups(names) => names.iter().map(|name| value!({"kind": "Group", "group": {"name": name}})).collect(),
        Who::Users(names) => names.iter().map(|name| value!({"kind": "User", "user": {"name": name}})).collect(),
        Who::SystemAccounts => {
            vec![value!({"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": "*"}})]
        }
    }
}

fn rules(what: &What) -> (Vec<Value>, Vec<Value>) {
    let leases = |verbs: Value| value!({"verbs": verbs, "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "namespaces": ["*"]});
    match what {
        What::Everything => {
            let resources = value!({
                "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"]
            });
            (vec![resources], vec![value!({"verbs": ["*"], "nonResourceURLs": ["*"]})])
        }
        What::Probes => {
            (Vec::new(), vec![value!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]})])
        }
        What::Leases => (vec![leases(value!(["get", "create", "update"]))], Vec::new()),
        What::Nodes => {
            let nodes = value!({
                "verbs": ["*"], "apiGroups": [""], "resources": ["nodes", "nodes/status"],
                "clusterScope": true, "namespaces": ["*"]
            });
            (vec![nodes, leases(value!(["*"]))], Vec::new())
        }
    }
}

/// What becomes of an object that is there already: the same with the spec that it should have, or nothing when it is its
/// users' affair by now. An object that says nothing of that is the server's as long as nobody has changed its spec
/// (k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer).
pub fn restored(existing: &Value, wanted: &Value) -> Option<Value> {
    let metadata = &existing["metadata"];
    let own = match metadata["annotations"][AUTO_UPDATE].str() {
        _ if MANDATORY.contains(&metadata["name"].str()) => true,
        "true" => true,
        "" => metadata["generation"].int() == 1,
        _ => false,
    };
    own.then(|| {
        let mut object = existing.clone();
        object.set("spec", wanted["spec"].clone());
        object
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_its_users_have_taken_over_is_theirs() {
        let wanted = value!({"spec": {"n": 1}});
        let restores = |name: &str, auto: &str, generation: i64| {
            let mut existing = value!({"metadata": {"name": name, "generation": generation}, "spec": {"n": 2}});
            if !auto.is_empty() {
                existing.entry("metadata").set("annotations", value!({AUTO_UPDATE: auto}));
            }
            restored(&existing, &wanted).map(|object| object["spec"]["n"].int())
        };
        assert_eq!(restores("system", "true", 7), Some(1));
        assert_eq!((restores("system", "", 1), restores("system", "", 2)), (Some(1), None));
        assert_eq!(restores("system", "false", 1), None);
        assert_eq!(restores("catch-all", "false", 7), Some(1));
    }
}
