//! What is in the audit log after requests were answered.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;
use meta::Value;
use outbound::{Client, Endpoint, Sender};
use std::time::Duration;

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  userGroups: [""]
- level: RequestResponse
  resources: [{group: "", resources: ["configmaps"]}]
  omitManagedFields: true
- level: Request
  verbs: ["patch"]
- level: Metadata
  resources: [{group: "", resources: ["pods"]}]
  omitStages: [RequestReceived]
- level: Metadata
  nonResourceURLs: ["/version"]
- level: Metadata
  resources: [{group: "", resources: ["secrets"]}]
"#;

struct Audited {
    server: TestServer,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Audited {
    async fn start() -> Audited {
        let dir = tempfile::tempdir().expect("a directory");
        let (policy, log) = (dir.path().join("policy.yaml"), dir.path().join("audit.log"));
        std::fs::write(&policy, POLICY).expect("the policy");
        let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let flags = [flag("audit-policy-file", &policy), flag("audit-log-path", &log)];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let server = TestServer::start_with(&flags).await.expect("a server");
        std::fs::write(&log, "").expect("what was written at the start is of no interest");
        Audited { server, log, _dir: dir }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &'static str) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a request");
        let response = self.server.request(request).await;
        let code = response.status().as_u16();
        response.into_body().collect().await.expect("a body");
        code
    }

    /// The events so far, less those of the server's own requests; they are forgotten.
    fn events(&self) -> Vec<Value> {
        let own = format!("kube-apiserver/{}", serve::version::git_version());
        let text = std::fs::read_to_string(&self.log).expect("the log");
        std::fs::write(&self.log, "").expect("the log");
        let events = text.lines().map(|line| meta::json::parse(line.as_bytes()).expect("JSON").value);
        events.filter(|event| event["userAgent"].str() != own).collect()
    }
}

fn stages(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["stage"].str()).collect()
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn requests_are_recorded_as_much_as_the_policy_wants() {
    let audited = Audited::start().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"k":"v"}}"#;
    let headers = [JSON, ("audit-id", "abc"), ("user-agent", "kubectl/1"), ("x-forwarded-for", "1.2.3.4")];
    assert_eq!(audited.send("POST", path, &headers, map).await, 201);
    let events = audited.events();
    assert_eq!(stages(&events), ["RequestReceived", "ResponseComplete"]);
    let (first, last) = (&events[0], &events[1]);
    assert!(first["requestObject"].is_null() && first["responseStatus"].is_null() && first["annotations"].is_null());
    for (path, text) in [
        ("kind", "Event"),
        ("apiVersion", "audit.k8s.io/v1"),
        ("level", "RequestResponse"),
        ("auditID", "abc"),
        ("requestURI", path),
        ("verb", "create"),
        ("user.username", "system:apiserver"),
        ("userAgent", "kubectl/1"),
        ("objectRef.resource", "configmaps"),
        ("objectRef.namespace", "default"),
        ("objectRef.name", "m"),
        ("objectRef.apiVersion", "v1"),
        ("requestObject.data.k", "v"),
        ("requestObject.kind", "ConfigMap"),
        ("responseObject.metadata.name", "m"),
    ] {
        assert_eq!(last.path(path).str(), text, "{path}");
    }
    assert_eq!(last["sourceIPs"].items().first().map(Value::str), Some("1.2.3.4"));
    assert_eq!(last.path("responseStatus.code").int(), 201);
    assert_eq!(last["annotations"]["authorization.k8s.io/decision"].str(), "allow");
    assert!(last.path("responseObject.metadata.managedFields").is_null());
    assert!(!last.path("responseObject.metadata.uid").str().is_empty());

    let patch = [("content-type", "application/merge-patch+json")];
    assert_eq!(audited.send("PATCH", &format!("{path}/m"), &patch, r#"{"data":{"k":"w"}}"#).await, 200);
    assert_eq!(audited.events()[1].path("requestObject.data.k").str(), "w", "a patch as it was sent");

    assert_eq!(audited.send("GET", "/api/v1/namespaces", &[], "").await, 200);
    assert_eq!(audited.send("GET", "/version?x=1", &[], "").await, 200);
    let events = audited.events();
    assert_eq!(stages(&events), ["RequestReceived", "ResponseComplete"], "only what a rule fits");
    assert_eq!(events[1]["requestURI"].str(), "/version?x=1");
    assert!(events[1]["objectRef"].is_null());
}

#[tokio::test]
async fn refusals_say_why() {
    let audited = Audited::start().await;
    assert_eq!(audited.send("GET", "/api/v1/namespaces/default/pods/none", &[], "").await, 404);
    let events = audited.events();
    assert_eq!(stages(&events), ["ResponseComplete"], "a stage is left out");
    let status = &events[0]["responseStatus"];
    let texts = (status["status"].str(), status["reason"].str(), status["details"]["name"].str());
    assert_eq!((texts, status["code"].int()), (("Failure", "NotFound", "none"), 404));
    assert!(events[0]["responseObject"].is_null() && status["kind"].is_null());

    let other = [("impersonate-user", "nobody"), ("impersonate-group", "g")];
    assert_eq!(audited.send("GET", "/api/v1/namespaces/default/secrets", &other, "").await, 403);
    let events = audited.events();
    let last = &events[1];
    assert_eq!(last["impersonatedUser"]["username"].str(), "nobody");
    assert_eq!(last["annotations"]["authorization.k8s.io/decision"].str(), "forbid");
    assert!(events[0]["impersonatedUser"].is_null());

    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},
        "spec":{"hostNetwork":true,"containers":[{"name":"c","image":"i"}]}}"#;
    let labels = r#"{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"baseline"}}}"#;
    let patch = [("content-type", "application/merge-patch+json")];
    assert_eq!(audited.send("PATCH", "/api/v1/namespaces/default", &patch, labels).await, 200);
    let account = r#"{"metadata":{"name":"default"}}"#;
    assert_eq!(audited.send("POST", "/api/v1/namespaces/default/serviceaccounts", &[JSON], account).await, 201);
    audited.events();
    assert_eq!(audited.send("POST", "/api/v1/namespaces/default/pods", &[JSON], pod).await, 403);
    let annotations = &audited.events()[0]["annotations"];
    assert_eq!(annotations["pod-security.kubernetes.io/enforce-policy"].str(), "baseline:latest");
}

#[tokio::test]
async fn who_is_not_known_is_recorded_too() {
    let audited = Audited::start().await;
    let kubeconfig = audited.server.kubeconfig().await.expect("a kubeconfig");
    let mut endpoint = Endpoint::from_kubeconfig(&kubeconfig, Path::new(".")).expect("an endpoint");
    endpoint.identity = None;
    endpoint.sender = Sender::Token("forged".into());
    let client = Client::new(&endpoint).expect("a client");
    let time = Duration::from_secs(10);
    let answer = client.send(Method::GET, "/version", Bytes::new(), time).await.expect("an answer");
    assert_eq!(answer.code, 401);
    let events = audited.events();
    assert_eq!(stages(&events), ["ResponseStarted"]);
    let status = &events[0]["responseStatus"];
    assert_eq!(status["message"].str(), "Authentication failed, attempted: bearer");
    assert_eq!((status["code"].int(), events[0]["user"].entries().len()), (401, 0));
    assert_eq!(events[0]["sourceIPs"].items()[0].str(), "127.0.0.1");
}

#[tokio::test]
async fn watches_begin_and_end() {
    let audited = Audited::start().await;
    let request = Request::get("/api/v1/namespaces/default/configmaps?watch=1").body(Full::default());
    let response = audited.server.request(request.expect("a request")).await;
    assert_eq!(stages(&audited.events()), ["RequestReceived", "ResponseStarted"]);
    drop(response);
    // The end is recorded by a task of its own; it is there when this one has run behind it.
    let mut events = audited.events();
    while events.is_empty() {
        tokio::task::yield_now().await;
        events = audited.events();
    }
    assert_eq!(stages(&events), ["ResponseComplete"]);
    assert_eq!((events[0]["verb"].str(), events[0]["responseStatus"]["code"].int()), ("watch", 200));
}

/// A body at which the server breaks.
struct Breaking;

impl hyper::body::Body for Breaking {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_recorded() {
    let audited = Audited::start().await;
    let request = Request::post("/api/v1/namespaces/default/configmaps").body(Breaking).expect("a request");
    assert_eq!(audited.server.request(request).await.status(), 500);
    let events = audited.events();
    assert_eq!(stages(&events), ["RequestReceived", "Panic"]);
    assert_eq!(events[1]["responseStatus"]["code"].int(), 500);
    assert_eq!(audited.send("GET", "/version", &[], "").await, 200, "others are not affected");
}

#[tokio::test]
async fn a_wrong_policy_is_refused_at_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let policy = dir.path().join("policy.yaml");
    std::fs::write(&policy, "apiVersion: audit.k8s.io/v1\nkind: Policy\n").expect("the policy");
    let flag = format!("--audit-policy-file={}", policy.display());
    let why = TestServer::start_with(&[&flag, "--audit-log-path=-"]).await.err().expect("a refusal");
    let text = "loading audit policy file: loaded illegal policy with 0 rules: from file ";
    assert_eq!(why, format!("{text}{}", policy.display()));
    for (flag, text) in [
        ("--audit-log-mode=never", "invalid audit log mode never"),
        ("--audit-log-format=xml", "invalid audit log format xml, allowed formats are \"legacy,json\""),
        ("--audit-log-maxage=-1", "--audit-log-maxage -1 can't be a negative number"),
        ("--audit-log-truncate-max-event-size=0", "invalid audit truncate log max event size 0"),
    ] {
        let why = TestServer::start_with(&["--audit-log-path=-", flag]).await.err().expect(flag);
        assert!(why.starts_with(text), "{why}");
    }
}
