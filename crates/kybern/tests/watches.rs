//! Watches through a real port: thousands of them, and one that does not read.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kybern::TestServer;
use meta::{Value, value};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use tokio::net::TcpStream;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const CONNECTIONS: usize = 25;
/// Servers allow a hundred streams.
const WATCHES_PER_CONNECTION: usize = 90;

/// A request with full rights from inside the process; the code and the document of its answer.
async fn ask(server: &TestServer, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let media_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let bytes = if body.is_null() { Vec::new() } else { meta::json::to_vec(body) };
    let request = Request::builder().method(method).uri(path).header("content-type", media_type);
    let answer = server.request(request.body(Full::new(Bytes::from(bytes))).expect("a request")).await;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    (code, meta::json::parse(&bytes).expect("JSON").value)
}

async fn create(server: &TestServer, object: &Value) -> Value {
    let (code, created) = ask(server, "POST", CONFIG_MAPS, object).await;
    assert_eq!(code, 201);
    created
}

async fn connect(server: &TestServer, address: SocketAddr) -> SendRequest<Empty<Bytes>> {
    let mut tls = (*server.client_tls().expect("keys")).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let stream = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls)).connect(name, stream).await.expect("TLS");
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn watch(sender: &mut SendRequest<Empty<Bytes>>, address: SocketAddr, revision: &str) -> Incoming {
    let uri = format!("https://{address}{CONFIG_MAPS}?watch=true&resourceVersion={revision}");
    sender.ready().await.expect("a free stream");
    let answer =
        sender.send_request(Request::get(uri).body(Empty::new()).expect("a request")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// The events of a watch until `enough` says so, or its end.
async fn events(mut body: Incoming, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let (mut events, mut rest) = (Vec::new(), Vec::new());
    while !enough(&events) {
        let Some(Ok(frame)) = body.frame().await else { break };
        rest.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            events.push(meta::json::parse(&line).expect("whole lines").value);
        }
    }
    events
}

fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

async fn newest_revision(server: &TestServer) -> String {
    let (_, list) = ask(server, "GET", &format!("{CONFIG_MAPS}?limit=1"), &Value::Null).await;
    list["metadata"]["resourceVersion"].str().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_watchers_hear_everything_in_order_on_few_threads() {
    let server = TestServer::start().await.expect("it starts");
    let address = server.open_port().await.expect("a port");
    let revision = newest_revision(&server).await;
    let threads_before = threads();
    let mut bodies = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut sender = connect(&server, address).await;
        for _ in 0..WATCHES_PER_CONNECTION {
            bodies.push(watch(&mut sender, address, &revision).await);
        }
    }
    assert_eq!(threads(), threads_before, "a watch has no thread");
    let heard = tokio::spawn(join_all(bodies.into_iter().map(|body| events(body, |events| events.len() >= 6))));
    let mut wanted = Vec::new();
    for n in 0..5 {
        let made = create(&server, &value!({"metadata": {"name": (format!("c-{n}"))}})).await;
        wanted.push(("ADDED", made["metadata"]["resourceVersion"].str().to_owned()));
    }
    let (code, _) = ask(&server, "DELETE", &format!("{CONFIG_MAPS}/c-3"), &Value::Null).await;
    assert_eq!(code, 200);
    wanted.push(("DELETED", newest_revision(&server).await));
    let heard = heard.await.expect("no panic");
    assert_eq!(heard.len(), CONNECTIONS * WATCHES_PER_CONNECTION);
    for events in heard {
        let heard =
            events.iter().map(|e| (e["type"].str(), e["object"]["metadata"]["resourceVersion"].str().to_owned()));
        assert_eq!(heard.collect::<Vec<_>>(), wanted);
    }
}

/// What waits for a client that does not read is bounded by windows and buffers; what it misses is told when it reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_read_is_told_that_it_missed_something() {
    const CHANGES: usize = 130;
    const BYTES: usize = 700_000;
    let server = TestServer::start().await.expect("it starts");
    let address = server.open_port().await.expect("a port");
    let path = format!("{CONFIG_MAPS}/large");
    create(&server, &value!({"metadata": {"name": "large"}})).await;
    let mut sender = connect(&server, address).await;
    let slow = watch(&mut sender, address, &newest_revision(&server).await).await;
    for n in 0..CHANGES {
        let text = format!("{n:06}").repeat(BYTES / 6);
        let (code, _) = ask(&server, "PATCH", &path, &value!({"data": {"a": text}})).await;
        assert_eq!(code, 200);
    }
    let heard = events(slow, |_| false).await;
    let (last, before) = heard.split_last().expect("it hears something");
    assert!(before.len() < CHANGES / 2, "{} events were kept for it", before.len());
    assert!(before.iter().all(|event| event["type"].str() == "MODIFIED"));
    assert_eq!((last["type"].str(), last["object"]["code"].int()), ("ERROR", 410));
    assert_eq!(last["object"]["reason"].str(), "Expired");
}
