//! Watching over a WebSocket, through a real port: browsers can hold no other stream.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use kybern::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8a;

async fn create(server: &TestServer, name: &str) {
    let body = format!(r#"{{"metadata":{{"name":"{name}","labels":{{"a":"b"}}}}}}"#);
    let request = Request::post("/api/v1/namespaces/default/configmaps").header("content-type", "application/json");
    let made = server.request(request.body(Full::new(Bytes::from(body))).unwrap()).await;
    assert_eq!(made.status(), StatusCode::CREATED);
}

/// The head of the answer, and the connection behind it.
async fn open(server: &TestServer, path: &str) -> (String, TlsStream<TcpStream>) {
    let tcp = TcpStream::connect(server.open_port().await.unwrap()).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(server.client_tls().unwrap());
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    (String::from_utf8(answer).unwrap(), stream)
}

async fn message(stream: &mut TlsStream<TcpStream>) -> (u8, String) {
    let kind = stream.read_u8().await.unwrap();
    let length = match stream.read_u8().await.unwrap() {
        126 => usize::from(stream.read_u16().await.unwrap()),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.unwrap();
    (kind, String::from_utf8_lossy(&payload).into_owned())
}

#[tokio::test]
async fn events_are_messages_and_pings_are_answered() {
    let server = TestServer::start().await.unwrap();
    create(&server, "one").await;
    let path = "/api/v1/namespaces/default/configmaps?watch=true&labelSelector=a%3Db";
    let (head, mut stream) = open(&server, path).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");

    let (kind, first) = message(&mut stream).await;
    assert_eq!(kind, TEXT);
    assert!(first.starts_with(r#"{"type":"ADDED""#) && first.contains(r#""name":"one""#), "{first}");
    create(&server, "two").await;
    let (_, second) = message(&mut stream).await;
    assert!(second.starts_with(r#"{"type":"ADDED""#) && second.contains(r#""name":"two""#), "{second}");

    // A masked ping with "hi".
    stream.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    assert_eq!(message(&mut stream).await, (PONG, "hi".into()));
}

#[tokio::test]
async fn a_watch_that_ends_closes_the_socket() {
    let server = TestServer::start().await.unwrap();
    let (_, mut stream) = open(&server, "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1").await;
    assert_eq!(message(&mut stream).await.0, CLOSE);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn what_is_refused_is_refused_before_the_upgrade() {
    let server = TestServer::start().await.unwrap();
    let (head, _) = open(&server, "/api/v1/namespaces/default/configmaps?watch=1&labelSelector=%2C%2C").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}
