//! Quotas and limit ranges over a small made-up cluster.

use admission::{Attributes, Chain, Notes, Operation};
use meta::time::Timestamp;
use meta::{Gvk, Status, Value, value};
use resource::{Context, Reader, SideWrite, User};
use std::cell::RefCell;

/// The cluster: resource, object.
struct Cluster(Vec<(&'static str, Value)>);

impl Reader for Cluster {
    fn get(&self, _group: &str, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.list("", resource, namespace).into_iter().find(|object| object["metadata"]["name"].str() == name)
    }

    fn list(&self, _group: &str, resource: &str, namespace: &str) -> Vec<Value> {
        let here = |object: &Value| namespace.is_empty() || object["metadata"]["namespace"].str() == namespace;
        self.0.iter().filter(|(r, object)| *r == resource && here(object)).map(|(_, object)| object.clone()).collect()
    }
}

fn cluster(mut objects: Vec<(&'static str, Value)>) -> Cluster {
    objects.push(("namespaces", value!({"metadata": {"name": "ns"}, "status": {"phase": "Active"}})));
    objects.push(("serviceaccounts", value!({"metadata": {"name": "default", "namespace": "ns"}})));
    Cluster(objects)
}

/// Creates an object in namespace `ns` through the whole default chain.
fn create(cluster: &Cluster, resource: &str, object: &mut Value) -> Result<Vec<SideWrite>, Status> {
    let user = User::default();
    let now = Timestamp { seconds: 0, nanos: 0 };
    let ctx = Context { user: &user, now, dry_run: false, namespace: "ns", subresource: "", reader: cluster };
    let kind = Gvk::new("", "v1", "");
    let notes = RefCell::new(Notes::default());
    let attributes = Attributes {
        operation: Operation::Create,
        group: "",
        version: "v1",
        resource,
        kind: &kind,
        name: "x",
        old: None,
        options: &Value::Null,
        ctx: &ctx,
        notes: &notes,
    };
    let chain = Chain::new(&[], &[]).unwrap();
    chain.admit(&attributes, object)?;
    chain.validate(&attributes, object)?;
    chain.plan_side_writes(&attributes, object)
}

fn quota(hard: Value, used: Value) -> (&'static str, Value) {
    let status = value!({"hard": (hard.clone()), "used": used});
    ("resourcequotas", value!({"metadata": {"name": "q", "namespace": "ns"}, "spec": {"hard": hard}, "status": status}))
}

fn pod(requests: Value, limits: Value) -> Value {
    let container = value!({"name": "c", "image": "i", "resources": {"requests": requests, "limits": limits}});
    value!({"metadata": {"name": "x", "namespace": "ns"}, "spec": {"containers": [container]}, "status": {"phase": "Pending"}})
}

#[test]
fn what_is_created_is_counted_in_the_same_commit() {
    let hard = value!({"requests.cpu": "1", "limits.cpu": "2", "pods": "5"});
    let cluster = cluster(vec![quota(hard, value!({"requests.cpu": "300m", "limits.cpu": "500m", "pods": "1"}))]);
    let writes = create(&cluster, "pods", &mut pod(value!({"cpu": "700m"}), value!({"cpu": "700m"}))).unwrap();
    let [SideWrite::Update { object, .. }] = writes.as_slice() else { panic!("the quota is written: {writes:?}") };
    assert_eq!(object["status"]["used"], value!({"requests.cpu": "1", "limits.cpu": "1200m", "pods": "2"}));
    let over = create(&cluster, "pods", &mut pod(value!({"cpu": "800m"}), value!({"cpu": "900m"}))).unwrap_err();
    assert_eq!(
        over.message,
        "pods \"x\" is forbidden: exceeded quota: q, requested: requests.cpu=800m, used: requests.cpu=300m, limited: requests.cpu=1"
    );
}

#[test]
fn a_compute_quota_wants_every_container_to_speak() {
    let hard = value!({"requests.cpu": "1", "limits.memory": "1Gi"});
    let cluster = cluster(vec![quota(hard, value!({"requests.cpu": "0", "limits.memory": "0"}))]);
    let refused = create(&cluster, "pods", &mut pod(value!({}), value!({}))).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"x\" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c"
    );
}

#[test]
fn a_quota_whose_usage_is_unknown_refuses() {
    let mut quota = quota(value!({"count/configmaps": "5"}), value!({}));
    quota.1.entry("status").remove("used");
    let cluster = cluster(vec![quota]);
    let refused = create(&cluster, "configmaps", &mut value!({"metadata": {"name": "x"}})).unwrap_err();
    assert_eq!(
        refused.message,
        "configmaps \"x\" is forbidden: status unknown for quota: q, resources: count/configmaps"
    );
}

#[test]
fn limit_ranges_fill_in_and_hold() {
    let limit = value!({"type": "Container", "default": {"cpu": "500m", "memory": "256Mi"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "2"}});
    let range = value!({"metadata": {"name": "l", "namespace": "ns"}, "spec": {"limits": [limit]}});
    let cluster = cluster(vec![("limitranges", range)]);
    let mut filled = pod(value!({}), value!({}));
    create(&cluster, "pods", &mut filled).unwrap();
    assert_eq!(
        filled["spec"]["containers"][0]["resources"],
        value!({"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m"}})
    );
    assert_eq!(
        filled["metadata"]["annotations"]["kubernetes.io/limit-ranger"].str(),
        "LimitRanger plugin set: cpu request for container c; cpu, memory limit for container c"
    );
    let refused = create(&cluster, "pods", &mut pod(value!({"cpu": "3"}), value!({"cpu": "3"}))).unwrap_err();
    assert_eq!(refused.message, "pods \"x\" is forbidden: maximum cpu usage per Container is 2, but limit is 3");
}
