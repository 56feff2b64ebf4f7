//! How long the codecs take. `cargo test -p codec --release --test speed -- --ignored --nocapture` prints the figures.

use meta::{Gvk, Value, json};
use std::hint::black_box;
use std::time::Instant;

/// A pod of about 7.5 KB of JSON: two init containers, three containers, volumes, status, managed fields.
fn pod() -> Vec<u8> {
    let container = |name: &str| {
        format!(
            r#"{{"name":"{name}","image":"registry.example.com/shop/{name}:v1.2.3","imagePullPolicy":"IfNotPresent",
            "command":["/bin/{name}","--config=/etc/{name}/config.yaml","--log-level=info"],"ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],
            "env":[{{"name":"POD_NAME","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.name"}}}}}},{{"name":"MODE","value":"production"}}],
            "resources":{{"limits":{{"cpu":"500m","memory":"512Mi"}},"requests":{{"cpu":"100m","memory":"128Mi"}}}},
            "volumeMounts":[{{"name":"config","mountPath":"/etc/{name}"}},{{"name":"kube-api-access-x7k2p","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],
            "livenessProbe":{{"httpGet":{{"path":"/healthz","port":8080,"scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},
            "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","securityContext":{{"allowPrivilegeEscalation":false,"runAsNonRoot":true}}}}"#
        )
    };
    let status = |name: &str| {
        format!(
            r#"{{"name":"{name}","state":{{"running":{{"startedAt":"2026-01-01T00:00:05Z"}}}},"lastState":{{}},"ready":true,"restartCount":0,
            "image":"registry.example.com/shop/{name}:v1.2.3","imageID":"registry.example.com/shop/{name}@sha256:0123456789abcdef0123456789abcdef","containerID":"containerd://0123456789abcdef","started":true}}"#
        )
    };
    let text = format!(
        r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"web-7d4b9c6f5d-x7k2p","generateName":"web-7d4b9c6f5d-","namespace":"shop","uid":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",
        "creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app":"web","pod-template-hash":"7d4b9c6f5d","tier":"front"}},"annotations":{{"prometheus.io/scrape":"true","prometheus.io/port":"8080"}},
        "ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d4b9c6f5d","uid":"9f8e7d6c-5b4a-3928-1706-f5e4d3c2b1a0","controller":true,"blockOwnerDeletion":true}}],
        "managedFields":[{{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{{"f:metadata":{{"f:labels":{{".":{{}},"f:app":{{}},"f:pod-template-hash":{{}}}}}},"f:spec":{{"f:containers":{{"k:{{\"name\":\"web\"}}":{{".":{{}},"f:image":{{}},"f:name":{{}},"f:resources":{{}}}}}}}}}}}}]}},
        "spec":{{"volumes":[{{"name":"config","configMap":{{"name":"web-config","defaultMode":420}}}},{{"name":"kube-api-access-x7k2p","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}},{{"configMap":{{"name":"kube-root-ca.crt","items":[{{"key":"ca.crt","path":"ca.crt"}}]}}}}],"defaultMode":420}}}}],
        "initContainers":[{}],"containers":[{},{},{}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"web","serviceAccount":"web","nodeName":"node-17",
        "securityContext":{{"fsGroup":1000}},"affinity":{{"podAntiAffinity":{{"preferredDuringSchedulingIgnoredDuringExecution":[{{"weight":100,"podAffinityTerm":{{"labelSelector":{{"matchLabels":{{"app":"web"}}}},"topologyKey":"kubernetes.io/hostname"}}}}]}}}},
        "schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},
        "status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:09Z"}},{{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:01Z"}}],
        "hostIP":"10.1.2.3","podIP":"10.244.3.7","podIPs":[{{"ip":"10.244.3.7"}}],"startTime":"2026-01-01T00:00:01Z","containerStatuses":[{},{},{}],"qosClass":"Burstable"}}}}"#,
        container("init"),
        container("web"),
        container("proxy"),
        container("logs"),
        status("web"),
        status("proxy"),
        status("logs")
    );
    json::to_vec(&json::parse(text.as_bytes()).expect("well formed").value)
}

/// The shortest of many runs, in microseconds.
fn best<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut shortest = f64::MAX;
    for _ in 0..2_000 {
        let start = Instant::now();
        black_box(run());
        shortest = shortest.min(start.elapsed().as_secs_f64() * 1e6);
    }
    shortest
}

#[test]
#[ignore = "prints durations"]
fn figures() {
    let schema = schema::builtin();
    let gvk = Gvk::new("", "v1", "Pod");
    let ty = schema.kind(&gvk).expect("Pod");
    let body = pod();
    let value = codec::decode_json(&schema, ty, &body).expect("well formed").value;
    let (mut text, mut stored) = (Vec::new(), Vec::new());
    codec::encode_json(&schema, ty, &value, &mut text);
    codec::encode_protobuf(&schema, ty, &gvk, &value, &mut stored);
    let raw = codec::Envelope::open(&stored).expect("well formed").raw;
    let shown = codec::Shown { gvk: Some(&gvk), resource_version: "12345", proven: false };
    println!("JSON {} bytes, protobuf {} bytes", text.len(), stored.len());
    let print = |what: &str, bytes: usize, us: f64| println!("{what:28} {us:7.1} µs {:7.0} MB/s", bytes as f64 / us);
    print("parse JSON", text.len(), best(|| json::parse(&text)));
    print("find kind", text.len(), best(|| codec::kind_of_json(&text)));
    print("decode JSON", text.len(), best(|| codec::decode_json(&schema, ty, &text)));
    let canonical = || {
        let mut value: Value = value.clone();
        codec::canonicalise(&schema, ty, &mut value).map(|_| value)
    };
    print("clone", text.len(), best(|| value.clone()));
    print("clone and canonicalise", text.len(), best(canonical));
    let mut out = Vec::with_capacity(1 << 16);
    let mut into = |encode: &dyn Fn(&mut Vec<u8>)| {
        out.clear();
        encode(&mut out);
    };
    print("encode JSON", text.len(), best(|| into(&|out| codec::encode_json(&schema, ty, &value, out))));
    print(
        "encode protobuf",
        stored.len(),
        best(|| into(&|out| codec::encode_protobuf(&schema, ty, &gvk, &value, out))),
    );
    print("decode protobuf", stored.len(), best(|| codec::decode_protobuf(&schema, ty, &stored)));
    let transcode = |out: &mut Vec<u8>| {
        assert!(codec::transcode_json(&schema, ty, raw, &shown, out).is_ok());
    };
    print("transcode (JSON bytes)", text.len(), best(|| into(&transcode)));
    print("set resourceVersion", stored.len(), best(|| codec::protobuf_with_resource_version(&stored, &gvk, "12345")));
    print("extract metadata", stored.len(), best(|| codec::extract_metadata(raw)));
}
