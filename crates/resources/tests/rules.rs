//! Rules of single kinds, by the causes that upstream gives. Each row: a kind, an object, and what is wrong with it;
//! or a stored object and what an update of it makes wrong.

use meta::time::Timestamp;
use meta::{Result, Value, json};
use resource::rules::{self, Rules};
use resource::{Context, Descriptor, Reader, User};
use std::sync::LazyLock;

static ALL: LazyLock<Vec<Descriptor>> = LazyLock::new(|| resources::all(&schema::builtin()));

struct Nothing;

impl Reader for Nothing {
    fn get(&self, _group: &str, _resource: &str, _namespace: &str, _name: &str) -> Option<Value> {
        None
    }

    fn list(&self, _group: &str, _resource: &str, _namespace: &str) -> Vec<Value> {
        Vec::new()
    }
}

/// What a check of the kind's rules says: the fields of its causes, in order.
fn fields(kind: &str, check: impl Fn(&Descriptor, &Rules) -> Result<()>) -> Vec<String> {
    let descriptor = ALL.iter().find(|d| d.storage.kind == kind && d.convert.is_none()).expect("a kind");
    let (user, now) = (User::default(), Timestamp { seconds: 1_800_000_000, nanos: 0 });
    let namespace = if descriptor.namespaced { "default" } else { "" };
    let ctx = Context { user: &user, now, dry_run: false, namespace, subresource: "", reader: &Nothing };
    let Descriptor { strategy, hooks, .. } = descriptor;
    let rules = Rules { descriptor, strategy, hooks: hooks.as_ref(), ctx: &ctx };
    match check(descriptor, &rules) {
        Ok(()) => Vec::new(),
        Err(status) => {
            let value = status.to_value();
            value["details"]["causes"].items().iter().map(|cause| cause["field"].str().to_owned()).collect()
        }
    }
}

/// The storage form of a text, with what a stored object has.
fn stored(descriptor: &Descriptor, text: &str) -> Value {
    let decoded =
        codec::decode_json(&descriptor.schema, descriptor.storage_type_id, text.as_bytes()).expect("an object");
    let mut object = decoded.value;
    let metadata = object.entry("metadata");
    metadata.set_default("name", "x");
    metadata.set("resourceVersion", "1");
    if descriptor.namespaced {
        metadata.set("namespace", "default");
    }
    descriptor.hooks.default(&mut object);
    object
}

fn creating(kind: &str, text: &str) -> Vec<String> {
    fields(kind, |descriptor, rules| rules::validate_create(rules, &stored(descriptor, text)))
}

fn updating(kind: &str, old: &str, new: &str) -> Vec<String> {
    fields(kind, |descriptor, rules| rules::validate_update(rules, &stored(descriptor, new), &stored(descriptor, old)))
}

#[test]
fn metadata_is_checked_as_often_as_upstream_does() {
    let lease = r#"{"spec":{"holderIdentity":"a","leaseDurationSeconds":5}}"#;
    let budget = r#"{"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"b"}}}}"#;
    let config = "{}";
    let slice = r#"{"addressType":"IPv4","endpoints":[],"ports":[]}"#;
    for (kind, object, labels, finalizers) in [
        ("Lease", lease, 3, 0),
        ("PodDisruptionBudget", budget, 2, 0),
        ("ConfigMap", config, 4, 2),
        ("EndpointSlice", slice, 3, 1),
        ("LimitRange", r#"{"spec":{"limits":[]}}"#, 3, 1),
    ] {
        let with = |metadata: &str| object.replacen('{', &format!("{{\"metadata\":{metadata},"), 1).replace(",}", "}");
        let found = updating(kind, object, &with(r#"{"labels":{"a":"bad!"}}"#));
        assert_eq!(found, vec!["metadata.labels"; labels], "{kind}");
        let found = updating(kind, object, &with(r#"{"finalizers":["plain"]}"#));
        assert_eq!(found, vec!["metadata.finalizers[0]"; finalizers], "{kind}");
    }
}

#[test]
fn what_is_wrong_with_new_objects() {
    for (kind, object, wanted) in [
        (
            "NetworkPolicy",
            r#"{"spec":{"podSelector":{},"ingress":[{"ports":[{"port":80,"endPort":20}]}]}}"#,
            vec!["spec.ingress[0].ports[0].endPort"],
        ),
        (
            "CSINode",
            r#"{"metadata":{"name":"n"},"spec":{"drivers":[{"name":"d.example","nodeID":"n","topologyKeys":[],"allocatable":{"count":-1}}]}}"#,
            vec!["spec.drivers[0].allocatable.count"],
        ),
        (
            "StorageClass",
            r#"{"provisioner":"p.example/d","reclaimPolicy":"","volumeBindingMode":"Immediate","allowedTopologies":[{"matchLabelExpressions":[]},{"matchLabelExpressions":[]}]}"#,
            vec!["allowedTopologies[0].matchLabelExpressions"; 2]
                .into_iter()
                .chain(vec!["allowedTopologies[1].matchLabelExpressions"; 3])
                .collect(),
        ),
        (
            "EndpointSlice",
            r#"{"addressType":"IPv4","ports":[],"endpoints":[{"addresses":["192.0.2.1"],"hints":{"forZones":[{"name":"bad!"}]}}]}"#,
            vec!["endpoints[0].hints.forZones[0].name"],
        ),
        (
            "Node",
            r#"{"status":{"declaredFeatures":["Good","Good","Bad","worse"]}}"#,
            vec!["status.declaredFeatures[1]", "status.declaredFeatures[2]", "status.declaredFeatures[3]"],
        ),
        (
            "ResourceClaimTemplate",
            r#"{"spec":{"metadata":{"name":"x","labels":{"a":"b"}},"spec":{"devices":{}}}}"#,
            vec!["spec.metadata.name"],
        ),
        (
            "Pod",
            r#"{"spec":{"securityContext":{"seLinuxChangePolicy":"MountOption"},"containers":[{"name":"c","image":"i"}],"initContainers":[{"name":"d","image":"i","restartPolicyRules":[{"action":"Restart","exitCodes":{"operator":"In","values":[1]}}]}]}}"#,
            vec!["spec.initContainers[0].restartPolicy", "spec.securityContext.seLinuxChangePolicy"],
        ),
        (
            "MutatingAdmissionPolicyBinding",
            r#"{"spec":{"policyName":"p","matchResources":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"],"operations":["DELETE"]}]}}}"#,
            vec!["spec.matchResources.resourceRules.operations"],
        ),
    ] {
        let mut found = creating(kind, object);
        found.sort();
        assert_eq!(found, wanted, "{kind}");
    }
}

#[test]
fn what_updates_may_not_do() {
    let address = |group: &str| {
        let parent = format!(r#"{{"group":"{group}","resource":"services","name":"s"}}"#);
        format!(r#"{{"metadata":{{"name":"192.0.2.7"}},"spec":{{"parentRef":{parent}}}}}"#)
    };
    let mut found = updating("IPAddress", &address("a"), &address("Bad_Value!"));
    found.sort();
    assert_eq!(found, ["spec.parentRef", "spec.parentRef.group"]);
    let volume = |key: &str| {
        let terms = format!(r#"[{{"matchExpressions":[{{"key":"{key}","operator":"In","values":["v"]}}]}}]"#);
        format!(
            r#"{{"spec":{{"capacity":{{"storage":"1Gi"}},"accessModes":["ReadWriteOnce"],"local":{{"path":"/d"}},"nodeAffinity":{{"required":{{"nodeSelectorTerms":{terms}}}}}}}}}"#
        )
    };
    let (beta, current) = ("beta.kubernetes.io/os", "kubernetes.io/os");
    assert!(updating("PersistentVolume", &volume(beta), &volume(current)).is_empty());
    assert_eq!(updating("PersistentVolume", &volume(current), &volume(beta)), ["nodeAffinity"]);
    assert_eq!(updating("PersistentVolume", &volume("a"), &volume("b")), ["nodeAffinity"]);
}

#[test]
fn opaque_data_is_told_apart_by_its_text() {
    let revision = |data: &str| format!(r#"{{"revision":1,"data":{data}}}"#);
    let (one, other) = (revision(r#"{"b":1,"a":2}"#), revision(r#"{"a":2,"b":1}"#));
    assert!(updating("ControllerRevision", &one, &one).is_empty());
    assert_eq!(updating("ControllerRevision", &one, &other), ["data"]);
    let decoded = codec::decode_json(
        &schema::builtin(),
        ALL.iter().find(|d| d.kind.as_str() == "ControllerRevision").expect("a kind").type_id,
        one.as_bytes(),
    );
    assert!(json::to_string(&decoded.expect("an object").value).contains(r#""data":{"b":1,"a":2}"#));
}
