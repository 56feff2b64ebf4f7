//! The secure port with its flags, and what people without credentials see there.

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kybern::TestServer;
use outbound::{Client, Endpoint};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;

async fn endpoint(server: &TestServer) -> Endpoint {
    let kubeconfig = server.kubeconfig().await.expect("a kubeconfig");
    Endpoint::from_kubeconfig(&kubeconfig, Path::new(".")).expect("an endpoint")
}

async fn get(client: &Client, path: &str) -> outbound::Answer {
    client.send(Method::GET, path, Bytes::new(), Duration::from_secs(10)).await.expect("an answer")
}

/// Every path that is listed at `/`, and some that are not.
#[tokio::test]
async fn the_anonymous_see_health_and_version_only() {
    let server = TestServer::start().await.expect("a server");
    let mut endpoint = endpoint(&server).await;
    let admin = Client::new(&endpoint).expect("a client");
    endpoint.identity = None;
    let anonymous = Client::new(&endpoint).expect("a client");
    let root = meta::json::parse(&get(&admin, "/").await.body).expect("JSON").value;
    let listed = root["paths"].items().iter().map(|path| path.str().to_owned());
    let others = ["/", "/api/v1/secrets", "/apis/nope.example.com/v1", "/nope", "/debug/pprof/", "/flagz"];
    for path in listed.chain(others.map(str::to_owned)) {
        let open = ["/healthz", "/livez", "/readyz", "/version"];
        let is_open = open.iter().any(|open| path == *open);
        let answer = get(&anonymous, &path).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.code, if is_open { 200 } else { 403 }, "{path}: {text}");
        assert!(is_open || text.contains("User \\\"system:anonymous\\\" cannot"), "{path}: {text}");
        for name in ["server", "x-powered-by"] {
            assert!(!answer.headers.contains_key(name), "{path}");
        }
    }
}

#[tokio::test]
async fn hsts_is_sent_when_asked_for() {
    let flags = ["--strict-transport-security-directives=max-age=31536000,includeSubDomains"];
    let server = TestServer::start_with(&flags).await.expect("a server");
    let client = Client::new(&endpoint(&server).await).expect("a client");
    for path in ["/version", "/nope"] {
        let answer = get(&client, path).await;
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000; includeSubDomains", "{path}");
    }
}

/// Connects as somebody without a certificate; whom the server is is not the question.
async fn connect(server: &TestServer, name: &str) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let address = server.open_port().await.expect("a port");
    let mut config = outbound::client_config(&outbound::Authority::Anything, None).expect("a configuration");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("TLS")
}

#[tokio::test]
async fn wrong_credentials_do_not_keep_an_http2_connection() {
    let server = TestServer::start().await.expect("a server");
    let stream = connect(&server, "localhost").await;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let ended = tokio::spawn(connection);
    let request = Request::get("https://localhost/version").version(Version::HTTP_2);
    let request = request.header("authorization", "Bearer forged").body(Empty::<Bytes>::new()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers().get("connection")), (401, None));
    answer.into_body().collect().await.expect("a body");
    // The server says goodbye; without that this would not end.
    ended.await.expect("no panic").expect("a good end");
}

#[tokio::test]
async fn a_name_has_its_own_certificate() {
    let dir = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(vec!["own.example.com".to_owned()]).expect("a certificate");
    let (certificate, key) = (dir.path().join("own.crt"), dir.path().join("own.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let flag = format!("--tls-sni-cert-key={},{}", certificate.display(), key.display());
    let server = TestServer::start_with(&[&flag]).await.expect("a server");
    for (name, own) in [("own.example.com", true), ("localhost", false)] {
        let stream = connect(&server, name).await;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).expect("a certificate");
        assert_eq!(shown.as_ref() == made.cert.der().as_ref(), own, "{name}");
    }
}
