//! Admission webhooks: another server changes what is written, refuses it, or cannot be asked.

mod client;
#[path = "../../outbound/tests/peer/mod.rs"]
mod peer;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use client::Sender::Itself;
use client::{ask, create};
use kybern::TestServer;
use meta::{Value, json, value};
use peer::{Peer, answer};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const HOOKS: &str = "/apis/admissionregistration.k8s.io/v1";

fn base64(bytes: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A server of webhooks that keeps what it was asked. The path says what it answers: `/allow`, `/deny`, `/label` (a patch
/// that adds a label of the path's last part), `/garbage`, `/broken` and `/never`.
struct Hooks {
    peer: Peer,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Hooks {
    async fn start() -> Hooks {
        let asked: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let seen = asked.clone();
        let peer = Peer::start(move |request| {
            let review = json::parse(request.body()).map(|parsed| parsed.value).unwrap_or_default();
            let path = request.uri().to_string();
            let mut response = value!({"uid": (&review["request"]["uid"]), "allowed": true});
            let patch = |patch: Value| base64(json::to_vec(&patch));
            match path.split(['/', '?']).nth(1).unwrap_or_default() {
                "deny" => {
                    response.set("allowed", false);
                    response.set("status", value!({"code": 403, "message": "not like this", "reason": "Forbidden"}));
                }
                "label" => {
                    let label = path.split(['/', '?']).nth(2).unwrap_or_default();
                    let labels = &review["request"]["object"]["metadata"]["labels"];
                    let count = labels.entries().count().to_string();
                    let at = format!("/metadata/labels/{label}");
                    let mut steps = vec![value!({"op": "add", "path": at, "value": count})];
                    if labels.is_null() {
                        steps.insert(0, value!({"op": "add", "path": "/metadata/labels", "value": {}}));
                    }
                    response.set("patch", patch(Value::Array(steps)));
                    response.set("patchType", "JSONPatch");
                    response.set("warnings", value!(["a label was added"]));
                }
                "wrong" => response.set("uid", "another"),
                "garbage" => return answer(200, "garbage"),
                "broken" => return answer(500, "boom"),
                "never" => return Box::pin(std::future::pending()),
                _ => {}
            }
            let answered =
                value!({"apiVersion": (&review["apiVersion"]), "kind": "AdmissionReview", "response": response});
            seen.lock().expect("a lock").push((path, review));
            answer(200, json::to_vec(&answered))
        })
        .await;
        Hooks { peer, asked }
    }

    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.asked.lock().expect("a lock"))
    }

    /// A webhook for configmaps at a path, with what is different of it.
    fn hook(&self, path: &str, different: Value) -> Value {
        let mut hook = value!({
            "name": (format!("{}.example.com", path.replace('/', "-"))),
            "clientConfig": {"url": (format!("{}/{path}", self.peer.url())), "caBundle": (base64(&self.peer.authority))},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
        });
        for (field, value) in different.entries() {
            hook.set(field, value);
        }
        hook
    }
}

async fn configure(server: &TestServer, kind: &str, name: &str, hooks: Vec<Value>) {
    let path = format!("{HOOKS}/{}webhookconfigurations", kind.to_lowercase());
    let object = value!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": (format!("{kind}WebhookConfiguration")),
        "metadata": {"name": name}, "webhooks": (hooks)
    });
    create(server, &path, &object).await;
}

fn map(name: &str) -> Value {
    value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}})
}

async fn post(server: &TestServer, name: &str) -> (u16, Value) {
    ask(server, Itself, "POST", MAPS, &map(name)).await
}

#[tokio::test]
async fn objects_are_changed_one_webhook_after_the_other() {
    let (server, hooks) = (TestServer::start().await.expect("a server"), Hooks::start().await);
    let again = value!({"reinvocationPolicy": "IfNeeded"});
    let all = vec![hooks.hook("label/first", again), hooks.hook("label/second", value!({}))];
    configure(&server, "Mutating", "m", all).await;
    let (code, made) = post(&server, "a").await;
    assert_eq!(code, 201, "{made:?}");
    // The first came again after the second.
    assert_eq!(made["metadata"]["labels"], value!({"first": "2", "second": "1"}));
    let asked = hooks.take();
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/label/first?timeout=10s", "/label/second?timeout=10s", "/label/first?timeout=10s"]);
    let review = &asked[0].1;
    assert_eq!((review["apiVersion"].str(), review["kind"].str()), ("admission.k8s.io/v1", "AdmissionReview"));
    let request = &review["request"];
    assert_eq!(
        (request["operation"].str(), request["name"].str(), request["namespace"].str()),
        ("CREATE", "a", "default")
    );
    assert_eq!(request["requestKind"], value!({"group": "", "version": "v1", "kind": "ConfigMap"}));
    assert_eq!(request["resource"], value!({"group": "", "version": "v1", "resource": "configmaps"}));
    assert_eq!((&request["oldObject"], request["dryRun"].as_bool()), (&Value::Null, Some(false)));
    assert_eq!(request["object"]["data"], value!({"k": "v"}));
    assert_eq!(request["options"]["kind"].str(), "CreateOptions");
    let (code, _) = ask(&server, Itself, "DELETE", &format!("{MAPS}/a"), &Value::Null).await;
    // It tries to change what is deleted.
    assert_eq!(code, 500);
}

#[tokio::test]
async fn requests_are_refused_in_the_words_of_the_webhook() {
    let (server, hooks) = (TestServer::start().await.expect("a server"), Hooks::start().await);
    let labelled = value!({"objectSelector": {"matchLabels": {"strict": "yes"}}});
    let condition = value!({"matchConditions": [{"name": "c", "expression": "object.metadata.name != 'free'"}]});
    configure(&server, "Validating", "v", vec![hooks.hook("deny", condition), hooks.hook("allow", labelled)]).await;
    let (code, refused) = post(&server, "a").await;
    assert_eq!((code, refused["reason"].str()), (403, "Forbidden"));
    assert_eq!(refused["message"].str(), "admission webhook \"deny.example.com\" denied the request: not like this");
    assert_eq!(hooks.take().len(), 1);
    assert_eq!(post(&server, "free").await.0, 201);
    assert!(hooks.take().is_empty());
}

#[tokio::test]
async fn failures_are_told_or_ignored() {
    let (server, hooks) = (TestServer::start().await.expect("a server"), Hooks::start().await);
    let url = hooks.peer.url();
    let called = "failed to call webhook";
    let cases = [
        ("broken", format!("{called}: an error on the server (\"boom\") has prevented the request from succeeding")),
        ("wrong", "received invalid webhook response: expected response.uid=".into()),
        ("never", format!("{called}: Post \"{url}/never?timeout=1s\": context deadline exceeded")),
        ("garbage", format!("{called}: ")),
    ];
    for (path, why) in cases {
        let of = |policy: &str| hooks.hook(path, value!({"failurePolicy": policy, "timeoutSeconds": 1}));
        configure(&server, "Validating", path, vec![of("Fail")]).await;
        let (code, refused) = post(&server, path).await;
        let text = refused["message"].str();
        let wanted = format!("Internal error occurred: failed calling webhook \"{path}.example.com\": {why}");
        assert!(code == 500 && text.starts_with(&wanted), "{text}\n{wanted}");
        let at = format!("{HOOKS}/validatingwebhookconfigurations/{path}");
        assert_eq!(ask(&server, Itself, "DELETE", &at, &Value::Null).await.0, 200);
        configure(&server, "Validating", path, vec![of("Ignore")]).await;
        assert_eq!(post(&server, path).await.0, 201);
        assert_eq!(ask(&server, Itself, "DELETE", &at, &Value::Null).await.0, 200);
    }
    let open = hooks.hook("broken", value!({"failurePolicy": "Ignore", "reinvocationPolicy": "IfNeeded"}));
    configure(&server, "Mutating", "open", vec![open]).await;
    assert_eq!(post(&server, "open").await.0, 201);
    let at = format!("{HOOKS}/mutatingwebhookconfigurations/open");
    assert_eq!(ask(&server, Itself, "DELETE", &at, &Value::Null).await.0, 200);
    let service = value!({"clientConfig": {"service": {"namespace": "default", "name": "gone", "path": "/x"}}});
    configure(&server, "Mutating", "s", vec![hooks.hook("s", service)]).await;
    let (_, refused) = post(&server, "z").await;
    let wanted = format!("{called}: Post \"https://gone.default.svc:443/x?timeout=10s\": service \"gone\" not found");
    assert!(refused["message"].str().ends_with(&wanted), "{refused:?}");
    let (_, page) = metrics(&server).await;
    let counted = "apiserver_admission_webhook_rejection_count{error_type=\"calling_webhook_error\",name=\"broken.example.com\",operation=\"CREATE\",rejection_code=\"500\",type=\"validating\"} 1";
    assert!(page.contains(counted), "{page}");
    assert!(
        page.contains("apiserver_admission_webhook_fail_open_count{name=\"never.example.com\",type=\"validating\"} 1")
    );
}

async fn metrics(server: &TestServer) -> (u16, String) {
    use http_body_util::BodyExt as _;
    let request = http::Request::get("/metrics").body(http_body_util::Empty::<bytes::Bytes>::new()).expect("a request");
    let response = server.request(request).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (code, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn objects_are_shown_in_the_version_that_the_rules_name() {
    let (server, hooks) = (TestServer::start().await.expect("a server"), Hooks::start().await);
    let rules = value!([{
        "operations": ["CREATE"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"],
        "resources": ["horizontalpodautoscalers"]
    }]);
    let exact = value!({"rules": (&rules), "matchPolicy": "Exact"});
    configure(
        &server,
        "Validating",
        "v",
        vec![hooks.hook("allow", value!({"rules": (&rules)})), hooks.hook("deny", exact)],
    )
    .await;
    let scaler = value!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
        "spec": {
            "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}
            }}]
        }
    });
    create(&server, "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", &scaler).await;
    let asked = hooks.take();
    let [(_, review)] = asked.as_slice() else { panic!("{asked:?}") };
    let request = &review["request"];
    assert_eq!(request["object"]["apiVersion"].str(), "autoscaling/v1");
    assert_eq!(request["object"]["spec"]["targetCPUUtilizationPercentage"].int(), 50);
    assert_eq!((request["kind"]["version"].str(), request["requestKind"]["version"].str()), ("v1", "v2"));
}

#[tokio::test]
async fn dry_runs_subresources_and_connections_are_asked_about() {
    let (server, hooks) = (TestServer::start().await.expect("a server"), Hooks::start().await);
    let rule = |resource: &str| {
        value!([{
            "operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": [resource]
        }])
    };
    let all = vec![
        hooks.hook("allow", value!({"sideEffects": "NoneOnDryRun", "admissionReviewVersions": ["v1beta1"]})),
        hooks.hook("allow/scale", value!({"rules": (rule("deployments/scale"))})),
        hooks.hook("deny/exec", value!({"rules": (rule("pods/exec"))})),
    ];
    configure(&server, "Validating", "v", all).await;
    let (code, _) = ask(&server, Itself, "POST", &format!("{MAPS}?dryRun=All"), &map("d")).await;
    assert_eq!(code, 201);
    let asked = hooks.take();
    assert_eq!(asked[0].1["apiVersion"].str(), "admission.k8s.io/v1beta1");
    assert_eq!(asked[0].1["request"]["dryRun"].as_bool(), Some(true));
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = value!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}
        }}
    });
    create(&server, deployments, &deployment).await;
    let scale = value!({"spec": {"replicas": 4}});
    let (code, scaled) = ask(&server, Itself, "PATCH", &format!("{deployments}/d/scale"), &scale).await;
    assert_eq!((code, scaled["spec"]["replicas"].int()), (200, 4));
    let request = hooks.take().remove(0).1["request"].clone();
    assert_eq!((request["object"]["kind"].str(), request["object"]["spec"]["replicas"].int()), ("Scale", 4));
    assert_eq!((request["oldObject"]["spec"]["replicas"].int(), request["subResource"].str()), (1, "scale"));
    let exec = "/api/v1/namespaces/default/pods/p/exec?command=ls&command=-l&stdout=true&container=c";
    let (code, refused) = ask(&server, Itself, "GET", exec, &Value::Null).await;
    assert_eq!((code, refused["message"].str().contains("deny-exec.example.com")), (403, true), "{refused:?}");
    let request = hooks.take().remove(0).1["request"].clone();
    assert_eq!((request["operation"].str(), &request["options"]), ("CONNECT", &Value::Null));
    let options = value!({
        "apiVersion": "v1", "kind": "PodExecOptions", "stdout": true, "container": "c", "command": ["ls", "-l"]
    });
    assert_eq!(request["object"], options);
}

#[tokio::test]
async fn images_are_asked_about() {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let peer = Peer::start(move |request| {
        let review = json::parse(request.body()).map(|parsed| parsed.value).unwrap_or_default();
        *count.lock().expect("a lock") += 1;
        let good = review["spec"]["containers"][0]["image"].str() == "good";
        let mut answered = review.clone();
        answered.set("status", value!({"allowed": good, "reason": (if good { "" } else { "it is bad" })}));
        answer(200, json::to_vec(&answered))
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let config = value!({
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k"}}],
        "clusters": [{"name": "k", "cluster": {
            "server": (peer.url()), "certificate-authority-data": (base64(&peer.authority))
        }}]
    });
    std::fs::write(&kubeconfig, json::to_vec(&config)).expect("a file");
    let plugins = folder.path().join("plugins.yaml");
    let configuration = value!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [{
            "name": "ImagePolicyWebhook",
            "configuration": {"imagePolicy": {"kubeConfigFile": (kubeconfig.display().to_string())}}
        }]
    });
    std::fs::write(&plugins, json::to_vec(&configuration)).expect("a file");
    let file = format!("--admission-control-config-file={}", plugins.display());
    let flags = ["--enable-admission-plugins=ImagePolicyWebhook", &file, "--disable-admission-plugins=ServiceAccount"];
    let server = TestServer::start_with(&flags).await.expect("a server");
    let pods = "/api/v1/namespaces/default/pods";
    let pod = |name: &str, image: &str| {
        value!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": image}]}
        })
    };
    create(&server, pods, &pod("a", "good")).await;
    create(&server, pods, &pod("b", "good")).await;
    assert_eq!(*asked.lock().expect("a lock"), 1, "the same images are not asked about again");
    let (code, refused) = ask(&server, Itself, "POST", pods, &pod("c", "bad")).await;
    let wanted = "pods \"c\" is forbidden: image policy webhook backend denied one or more images: it is bad";
    assert_eq!((code, refused["message"].str()), (403, wanted));
}
