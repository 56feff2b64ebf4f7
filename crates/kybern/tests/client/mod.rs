//! Requests to a server inside the test, and what comes back.

// Each file of tests uses its own part.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;
use meta::Value;
use serve::Body;
use serve::listen::Peer;

/// Who asks.
#[derive(Clone, Copy)]
pub enum Sender<'a> {
    /// With full rights, from inside the process.
    Itself,
    Nobody,
    Token(&'a str),
}

/// The code and the JSON document of an answer; null where it is none.
pub async fn ask(server: &TestServer, sender: Sender<'_>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let response = send(server, sender, method, path, body).await;
    (response.status().as_u16(), document(response).await)
}

/// The code, the media type and the body of an answer.
pub async fn raw(server: &TestServer, sender: Sender<'_>, method: &str, path: &str) -> (u16, String, String) {
    let (head, body) = send(server, sender, method, path, &Value::Null).await.into_parts();
    let media = head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (head.status.as_u16(), media.to_owned(), String::from_utf8_lossy(&body).into_owned())
}

/// The head of an answer.
pub async fn head_of(server: &TestServer, sender: Sender<'_>, method: &str, path: &str) -> http::response::Parts {
    send(server, sender, method, path, &Value::Null).await.into_parts().0
}

/// As [`ask`], but what succeeds is not read: it may be a stream without an end.
pub async fn head(server: &TestServer, sender: Sender<'_>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let response = send(server, sender, method, path, body).await;
    match response.status().as_u16() {
        200 => (200, Value::Null),
        code => (code, document(response).await),
    }
}

async fn document(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    meta::json::parse(&bytes).map(|parsed| parsed.value).unwrap_or_default()
}

async fn send(server: &TestServer, sender: Sender<'_>, method: &str, path: &str, body: &Value) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Sender::Token(token) = sender {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let media_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(meta::json::to_vec(body)) };
    let request = request.header("content-type", media_type).body(Full::new(bytes)).expect("a request");
    let peer = if matches!(sender, Sender::Itself) { Peer::loopback() } else { Peer::default() };
    server.request_from(peer, request).await
}

/// Flags that have everything recorded, and where it is.
pub fn audit_flags(folder: &Path) -> (Vec<String>, PathBuf) {
    let (policy, log) = (folder.join("policy.yaml"), folder.join("audit.log"));
    let text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\nomitStages: [RequestReceived]\n";
    std::fs::write(&policy, text).expect("a file");
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    (vec![flag("audit-policy-file", &policy), flag("audit-log-path", &log)], log)
}

/// What was recorded of requests that are not the server's own, since the last call.
pub fn audited(log: &Path) -> Vec<Value> {
    let own = format!("kube-apiserver/{}", serve::version::git_version());
    let text = std::fs::read_to_string(log).expect("the log");
    std::fs::write(log, "").expect("the log");
    let events = text.lines().map(|line| meta::json::parse(line.as_bytes()).expect("JSON").value);
    events.filter(|event| event["userAgent"].str() != own).collect()
}

/// That the last thing recorded is a request whose sender was not believed, and says how they tried.
pub fn expect_refusal(log: &Path, attempted: &str, what: &str) {
    let events = audited(log);
    let last = events.last().unwrap_or_else(|| panic!("{what}: nothing is recorded"));
    let status = &last["responseStatus"];
    let wanted = format!("Authentication failed, attempted: {attempted}");
    assert_eq!((status["code"].int(), status["message"].str()), (401, wanted.as_str()), "{what}: {last:?}");
    assert_eq!(last["user"].entries().count(), 0, "{what}");
}

/// Makes an object with full rights.
pub async fn create(server: &TestServer, path: &str, object: &Value) -> Value {
    let (code, created) = ask(server, Sender::Itself, "POST", path, object).await;
    assert_eq!(code, 201, "{path}: {}", meta::json::to_string(&created));
    created
}

/// The user name that a token makes; `Err` with the code of the refusal.
pub async fn name_of(server: &TestServer, sender: Sender<'_>) -> Result<String, u16> {
    let review = meta::value!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    match ask(server, sender, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await {
        (201, answer) => Ok(answer["status"]["userInfo"]["username"].str().to_owned()),
        (code, _) => Err(code),
    }
}
