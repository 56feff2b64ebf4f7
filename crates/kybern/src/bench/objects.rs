//! The objects that the load is made of.

/// Everything happens in this namespace.
pub const NAMESPACE: &str = "kybern-bench";
/// Pods of one replica set.
const REPLICAS: usize = 100;
/// Values of the label `group`: each selects every fiftieth pod.
pub const GROUPS: usize = 50;
/// Config maps with one value of the label `tenth`.
pub const RARE_SIZE: usize = 10;
/// Pods on one node.
pub const PODS_PER_NODE: usize = 5;

pub fn pod_name(n: usize) -> String {
    format!("web-{:05}-{n:06}", n / REPLICAS)
}

pub fn config_maps_path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps")
}

/// A small object; ten have one value of its label.
pub fn config_map(n: usize) -> String {
    let tenth = n / RARE_SIZE;
    format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"small-{n:07}","labels":{{"tenth":"t-{tenth}","kind":"small"}}}},"data":{{"key":"value-{n}"}}}}"#
    )
}

pub fn pods_path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods")
}

pub fn namespace() -> String {
    format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{NAMESPACE}"}}}}"#)
}

/// Pods need one; where controllers run they make it.
pub fn service_account() -> &'static str {
    r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#
}

/// A pod of two containers as the controller of a replica set makes it. With the status of [`status_patch`] and with its managed
/// fields it is 7.5 KB of JSON and 5.2 KB of protobuf.
pub fn pod(n: usize) -> String {
    let (set, group, node) = (n / REPLICAS, n % GROUPS, n / PODS_PER_NODE);
    let name = pod_name(n);
    let containers = [app(), sidecar()].join(",");
    let tolerations = ["not-ready", "unreachable"].map(|condition| {
        format!(r#"{{"key":"node.kubernetes.io/{condition}","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}"#)
    });
    let tolerations = tolerations.join(",");
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","generateName":"web-{set:05}-","labels":{{"app":"web","group":"g-{group}","pod-template-hash":"6d4b75cb6d"}},"annotations":{{"checksum/config":"2f1d1d5c9f8f1e0f5c8d5b2a7c6e4f3a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-{set:05}","uid":"0b6e7a0e-3f66-4d5a-9a8a-1d2f3c4b5a69","controller":true,"blockOwnerDeletion":true}}]}},"spec":{{"nodeName":"node-{node:05}","automountServiceAccountToken":false,"terminationGracePeriodSeconds":0,"containers":[{containers}],"volumes":[{{"name":"config","configMap":{{"name":"web-config"}}}}],"tolerations":[{tolerations}]}}}}"#
    )
}

/// The container that serves: it has probes.
fn app() -> String {
    let probes = r#""livenessProbe":{"httpGet":{"path":"/healthz","port":8080},"periodSeconds":15},"readinessProbe":{"httpGet":{"path":"/readyz","port":8080}}"#;
    container("app", 8080, 2, probes)
}

fn sidecar() -> String {
    container("sidecar", 9090, 1, r#""imagePullPolicy":"IfNotPresent""#)
}

fn container(name: &str, port: u16, settings: usize, rest: &str) -> String {
    let settings = (0..settings).map(|n| format!(r#"{{"name":"SETTING_{n:02}","value":"value-{n}-of-{name}"}}"#));
    let own = r#"{"name":"POD_NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}"#.to_owned();
    let variables = settings.chain([own]).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"name":"{name}","image":"registry.example.com/team/{name}:v1.27.3","args":["--listen=:{port}","--log-level=info"],"ports":[{{"name":"{name}","containerPort":{port}}}],"env":[{variables}],"resources":{{"requests":{{"cpu":"250m","memory":"256Mi"}},"limits":{{"memory":"512Mi"}}}},"volumeMounts":[{{"name":"config","mountPath":"/etc/{name}","readOnly":true}}],{rest}}}"#
    )
}

/// A kubelet's status patch.
pub fn status_patch(n: usize) -> String {
    let time = "2026-01-02T03:04:05Z";
    let condition = |kind: &str| format!(r#"{{"type":"{kind}","status":"True","lastTransitionTime":"{time}"}}"#);
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition).join(",");
    let container = |name: &str| {
        format!(
            r#"{{"name":"{name}","ready":true,"started":true,"restartCount":0,"image":"registry.example.com/team/{name}:v1.27.3","imageID":"registry.example.com/team/{name}@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef","containerID":"containerd://4c01db0b339c8a5e3a4a1f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d{:02x}","state":{{"running":{{"startedAt":"{time}"}}}}}}"#,
            n % 256
        )
    };
    let containers = ["app", "sidecar"].map(container).join(",");
    let ip = format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255);
    format!(
        r#"{{"status":{{"phase":"Running","hostIP":"192.168.0.1","podIP":"{ip}","podIPs":[{{"ip":"{ip}"}}],"startTime":"{time}","conditions":[{conditions}],"containerStatuses":[{containers}]}}}}"#
    )
}

/// A change is one only when its text is new to the pod.
pub fn annotation_patch(text: &str) -> String {
    format!(r#"{{"metadata":{{"annotations":{{"example.com/change":"{text}"}}}}}}"#)
}

/// A node's heartbeat; `revision` is "" to create it.
pub fn lease(n: usize, revision: &str, beat: usize) -> String {
    let revision = if revision.is_empty() { String::new() } else { format!(r#","resourceVersion":"{revision}""#) };
    let micros = beat % 1_000_000;
    format!(
        r#"{{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{{"name":"node-{n:05}"{revision}}},"spec":{{"holderIdentity":"node-{n:05}","leaseDurationSeconds":40,"renewTime":"2026-01-02T03:04:05.{micros:06}Z"}}}}"#
    )
}

/// What a client applies.
pub fn deployment(n: usize, replicas: usize) -> String {
    let container = app();
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web-{n:04}","labels":{{"app":"web-{n}"}}}},"spec":{{"replicas":{replicas},"selector":{{"matchLabels":{{"app":"web-{n}"}}}},"template":{{"metadata":{{"labels":{{"app":"web-{n}"}}}},"spec":{{"containers":[{container}],"volumes":[{{"name":"config","configMap":{{"name":"web-config"}}}}]}}}}}}}}"#
    )
}
