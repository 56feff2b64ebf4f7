//! Many writers at once: a quota is never exceeded, and a node port belongs to one service.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use kybern::TestServer;
use meta::{Value, json, value};
use tokio::task::JoinSet;

const QUOTA: &str = "/api/v1/namespaces/default/resourcequotas/q";

async fn send(server: &TestServer, method: Method, path: &str, kind: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let body = if body.is_null() { Vec::new() } else { json::to_vec(body) };
    let response = server.request(request.body(Full::new(Bytes::from(body))).unwrap_or_default()).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (code, json::parse(&bytes).map(|parsed| parsed.value).unwrap_or_default())
}

/// Sends all at once; how many were answered with each code.
async fn at_once(server: &Arc<TestServer>, path: &'static str, bodies: Vec<Value>) -> Vec<(u16, Value)> {
    let mut running = JoinSet::new();
    for body in bodies {
        let server = server.clone();
        running.spawn(async move { send(&server, Method::POST, path, "application/json", &body).await });
    }
    running.join_all().await
}

async fn start() -> Arc<TestServer> {
    Arc::new(TestServer::start().await.unwrap_or_else(|why| panic!("{why}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_is_never_exceeded() {
    let server = start().await;
    let hard = value!({"count/leases.coordination.k8s.io": "7", "count/secrets": "100"});
    let quota = value!({"metadata": {"name": "q"}, "spec": {"hard": (&hard)}});
    let collection = "/api/v1/namespaces/default/resourcequotas";
    assert_eq!(send(&server, Method::POST, collection, "application/json", &quota).await.0, 201);
    let used = value!({"count/leases.coordination.k8s.io": "0", "count/secrets": "0"});
    let status = value!({"status": {"hard": hard, "used": used}});
    let merge = "application/merge-patch+json";
    assert_eq!(send(&server, Method::PATCH, &format!("{QUOTA}/status"), merge, &status).await.0, 200);
    let lease = |i: usize| value!({"metadata": {"name": (format!("l{i}"))}});
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let answers = at_once(&server, path, (0..40).map(lease).collect()).await;
    let made = answers.iter().filter(|(code, _)| *code == 201).count();
    assert_eq!(made, 7, "as many as the quota allows");
    let refused = |(code, body): &&(u16, Value)| *code == 403 && body["message"].str().contains("exceeded quota: q");
    assert_eq!(answers.iter().filter(refused).count(), 33, "the others are told why");
    let (_, stored) = send(&server, Method::GET, path, "", &Value::Null).await;
    assert_eq!(stored["items"].items().len(), 7);
    let (_, quota) = send(&server, Method::GET, QUOTA, "", &Value::Null).await;
    assert_eq!(quota["status"]["used"]["count/leases.coordination.k8s.io"].str(), "7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_port_belongs_to_one_service() {
    let server = start().await;
    let service = |i: usize| {
        value!({
            "metadata": {"name": (format!("s{i}"))},
            "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
        })
    };
    let path = "/api/v1/namespaces/default/services";
    let answers = at_once(&server, path, (0..24).map(service).collect()).await;
    assert_eq!(answers.iter().filter(|(code, _)| *code == 201).count(), 1, "{answers:?}");
    let taken = |(code, body): &&(u16, Value)| {
        *code == 422 && body["message"].str().contains("provided port is already allocated")
    };
    assert_eq!(answers.iter().filter(taken).count(), 23);
    // Those who let the server choose get different ones.
    let any = |i: usize| value!({"metadata": {"name": (format!("a{i}"))}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    let answers = at_once(&server, path, (0..24).map(any).collect()).await;
    let mut ports: Vec<i64> = answers.iter().map(|(_, body)| body["spec"]["ports"][0]["nodePort"].int()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 24, "{ports:?}");
}
