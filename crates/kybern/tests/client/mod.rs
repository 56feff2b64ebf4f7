//! Requests to a server inside the test, and what comes back.

// Each file of tests uses its own part.
#![allow(dead_code)]

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
