//! How long recording and applying take: `cargo test -p patch --release --test speed -- --ignored --nocapture`.

use meta::{Gvk, Value, value};
use patch::managed::{self, OneVersion, ResetFields, Target};
use std::time::Instant;

/// A pod of about 7.5 KB as JSON, its managedFields included.
fn pod(phase: &str) -> Value {
    let container = |name: &str| {
        value!({
            "name": name, "image": "registry.example/shop/api:1.2.3", "imagePullPolicy": "IfNotPresent",
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}, {"containerPort": 9090, "name": "metrics", "protocol": "TCP"}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}, {"name": "C", "value": "3"}],
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
            "livenessProbe": {"httpGet": {"path": "/live", "port": 80, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 80, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
            "volumeMounts": [{"name": "conf", "mountPath": "/conf"}, {"name": "tmp", "mountPath": "/tmp"}]
        })
    };
    let condition = |kind: &str| value!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-01-02T03:04:05Z"});
    let state = |name: &str| {
        value!({"name": name, "ready": true, "restartCount": 0, "started": true, "image": "registry.example/shop/api:1.2.3",
            "imageID": "registry.example/shop/api@sha256:0123456789abcdef0123456789abcdef", "lastState": {},
            "containerID": "containerd://0123456789abcdef0123456789abcdef", "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}})
    };
    value!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "api-5d4f8c7b9-abcde", "namespace": "shop", "uid": "u", "labels": {"app": "api", "pod-template-hash": "5d4f8c7b9", "tier": "web"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-5d4f8c7b9", "uid": "r", "controller": true, "blockOwnerDeletion": true}]},
        "spec": {
            "containers": [(container("api")), (container("proxy")), (container("log"))],
            "volumes": [{"name": "conf", "configMap": {"name": "conf", "defaultMode": 420}}, {"name": "tmp", "emptyDir": {}}],
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "serviceAccountName": "api", "serviceAccount": "api", "schedulerName": "default-scheduler",
            "nodeName": "n1", "securityContext": {}, "terminationGracePeriodSeconds": 30, "enableServiceLinks": true, "priority": 0, "preemptionPolicy": "PreemptLowerPriority",
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
        },
        "status": {"phase": phase, "hostIP": "10.0.0.1", "podIP": "10.1.0.7", "podIPs": [{"ip": "10.1.0.7"}], "qosClass": "Burstable", "startTime": "2026-01-02T03:04:05Z",
            "conditions": [(condition("Ready")), (condition("Initialized")), (condition("ContainersReady")), (condition("PodScheduled"))],
            "containerStatuses": [(state("api")), (state("proxy")), (state("log"))]}
    })
}

fn measure(what: &str, mut run: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        for _ in 0..40 {
            run();
        }
        best = best.min(start.elapsed().as_secs_f64() / 40.0);
    }
    println!("{what}: {:.1} µs", best * 1e6);
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    let schema = schema::builtin();
    let (main, none) = (ResetFields::new(&["status"]), ResetFields::default());
    let target = |gvk: &'static Gvk, reset, subresource| Target {
        schema: Box::leak(Box::new(schema.clone())),
        type_id: schema.kind(gvk).expect("a kind"),
        gvk,
        subresource,
        reset,
        now: "2026-01-02T03:04:05Z",
        versions: &OneVersion,
    };
    let gvk: &'static Gvk = Box::leak(Box::new(Gvk::new("", "v1", "Pod")));
    let create = target(gvk, &main, "");
    let status = target(gvk, &none, "status");
    let mut live = pod("Pending");
    managed::record_update(&create, None, &mut live, "kube-controller-manager", false);
    let mut before = pod("");
    before.entry("metadata").set("managedFields", live["metadata"]["managedFields"].clone());
    before.object_mut().remove("status");
    let mut running = pod("Pending");
    running.entry("metadata").set("managedFields", live["metadata"]["managedFields"].clone());
    managed::record_update(&status, Some(&before), &mut running, "kubelet", false);
    println!("pod: {} bytes", meta::json::to_string(&running).len());
    measure("clone of the pod (part of the next three)", || drop(std::hint::black_box(running.clone())));
    let mut bare = live.clone();
    bare.entry("metadata").remove("managedFields");
    measure("record a create", || managed::record_update(&create, None, &mut bare.clone(), "m", false));
    measure("record a status update", || {
        let mut new = running.clone();
        new.entry("status").set("phase", "Running");
        managed::record_update(&status, Some(&running), &mut new, "kubelet", false);
    });
    measure("record an update of labels", || {
        let mut new = running.clone();
        new.entry("metadata").entry("labels").set("x", "y");
        managed::record_update(&create, Some(&running), &mut new, "kubectl", false);
    });
    let gvk: &'static Gvk = Box::leak(Box::new(Gvk::new("apps", "v1", "Deployment")));
    let apply = target(gvk, &main, "");
    let mut spec = pod("")["spec"].clone();
    spec.object_mut().remove("nodeName");
    let applied = value!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "shop", "labels": {"app": "d"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "d"}}, "template": {"metadata": {"labels": {"app": "d"}}, "spec": spec}}
    });
    let mut live = managed::apply(&apply, None, &applied, "one", false).expect("an object");
    live.entry("metadata").set("uid", "u");
    measure("apply a Deployment again", || drop(managed::apply(&apply, Some(&live), &applied, "one", false)));
    let typed = patch::typed::Typed::new(&schema, apply.type_id);
    measure("  validate", || drop(typed.validate(&applied)));
    measure("  merge", || drop(typed.merge(&live, &applied)));
    measure("  collect", || drop(typed.collect(&applied)));
    let merged = typed.merge(&live, &applied);
    measure("  compare", || drop(typed.compare(&live, &merged)));
    measure("  decode", || drop(patch::fields::Set::from_stored(&live["metadata"]["managedFields"][0]["fieldsV1"])));
    let set = typed.collect(&applied).unwrap();
    measure("  clone set", || drop(std::hint::black_box(set.clone())));
    measure("  encode", || drop(set.to_value()));
    measure("  clone", || drop(std::hint::black_box(live.clone())));
    let mut less = applied.clone();
    less.entry("spec").object_mut().remove("replicas");
    measure("apply it with a field less", || drop(managed::apply(&apply, Some(&live), &less, "one", false)));
    let mut patch = value!({"spec": {"template": {"spec": {"containers": [{"name": "api", "image": "x"}]}}}});
    measure("strategic merge patch of it", || {
        drop(patch::strategic::apply(&schema, apply.type_id, live.clone(), patch.clone()));
    });
    patch.entry("spec").set("replicas", 5);
    measure("merge patch of it", || drop(patch::merge::apply(live.clone(), patch.clone())));
}
