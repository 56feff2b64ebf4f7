//! Requests that find no room, and what is told of that.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;
use serve::Body;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A body that never comes. Its request has a seat for that long.
struct Endless(Option<tokio::sync::oneshot::Sender<()>>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        if let Some(tell) = self.0.take() {
            tell.send(()).expect("somebody waits");
        }
        Poll::Pending
    }
}

async fn server(flags: &[&str]) -> Arc<TestServer> {
    let flags: Vec<&str> = ["--authorization-mode=AlwaysAllow"].iter().chain(flags).copied().collect();
    Arc::new(TestServer::start_with(&flags).await.expect("a server"))
}

/// A request of somebody who is no administrator.
async fn send(server: &TestServer, method: &str, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header("impersonate-user", "tim");
    server.request(request.body(Full::<Bytes>::default()).expect("a request")).await
}

/// A page, as administrators see it.
async fn page(server: &TestServer, path: &str) -> String {
    let request = Request::get(path).body(Full::<Bytes>::default()).expect("a request");
    let text = server.request(request).await.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&text).into_owned()
}

/// Takes a seat, and has it when this returns.
async fn sit(server: &Arc<TestServer>) -> tokio::task::JoinHandle<u16> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let request = Request::post(MAPS).header("impersonate-user", "tim").body(Endless(Some(tell))).expect("a request");
    let server = server.clone();
    let sitting = tokio::spawn(async move { server.request(request).await.status().as_u16() });
    told.await.expect("it is worked on");
    sitting
}

#[tokio::test]
async fn answers_say_where_they_belong() {
    let server = server(&[]).await;
    for (path, level) in [("/version", "global-default"), (MAPS, "global-default"), ("/healthz", "exempt")] {
        let answer = send(&server, "GET", path).await;
        let uid = answer.headers()["x-kubernetes-pf-prioritylevel-uid"].to_str().expect("a text").to_owned();
        assert!(answer.headers().contains_key("x-kubernetes-pf-flowschema-uid"));
        let path = format!("/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/{level}");
        let body = send(&server, "GET", &path).await.into_body().collect().await.expect("a body").to_bytes();
        let object = meta::json::parse(&body).expect("JSON").value;
        assert_eq!(object["metadata"]["uid"].str(), uid, "{level}");
    }
}

#[tokio::test]
async fn a_full_level_lets_nobody_in_for_long() {
    let server =
        server(&["--max-requests-inflight=1", "--max-mutating-requests-inflight=0", "--request-timeout=2s"]).await;
    let sitting = sit(&server).await;
    let answer = send(&server, "GET", MAPS).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().expect("a value")));
    let text = page(&server, "/metrics").await;
    let waited = "apiserver_flowcontrol_request_wait_duration_seconds_count{execute=\"false\",flow_schema=\"global-default\",priority_level=\"global-default\"} 1";
    assert!(text.contains(waited), "{text}");
    let rejected = "apiserver_flowcontrol_rejected_requests_total{flow_schema=\"global-default\",priority_level=\"global-default\",reason=\"time-out\"} 1";
    assert!(text.contains(rejected), "{text}");
    // The columns are aligned, which depends on all rows.
    let dump = async |name: &str| {
        let text = page(&server, &format!("/debug/api_priority_and_fairness/{name}")).await;
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
    };
    let text = dump("dump_priority_levels").await;
    assert!(text.contains("global-default, 0, false, false, 0, 1, 1, 0, 1, 0"), "{text}");
    let text = dump("dump_requests?includeRequestDetails=1").await;
    let row =
        text.lines().find(|line| line.starts_with("global-default, global-default, ")).expect("the one that sits");
    assert!(row.contains(", -1, tim, ") && row.contains(", 1, 0, 0s, "), "{row}");
    assert!(row.ends_with(&format!(", tim, create, {MAPS}, default, , v1, configmaps,")), "{row}");
    let text = dump("dump_queues").await;
    assert!(text.lines().any(|line| line.starts_with("global-default, ") && line.contains(", 0, 1, 1, ")), "{text}");
    sitting.abort();
    assert!(sitting.await.is_err());
    assert_eq!(send(&server, "GET", MAPS).await.status(), 200, "the seat is free again");
}

#[tokio::test]
async fn without_fairness_reads_and_writes_have_a_bound_each() {
    let server = server(&["--enable-priority-and-fairness=false", "--max-mutating-requests-inflight=1"]).await;
    let sitting = sit(&server).await;
    assert_eq!(send(&server, "POST", MAPS).await.status(), 429);
    let read = send(&server, "GET", MAPS).await;
    assert_eq!(read.status(), 200);
    assert!(!read.headers().contains_key("x-kubernetes-pf-flowschema-uid"));
    sitting.abort();
    assert!(sitting.await.is_err());
    assert_eq!(send(&server, "POST", MAPS).await.status(), 400, "it has no body");
}
