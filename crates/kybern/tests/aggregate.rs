//! A group version that another server serves: its APIService, the requests that are passed on, discovery.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kybern::TestServer;
use meta::Value;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const SERVICES: &str = "/api/v1/namespaces/default/services";
const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
const LIST: &str = r#"{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"m.example.com/v1","resources":[
    {"name":"things","singularName":"thing","namespaced":true,"kind":"Thing","verbs":["get","list"]}]}"#;

/// A server with a certificate for `ext.default.svc`: its port, and the certificate as an APIService has it.
async fn backend() -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed(["ext.default.svc".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("localhost", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let _ended = served.await;
            });
        }
    });
    use base64::Engine as _;
    (port, base64::engine::general_purpose::STANDARD.encode(certified.cert.pem()))
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let user = request.headers().get("x-remote-user").map_or("", |user| user.to_str().unwrap());
    let text = match request.uri().path() {
        "/apis/m.example.com/v1" => LIST.to_owned(),
        _ => format!(r#"{{"kind":"Echo","method":"{}","uri":"{}","user":"{user}"}}"#, request.method(), request.uri()),
    };
    Response::builder().header("content-type", "application/json").body(Full::new(text.into())).unwrap()
}

async fn ask(server: &TestServer, method: &str, path: &str, body: &str) -> (u16, String) {
    let accept =
        if path == "/apis" { "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" } else { "*/*" };
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body.to_owned())));
    let response = server.request(request.unwrap()).await;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8_lossy(&body).into_owned())
}

async fn read(server: &TestServer, path: &str) -> Value {
    let (code, text) = ask(server, "GET", path, "").await;
    assert_eq!(code, 200, "{path}: {text}");
    meta::json::parse(text.as_bytes()).unwrap().value
}

/// Until `done` says so of what stands at a path; the keeper works beside the requests.
async fn until(server: &TestServer, path: &str, done: impl Fn(&(u16, String)) -> bool) {
    for _ in 0..400 {
        if done(&ask(server, "GET", path, "").await) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{path}: {:?}", ask(server, "GET", path, "").await);
}

async fn register(server: &TestServer, port: u16, bundle: &str) {
    let api_service = format!(
        r#"{{"metadata":{{"name":"v1.m.example.com"}},"spec":{{"group":"m.example.com","version":"v1",
        "groupPriorityMinimum":100,"versionPriority":10,"caBundle":"{bundle}",
        "service":{{"namespace":"default","name":"ext","port":{port}}}}}}}"#
    );
    assert_eq!(ask(server, "POST", API_SERVICES, &api_service).await.0, 201);
}

#[tokio::test]
async fn requests_reach_the_other_server_while_it_is_there() {
    let (server, (port, bundle)) = (TestServer::start().await.unwrap(), backend().await);
    register(&server, port, &bundle).await;
    let status = format!("{API_SERVICES}/v1.m.example.com");
    until(&server, &status, |(_, text)| text.contains(r#"service/ext in \"default\" is not present"#)).await;
    let things = "/apis/m.example.com/v1/namespaces/a/things?limit=5";
    assert_eq!(ask(&server, "GET", things, "").await, (503, "service unavailable\n".into()));

    let service = r#"{"metadata":{"name":"ext"},"spec":{"type":"ExternalName","externalName":"localhost"}}"#;
    assert_eq!(ask(&server, "POST", SERVICES, service).await.0, 201);
    until(&server, &status, |(_, text)| text.contains("all checks passed")).await;
    let echo = read(&server, things).await;
    assert_eq!(echo["uri"].str(), things);
    assert_eq!(echo["user"].str(), "system:apiserver");
    assert_eq!(ask(&server, "DELETE", things, "").await.0, 200);

    until(&server, "/apis", |(_, text)| text.contains(r#""name":"m.example.com""#)).await;
    let groups = read(&server, "/apis").await;
    let group = groups["items"].items().iter().find(|g| g["metadata"]["name"].str() == "m.example.com").unwrap();
    assert_eq!(group["versions"][0]["freshness"].str(), "Current");
    assert_eq!(group["versions"][0]["resources"][0]["resource"].str(), "things");
    assert_eq!(read(&server, "/apis/m.example.com").await["kind"].str(), "APIGroup");

    assert_eq!(ask(&server, "DELETE", &status, "").await.0, 200);
    until(&server, things, |(code, _)| *code == 404).await;
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_believed() {
    let (server, (port, _), (_, other)) = (TestServer::start().await.unwrap(), backend().await, backend().await);
    let service = r#"{"metadata":{"name":"ext"},"spec":{"type":"ExternalName","externalName":"localhost"}}"#;
    assert_eq!(ask(&server, "POST", SERVICES, service).await.0, 201);
    register(&server, port, &other).await;
    let status = format!("{API_SERVICES}/v1.m.example.com");
    until(&server, &status, |(_, text)| text.contains("FailedDiscoveryCheck")).await;
    assert_eq!(ask(&server, "GET", "/apis/m.example.com/v1", "").await.0, 503);
}

#[tokio::test]
async fn api_services_of_definitions_are_kept() {
    let server = TestServer::start().await.unwrap();
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definition = r#"{"metadata":{"name":"toys.k.example.com"},"spec":{"group":"k.example.com","scope":"Cluster",
        "names":{"plural":"toys","kind":"Toy"},"versions":[{"name":"v1","served":true,"storage":true,
        "schema":{"openAPIV3Schema":{"type":"object"}}}]}}"#;
    assert_eq!(ask(&server, "POST", definitions, definition).await.0, 201);
    let api_service = format!("{API_SERVICES}/v1.k.example.com");
    until(&server, &api_service, |(code, _)| *code == 200).await;
    assert_eq!(ask(&server, "DELETE", &api_service, "").await.0, 200);
    until(&server, &api_service, |(code, _)| *code == 200).await;
    assert_eq!(ask(&server, "DELETE", &format!("{definitions}/toys.k.example.com"), "").await.0, 200);
    until(&server, &api_service, |(code, _)| *code == 404).await;
}
