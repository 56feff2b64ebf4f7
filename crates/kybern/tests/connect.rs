//! Proxying to something that listens on this machine, through a node's proxy, in both forms of the path.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kybern::TestServer;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Tells what it was asked; redirects `/old`; after an upgrade sends back what it gets.
async fn backend() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    port
}

async fn answer(mut request: Request<Incoming>) -> http::Response<Full<Bytes>> {
    let response = http::Response::builder();
    if request.headers().contains_key("upgrade") {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgraded.await.unwrap());
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        });
        let switching = response.status(101).header("connection", "Upgrade").header("upgrade", "echo");
        return switching.body(Full::default()).unwrap();
    }
    if request.uri().path() == "/old" {
        return response.status(302).header("location", "/new").body(Full::default()).unwrap();
    }
    if request.uri().path() == "/page" {
        let page = r#"<a href="/x">x</a> <img src="y.png">"#;
        return response.header("content-type", "text/html").body(Full::new(page.into())).unwrap();
    }
    let authorized = request.headers().contains_key("authorization");
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = format!("{} {} authorized={authorized} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    response.body(Full::new(text.into())).unwrap()
}

/// A server with a node `n` on this machine.
async fn server() -> TestServer {
    let server = TestServer::start().await.unwrap();
    let node = r#"{"metadata":{"name":"n"},"status":{"addresses":[{"type":"InternalIP","address":"127.0.0.1"}]}}"#;
    let request = Request::post("/api/v1/nodes").header("content-type", "application/json");
    let made = server.request(request.body(Full::new(node.into())).unwrap()).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    server
}

async fn ask(server: &TestServer, method: &str, path: &str, body: &'static str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(path).header("authorization", "Bearer secret");
    let response = server.request(request.body(Full::new(body.into())).unwrap()).await;
    let status = response.status().as_u16();
    let location = response.headers().get("location").map(|l| l.to_str().unwrap().to_string()).unwrap_or_default();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, location, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn requests_go_through_in_both_forms_of_the_path() {
    let (port, server) = (backend().await, server().await);
    for prefix in [format!("/api/v1/nodes/n:{port}/proxy"), format!("/api/v1/proxy/nodes/http:n:{port}")] {
        let (status, _, text) = ask(&server, "POST", &format!("{prefix}/a%20b/c?x=1"), "hello").await;
        assert_eq!((status, text.as_str()), (200, "POST /a%20b/c?x=1 authorized=false hello"));
        let (status, location, _) = ask(&server, "GET", &prefix, "").await;
        assert_eq!((status, location), (301, format!("{prefix}/")));
        let (status, location, _) = ask(&server, "GET", &format!("{prefix}/old"), "").await;
        assert_eq!((status, location), (302, format!("{prefix}/new")));
        let (_, _, page) = ask(&server, "GET", &format!("{prefix}/page"), "").await;
        assert_eq!(page, format!(r#"<a href="{prefix}/x">x</a> <img src="y.png">"#));
    }
}

/// A kubelet that lets in those whose certificate `authority` signed, and tells what it was asked.
async fn kubelet(certificate: rcgen::Certificate, key: &rcgen::KeyPair, authority: &rcgen::Certificate) -> u16 {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_client_cert_verifier(verifier).with_single_cert(vec![certificate.into()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            if let Ok(stream) = acceptor.accept(stream).await {
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        }
    });
    port
}

/// kubeadm gives all four flags; the node's Hostname resolves nowhere.
#[tokio::test]
async fn kubelets_are_asked_with_the_certificate_and_at_the_address_that_flags_say() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [(); 3].map(|()| rcgen::KeyPair::generate().unwrap());
    let [ca_key, client_key, kubelet_key] = &keys;
    let mut params = rcgen::CertificateParams::new([]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(ca_key).unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let signed = |key| rcgen::CertificateParams::new(["127.0.0.1".into()]).unwrap().signed_by(key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let flags = [
        format!("--kubelet-client-certificate={}", write("client.crt", signed(client_key).pem())),
        format!("--kubelet-client-key={}", write("client.key", client_key.serialize_pem())),
        format!("--kubelet-certificate-authority={}", write("ca.crt", ca.pem())),
        "--kubelet-preferred-address-types=InternalIP,Hostname".into(),
    ];
    let port = kubelet(signed(kubelet_key), kubelet_key, &ca).await;
    let node = format!(
        r#"{{"metadata":{{"name":"n"}},"status":{{"daemonEndpoints":{{"kubeletEndpoint":{{"Port":{port}}}}},"addresses":
        [{{"type":"Hostname","address":"no.invalid"}},{{"type":"InternalIP","address":"127.0.0.1"}}]}}}}"#
    );
    let all: Vec<&str> = flags.iter().map(String::as_str).collect();
    for (flags, code) in [(all.as_slice(), 200), (&all[3..], 503)] {
        let server = TestServer::start_with(flags).await.unwrap();
        let request = Request::post("/api/v1/nodes").header("content-type", "application/json");
        let made = server.request(request.body(Full::new(Bytes::from(node.clone()))).unwrap()).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let (status, _, text) = ask(&server, "GET", "/api/v1/nodes/n/proxy/pods", "").await;
        assert_eq!(status, code, "{text}");
        assert!(code == 503 || text == "GET /pods authorized=false ", "{text}");
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_503() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (status, _, text) = ask(&server().await, "GET", &format!("/api/v1/nodes/n:{port}/proxy/"), "").await;
    assert_eq!(status, 503);
    assert!(text.contains("error trying to reach service: dial tcp 127.0.0.1"), "{text}");
}

#[tokio::test]
async fn upgraded_connections_are_tunnelled() {
    let (port, server) = (backend().await, server().await);
    let address = server.open_port().await.unwrap();
    let tls = server.client_tls().unwrap();
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(tls).connect(name, tcp).await.unwrap();
    let head = format!(
        "GET /api/v1/nodes/n:{port}/proxy/echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
}
