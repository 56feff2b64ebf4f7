//! Methods and media types at paths that name no resource, and of errors, as recorded from kube-apiserver 1.36.2.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;

struct Answer {
    code: u16,
    media_type: String,
    text: String,
}

async fn ask(server: &TestServer, method: &str, path: &str, accept: &str, body: &'static str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let response = server.request(request.body(Full::new(Bytes::from(body))).expect("a request")).await;
    let header = response.headers().get("content-type");
    let media_type = header.map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    Answer { code, media_type, text: String::from_utf8_lossy(&bytes).into_owned() }
}

const JSON: &str = "application/json";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

#[tokio::test]
async fn documents_have_methods_and_media_types_where_upstream_routes_them() {
    let server = TestServer::start().await.expect("a server");
    for (method, path, accept, code) in [
        ("GET", "/api", JSON, 200),
        ("POST", "/api", JSON, 405),
        ("POST", "/api/", "text/html", 405),
        ("POST", "/apis", JSON, 200),
        ("DELETE", "/apis/apps", JSON, 200),
        ("PUT", "/apis/apps/v1", JSON, 405),
        ("POST", "/version", JSON, 405),
        ("POST", "/openid/v1/jwks", JSON, 405),
        ("GET", "/version", "text/html", 406),
        ("GET", "/.well-known/openid-configuration", "application/yaml", 406),
        ("GET", "/apis", AGGREGATED, 200),
        ("GET", "/apis/", AGGREGATED, 406),
        ("GET", "/apis/apps", AGGREGATED, 406),
        ("GET", "/apis/apps", "text/plain, application/yaml", 200),
        ("GET", "/openapi/v3", JSON, 200),
        ("GET", "/openapi/v3/", JSON, 404),
    ] {
        let answer = ask(&server, method, path, accept, "").await;
        assert_eq!(answer.code, code, "{method} {path} {accept}: {}", answer.text);
    }
    let index = ask(&server, "GET", "/openapi/v3", JSON, "").await;
    assert_eq!(index.media_type, "text/plain; charset=utf-8");
}

#[tokio::test]
async fn refusals_that_nothing_was_negotiated_for_are_indented() {
    let server = TestServer::start().await.expect("a server");
    for path in ["/api/v1/nodes", "/apis", "/apis/apps", "/version"] {
        let answer = ask(&server, "GET", path, "text/plain", "").await;
        assert_eq!((answer.code, answer.media_type.as_str()), (406, JSON), "{path}");
        let begins = "{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n";
        assert!(
            answer.text.starts_with(begins) && answer.text.ends_with("\"code\": 406\n}"),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn forms_of_objects_have_the_plain_media_type() {
    let server = TestServer::start().await.expect("a server");
    for form in ["Table", "PartialObjectMetadataList"] {
        let accept = format!("application/json;as={form};v=v1;g=meta.k8s.io");
        assert_eq!(ask(&server, "GET", "/api/v1/namespaces", &accept, "").await.media_type, JSON, "{form}");
    }
}

#[tokio::test]
async fn each_of_upstreams_servers_has_its_register_of_kinds() {
    let server = TestServer::start().await.expect("a server");
    for (path, scheme) in [
        ("/api/v1/nodes", "pkg/api/legacyscheme/scheme.go:30"),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "k8s.io/apiextensions-apiserver/pkg/apiserver/apiserver.go:55",
        ),
        ("/apis/apiregistration.k8s.io/v1/apiservices", "k8s.io/kube-aggregator/pkg/apiserver/scheme/scheme.go:28"),
    ] {
        let answer = ask(&server, "POST", path, JSON, r#"{"kind":"Foo","apiVersion":"foo/v9"}"#).await;
        assert!(answer.code == 400 && answer.text.contains(scheme), "{path}: {}", answer.text);
    }
}
