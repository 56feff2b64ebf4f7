//! Who decides what is allowed: a policy in a file, other servers, and files that change.

mod client;
#[path = "../../outbound/tests/peer/mod.rs"]
mod peer;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::Sender::{Itself, Token};
use client::{ask, create, raw};
use kybern::TestServer;
use meta::{Value, value};
use peer::{Peer, answer};

const PODS: &str = "/api/v1/namespaces/ns/pods";
/// How long a changed file may take to be seen. (Nobody waits as long when all is well.)
const SEEN_TIME_MAX: Duration = Duration::from_secs(60);

/// A server with a token for the user `ann`, and further flags.
async fn server(folder: &Path, flags: &[String]) -> TestServer {
    let tokens = folder.join("tokens.csv");
    std::fs::write(&tokens, "ann-token,ann,7,\"dev,ops\"\n").expect("a file");
    let tokens = format!("--token-auth-file={}", tokens.display());
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain([tokens.as_str()]).collect();
    TestServer::start_with(&flags).await.expect("a server")
}

/// Writes a kubeconfig file for a peer and says where it is.
fn kubeconfig(folder: &Path, peer: &Peer) -> String {
    let ca = folder.join(format!("{}.pem", peer.address.port()));
    std::fs::write(&ca, &peer.authority).expect("a file");
    let config = value!({
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {
            "server": (format!("{}/authorize", peer.url())), "certificate-authority": (ca.display().to_string())
        }}],
        "users": [{"name": "u", "user": {"token": "for-the-webhook"}}]
    });
    let path = folder.join(format!("{}.kubeconfig", peer.address.port()));
    std::fs::write(&path, meta::json::to_vec(&config)).expect("a file");
    path.display().to_string()
}

async fn code(server: &TestServer, path: &str) -> u16 {
    ask(server, Token("ann-token"), "GET", path, &Value::Null).await.0
}

#[tokio::test]
async fn a_policy_file_decides() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.jsonl");
    let line = r#"{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"ann","namespace":"ns","resource":"pods","readonly":true}}"#;
    std::fs::write(&policy, line).expect("a file");
    let flags = ["--authorization-mode=ABAC".into(), format!("--authorization-policy-file={}", policy.display())];
    let server = server(folder.path(), &flags).await;
    assert_eq!(code(&server, PODS).await, 200);
    assert_eq!(code(&server, "/api/v1/namespaces/other/pods").await, 403);
    let (code, refused) = ask(&server, Token("ann-token"), "DELETE", &format!("{PODS}/p"), &Value::Null).await;
    assert_eq!(code, 403);
    assert!(refused["message"].str().ends_with("in the namespace \"ns\": No policy matched."), "{refused:?}");
}

/// A webhook that allows pods, denies secrets, has no opinion on configmaps and talks garbage about the rest.
async fn webhook(asked: Arc<Mutex<Vec<Value>>>) -> Peer {
    Peer::start(move |request| {
        let sender = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        assert_eq!(sender, Some("Bearer for-the-webhook"));
        let review = meta::json::parse(request.body()).map(|parsed| parsed.value).unwrap_or_default();
        let status = match review["spec"]["resourceAttributes"]["resource"].str() {
            "pods" => value!({"allowed": true, "reason": "pods are for all"}),
            "secrets" => value!({"allowed": false, "denied": true, "reason": "they are secret"}),
            "configmaps" => value!({"allowed": false, "reason": "who knows"}),
            "services" => return Box::pin(std::future::pending()),
            _ => return answer(200, "garbage"),
        };
        let mut answered = review.clone();
        asked.lock().expect("a lock").push(review);
        answered.set("status", status);
        answer(200, meta::json::to_vec(&answered))
    })
    .await
}

#[tokio::test]
async fn another_server_decides() {
    let (folder, asked) = (tempfile::tempdir().expect("a folder"), Arc::<Mutex<Vec<Value>>>::default());
    let peer = webhook(asked.clone()).await;
    let config = format!("--authorization-webhook-config-file={}", kubeconfig(folder.path(), &peer));
    let server = server(folder.path(), &["--authorization-mode=Webhook,RBAC".into(), config]).await;
    for _ in 0..2 {
        assert_eq!(code(&server, PODS).await, 200);
    }
    let (code, refused) = ask(&server, Token("ann-token"), "GET", "/api/v1/namespaces/ns/secrets", &Value::Null).await;
    assert_eq!(code, 403);
    assert!(refused["message"].str().ends_with(": they are secret"), "{refused:?}");
    let (code, refused) =
        ask(&server, Token("ann-token"), "GET", "/api/v1/namespaces/ns/configmaps", &Value::Null).await;
    assert_eq!(code, 403, "RBAC has no opinion either");
    assert!(refused["message"].str().ends_with(": who knows"), "{refused:?}");
    let (code, media, failed) = raw(&server, Token("ann-token"), "GET", "/api/v1/nodes?x=1&limit=1").await;
    assert_eq!((code, media.as_str()), (500, "text/plain; charset=utf-8"), "garbage");
    assert!(failed.starts_with("Internal Server Error: \"/api/v1/nodes?x=1&amp;limit=1\": "), "{failed:?}");
    assert!(failed.ends_with('\n'));
    let asked = asked.lock().expect("a lock").clone();
    assert_eq!(asked.len(), 3, "the second question about pods was remembered");
    let wanted = value!({
        "resourceAttributes": {"namespace": "ns", "verb": "list", "version": "v1", "resource": "pods"},
        "user": "ann", "group": ["dev", "ops", "system:authenticated"], "uid": "7"
    });
    assert_eq!((asked[0]["apiVersion"].str(), &asked[0]["spec"]), ("authorization.k8s.io/v1beta1", &wanted));
}

/// A webhook that allows everything but what another one has to allow: rights to give rights away, and to speak for signers.
async fn strict_webhook(asked: Arc<Mutex<Vec<Value>>>) -> Peer {
    Peer::start(move |request| {
        let mut review = meta::json::parse(request.body()).map(|parsed| parsed.value).unwrap_or_default();
        let target = &review["spec"]["resourceAttributes"];
        let allowed = match (target["verb"].str(), target["resource"].str(), target["name"].str()) {
            ("escalate", resource, _) => resource == "clusterroles",
            ("bind" | "approve", _, name) => matches!(name, "cluster-admin" | "good.example.com/a"),
            ("impersonate" | "check", ..) => false,
            _ => true,
        };
        asked.lock().expect("a lock").push(target.clone());
        review.set("status", value!({"allowed": allowed}));
        answer(200, meta::json::to_vec(&review))
    })
    .await
}

#[tokio::test]
async fn whoever_asks_for_rights_asks_all_who_decide() {
    let (folder, asked) = (tempfile::tempdir().expect("a folder"), Arc::<Mutex<Vec<Value>>>::default());
    let peer = strict_webhook(asked.clone()).await;
    let config = format!("--authorization-webhook-config-file={}", kubeconfig(folder.path(), &peer));
    let server = server(folder.path(), &["--authorization-mode=Webhook".into(), config]).await;
    const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
    let rules = value!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let send = async |path: &str, body: Value| {
        let (code, answer) = ask(&server, Token("ann-token"), "POST", path, &body).await;
        (code, answer["message"].str().to_owned())
    };
    let role = value!({"metadata": {"name": "r"}, "rules": (rules)});
    assert_eq!(send(&format!("{RBAC}/clusterroles"), role.clone()).await.0, 201, "may escalate");
    let (code, why) = send(&format!("{RBAC}/namespaces/default/roles"), role).await;
    assert!(code == 403 && why.contains("is attempting to grant RBAC permissions not currently held"), "{why}");
    let binding = |role: &str| {
        value!({
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}]
        })
    };
    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    assert_eq!(send(&bindings, binding("cluster-admin")).await.0, 201, "may bind");
    assert_eq!(send(&bindings, binding("system:kube-scheduler")).await.0, 403);
    let escalations = value!({
        "namespace": "default", "verb": "escalate", "group": "rbac.authorization.k8s.io", "version": "*", "resource": "roles"
    });
    assert!(asked.lock().expect("a lock").contains(&escalations));
    approves_what_others_allow(&server).await;
    expressions_ask(&server).await;
}

/// CertificateApproval asks for the verb `approve` on the signer.
async fn approves_what_others_allow(server: &TestServer) {
    const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let key = rcgen::KeyPair::generate().expect("a key");
    let request = rcgen::CertificateParams::default().serialize_request(&key).and_then(|request| request.pem());
    let request = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, request.expect("a request"));
    for (signer, wanted) in [("good.example.com/a", 200), ("bad.example.com/a", 403)] {
        let name = signer.split('.').next().unwrap_or_default();
        let object = value!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {"request": (request.as_str()), "signerName": signer, "usages": ["client auth"]}
        });
        let mut made = create(server, REQUESTS, &object).await;
        let approved = value!([{"type": "Approved", "status": "True", "reason": "r", "message": "m"}]);
        made.set("status", value!({"conditions": approved}));
        let path = format!("{REQUESTS}/{name}/approval");
        let (code, answered) = ask(server, Token("ann-token"), "PUT", &path, &made).await;
        assert_eq!(code, wanted, "{signer}: {answered:?}");
    }
}

/// A policy's `authorizer` is the same chain.
async fn expressions_ask(server: &TestServer) {
    const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1";
    let policy = value!({
        "metadata": {"name": "p"},
        "spec": {
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
            ]},
            "validations": [{"expression":
                "authorizer.group('').resource('things').namespace('default').check(object.metadata.name).allowed()"}]
        }
    });
    create(server, &format!("{POLICIES}/validatingadmissionpolicies"), &policy).await;
    let binding = value!({"metadata": {"name": "p"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    create(server, &format!("{POLICIES}/validatingadmissionpolicybindings"), &binding).await;
    for (name, wanted) in [("get", 201), ("check", 422)] {
        let object = value!({"metadata": {"name": name}});
        let (code, answered) =
            ask(server, Token("ann-token"), "POST", "/api/v1/namespaces/default/configmaps", &object).await;
        assert_eq!(code, wanted, "{answered:?}");
    }
}

fn configuration(kubeconfig: &str, version: &str, failure_policy: &str) -> Vec<u8> {
    meta::json::to_vec(&value!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": [
            {"type": "Webhook", "name": "one.example.com", "webhook": {
                "timeout": "500ms",
                "subjectAccessReviewVersion": version,
                "failurePolicy": failure_policy,
                "matchConditionSubjectAccessReviewVersion": "v1",
                "matchConditions": [
                    {"expression": "has(request.resourceAttributes)"},
                    {"expression": "request.resourceAttributes.resource != 'configmaps' || 'admins' in request.groups"}
                ],
                "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": kubeconfig}
            }},
            {"type": "RBAC", "name": "rbac"}
        ]
    }))
}

#[tokio::test]
async fn a_file_names_those_who_decide_and_may_change() {
    let (folder, asked) = (tempfile::tempdir().expect("a folder"), Arc::<Mutex<Vec<Value>>>::default());
    let peer = webhook(asked.clone()).await;
    let path = folder.path().join("authorization.json");
    let config = kubeconfig(folder.path(), &peer);
    std::fs::write(&path, configuration(&config, "v1", "Deny")).expect("a file");
    let server = server(folder.path(), &[format!("--authorization-config={}", path.display())]).await;
    let role = value!({"metadata": {"name": "s"}, "rules": [{"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}]});
    create(&server, "/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await;
    let binding = value!({
        "metadata": {"name": "s"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "s"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]
    });
    create(&server, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
    let selected = format!("{PODS}?fieldSelector=spec.nodeName%3Dn&labelSelector=app%20in%20(x)");
    assert_eq!(code(&server, &selected).await, 200);
    let spec = asked.lock().expect("a lock")[0]["spec"].clone();
    assert_eq!(spec["groups"], value!(["dev", "ops", "system:authenticated"]));
    let wanted = value!({"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n"]}]});
    assert_eq!(spec["resourceAttributes"]["fieldSelector"], wanted);
    let wanted = value!({"requirements": [{"key": "app", "operator": "In", "values": ["x"]}]});
    assert_eq!(spec["resourceAttributes"]["labelSelector"], wanted);
    let (code, refused) =
        ask(&server, Token("ann-token"), "GET", "/api/v1/namespaces/ns/configmaps", &Value::Null).await;
    assert_eq!((code, refused["message"].str().contains("who knows")), (403, false), "the conditions leave it out");
    assert_eq!(self::code(&server, "/version").await, 200, "and paths, which RBAC allows");
    assert_eq!(asked.lock().expect("a lock").len(), 1);
    let services = "/api/v1/namespaces/ns/services";
    assert_eq!(self::code(&server, services).await, 500, "no answer in time, and that denies");
    let review = value!({"spec": {"user": "ann", "resourceAttributes": {"verb": "list", "resource": "services"}}});
    let reviewed = create(&server, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await;
    let status = &reviewed["status"];
    assert_eq!((status["allowed"].bool(), status["denied"].bool()), (false, true));
    assert!(status["evaluationError"].str().ends_with("context deadline exceeded"), "{status:?}");
    std::fs::write(&path, "broken").expect("a file");
    std::fs::write(&path, configuration(&config, "v1", "NoOpinion")).expect("a file");
    let deadline = Instant::now() + SEEN_TIME_MAX;
    while self::code(&server, services).await != 200 {
        assert!(Instant::now() < deadline, "the changed file is not seen");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn files_that_are_wrong_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("authorization.json");
    std::fs::write(&path, configuration("relative", "v1", "Deny")).expect("a file");
    let flag = format!("--authorization-config={}", path.display());
    let why = TestServer::start_with(&[&flag]).await.err().unwrap_or_default();
    let text = "authorizers[0].connectionInfo.kubeConfigFile: Invalid value: \"relative\": must be an absolute path";
    assert_eq!(why, format!("--authorization-config: {text}"));
    let nobody = TestServer::start_with(&["--authorization-mode=AlwaysDeny"]).await.expect("a server");
    assert_eq!(ask(&nobody, client::Sender::Nobody, "GET", "/api/v1/nodes", &Value::Null).await.0, 403);
    assert_eq!(ask(&nobody, Itself, "GET", "/api/v1/nodes", &Value::Null).await.0, 200);
}
