//! Quotas and limit ranges over a small made-up cluster.

use admission::{Attributes, Chain, Configuration, Notes, Operation, Question, Served};
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

impl admission::Cluster for Cluster {
    fn allows(&self, _user: &User, _question: &Question) -> bool {
        false
    }

    fn resources_of(&self, _group: &str, _version: &str, _kind: &str) -> Vec<Served> {
        Vec::new()
    }
}

fn cluster(mut objects: Vec<(&'static str, Value)>) -> Cluster {
    objects.push(("namespaces", value!({"metadata": {"name": "ns"}, "status": {"phase": "Active"}})));
    objects.push(("serviceaccounts", value!({"metadata": {"name": "default", "namespace": "ns"}})));
    Cluster(objects)
}

/// Creates an object in namespace `ns` through the whole default chain.
fn create(cluster: &Cluster, resource: &str, object: &mut Value) -> Result<Vec<SideWrite>, Status> {
    create_through(&Chain::new(&[], &[]).unwrap(), cluster, resource, object)
}

fn create_through(
    chain: &Chain,
    cluster: &Cluster,
    resource: &str,
    object: &mut Value,
) -> Result<Vec<SideWrite>, Status> {
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
        cluster,
        notes: &notes,
    };
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

#[test]
fn what_is_limited_needs_a_quota_that_covers_it() {
    let limited = value!({"apiGroup": "", "resource": "pods", "matchContains": ["requests.cpu"], "matchScopes": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
    ]});
    let quota_configuration = value!({"name": "ResourceQuota", "configuration": {"limitedResources": [limited]}});
    let file = value!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [quota_configuration]
    });
    let configuration = Configuration::new(&file, |path| Err(path.to_string())).unwrap();
    let chain = Chain::configured(&[], &[], &configuration).unwrap();
    let class = || ("priorityclasses", value!({"metadata": {"name": "system-node-critical"}, "value": 7}));
    let bare = cluster(vec![class()]);
    let refused = create_through(&chain, &bare, "pods", &mut pod(value!({"cpu": "1m"}), value!({}))).unwrap_err();
    assert_eq!(refused.message, "pods \"x\" is forbidden: insufficient quota to consume: requests.cpu");
    assert!(create_through(&chain, &bare, "pods", &mut pod(value!({}), value!({}))).is_ok());
    let mut critical = pod(value!({}), value!({}));
    critical.entry("spec").set("priorityClassName", "system-node-critical");
    let refused = create_through(&chain, &bare, "pods", &mut critical).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"x\" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]"
    );
    let covered = cluster(vec![quota(value!({"requests.cpu": "1"}), value!({"requests.cpu": "0"}))]);
    assert!(create_through(&chain, &covered, "pods", &mut pod(value!({"cpu": "1m"}), value!({}))).is_ok());
}

#[test]
fn device_claims_are_counted_by_class() {
    let gpus = "gpu.example.com.deviceclass.resource.k8s.io/devices";
    let hard = value!({"count/resourceclaims.resource.k8s.io": "2", gpus: "4"});
    let claim = value!({"metadata": {"name": "c", "namespace": "ns"}, "spec": {"devices": {"requests": [
        {"name": "a", "exactly": {"deviceClassName": "gpu.example.com", "allocationMode": "ExactCount", "count": 2}},
        {"name": "b", "firstAvailable": [
            {"name": "x", "deviceClassName": "gpu.example.com", "count": 1},
            {"name": "y", "deviceClassName": "nic.example.com", "allocationMode": "All"}
        ]}
    ]}}});
    let (_, quota) = quota(hard, value!({}));
    let cluster = cluster(vec![("resourceclaims", claim)]);
    let status = admission::plan_quota_status(&quota, &cluster);
    assert_eq!(status["used"], value!({"count/resourceclaims.resource.k8s.io": "1", gpus: "3"}));
}

#[test]
fn usage_is_found_again_from_the_objects() {
    let mut finished = pod(value!({"cpu": "1"}), value!({}));
    finished.set("status", value!({"phase": "Succeeded"}));
    let other = value!({"metadata": {"name": "o", "namespace": "else"}});
    let cluster = cluster(vec![
        ("pods", pod(value!({"cpu": "250m"}), value!({}))),
        ("pods", finished),
        ("configmaps", value!({"metadata": {"name": "c", "namespace": "ns"}})),
        ("configmaps", other),
    ]);
    let hard = value!({"pods": "9", "count/pods": "9", "requests.cpu": "9", "configmaps": "9", "secrets": "9"});
    let (_, quota) = quota(hard.clone(), value!({"pods": "77"}));
    let status = admission::plan_quota_status(&quota, &cluster);
    assert_eq!(status["hard"], hard);
    let used = value!({"pods": "1", "count/pods": "2", "requests.cpu": "250m", "configmaps": "1", "secrets": "0"});
    assert_eq!(status["used"], used);
}
