//! Client certificates and front proxies: who is believed, and what is refused however it is presented.

mod client;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Sender, ask, audit_flags, expect_refusal};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;
use meta::{Value, value};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use serve::listen::Peer;

/// How long a changed file may take to be seen. (Nobody waits as long when all is well.)
const SEEN_TIME_MAX: Duration = Duration::from_secs(60);

type Issuer = CertifiedIssuer<'static, KeyPair>;
type Chain = Vec<CertificateDer<'static>>;

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new(vec![]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, key()).expect("an authority")
}

/// What a good client's certificate says.
fn of_client(name: &str, group: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).expect("parameters");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn signed(params: CertificateParams, by: &Issuer) -> Chain {
    vec![params.signed_by(&key(), by).expect("a certificate").der().clone()]
}

/// Who the server takes a client for that has this chain and these headers; `Err` with the code of the refusal.
async fn who(server: &TestServer, chain: &[CertificateDer<'static>], headers: &[(&str, &str)]) -> Result<String, u16> {
    let peer = Peer { certificates: Arc::from(chain.to_vec()), encrypted: true, ..Peer::default() };
    let review = value!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let request =
        Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews").header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(Bytes::from(meta::json::to_vec(&review)))).expect("a request");
    let response = server.request_from(peer, request).await;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let answer = meta::json::parse(&body).expect("JSON").value;
    let user = &answer["status"]["userInfo"];
    let groups = user["groups"].items().iter().map(|group| group.str()).collect::<Vec<_>>().join(" ");
    if code == 201 { Ok(format!("{}: {groups}", user["username"].str())) } else { Err(code) }
}

async fn server(folder: &Path, clients: &Issuer, proxies: &Issuer) -> TestServer {
    let file = |name: &str, pem: String| {
        let path = folder.join(name);
        std::fs::write(&path, pem).expect("a file");
        path.display().to_string()
    };
    let flags = [
        format!("--client-ca-file={}", file("clients.pem", clients.pem())),
        format!("--requestheader-client-ca-file={}", file("proxies.pem", proxies.pem())),
        "--requestheader-allowed-names=front".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
    ];
    let (audit, _) = audit_flags(folder);
    let flags: Vec<&str> = flags.iter().chain(&audit).map(String::as_str).collect();
    TestServer::start_with(&flags).await.expect("a server")
}

/// The ConfigMap that tells the servers behind this one whom to believe.
async fn told(server: &TestServer) -> Value {
    let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    ask(server, Sender::Itself, "GET", path, &Value::Null).await.1["data"].clone()
}

#[tokio::test]
async fn bad_certificates_are_a_401() {
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), authority("clients"));
    let server = server(folder.path(), &clients, &authority("proxies")).await;
    let good = signed(of_client("ann", "dev"), &clients);
    assert_eq!(who(&server, &good, &[]).await.as_deref(), Ok("ann: dev system:authenticated"));
    let changed = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = of_client("ann", "system:masters");
        change(&mut params);
        signed(params, &clients)
    };
    let mut middle = CertificateParams::new(vec![]).expect("parameters");
    middle.is_ca = IsCa::ExplicitNoCa;
    let no_authority = CertifiedIssuer::signed_by(middle, key(), &clients).expect("a certificate");
    let mut by_no_authority = signed(of_client("ann", "system:masters"), &no_authority);
    by_no_authority.push(no_authority.der().clone());
    let own = of_client("ann", "system:masters").self_signed(&key()).expect("a certificate").der().clone();
    let nameless = changed(&|params| params.distinguished_name = rcgen::DistinguishedName::new());
    assert_eq!(
        who(&server, &nameless, &[]).await,
        Err(403),
        "one without a name says nothing: anonymous, who may not ask"
    );
    let cases: [(&str, Chain); 7] = [
        ("expired", changed(&|params| params.not_after = date_time_ymd(2020, 1, 1))),
        ("not valid yet", changed(&|params| params.not_before = date_time_ymd(2999, 1, 1))),
        ("for servers", changed(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
        ("self-signed", vec![own]),
        ("another authority of the same name", signed(of_client("ann", "system:masters"), &authority("clients"))),
        ("signed by one who may not sign", by_no_authority),
        ("no certificate", vec![CertificateDer::from(b"certificate".to_vec())]),
    ];
    for (what, chain) in cases {
        assert_eq!(who(&server, &chain, &[]).await, Err(401), "{what}");
        expect_refusal(&folder.path().join("audit.log"), "x509", what);
    }
}

#[tokio::test]
async fn only_front_proxies_speak_for_others() {
    let (folder, clients, proxies) =
        (tempfile::tempdir().expect("a folder"), authority("clients"), authority("proxies"));
    let server = server(folder.path(), &clients, &proxies).await;
    let smuggled = [("X-Remote-User", "root"), ("X-Remote-Group", "system:masters"), ("X-Remote-Extra-Scopes", "all")];
    let front = signed(of_client("front", "x"), &proxies);
    assert_eq!(who(&server, &front, &smuggled).await.as_deref(), Ok("root: system:masters system:authenticated"));
    assert_eq!(who(&server, &[], &smuggled).await, Err(403), "nobody stays nobody, who may not ask");
    let ann = signed(of_client("ann", "dev"), &clients);
    assert_eq!(who(&server, &ann, &smuggled).await.as_deref(), Ok("ann: dev system:authenticated"));
    let mut expired = of_client("front", "x");
    expired.not_after = date_time_ymd(2020, 1, 1);
    let refused: [(&str, Chain); 4] = [
        ("a name that is not allowed", signed(of_client("other", "x"), &proxies)),
        ("expired", signed(expired, &proxies)),
        ("a client's authority", signed(of_client("front", "x"), &authority("proxies"))),
        ("no certificate", vec![CertificateDer::from(vec![])]),
    ];
    for (what, chain) in refused {
        assert_eq!(who(&server, &chain, &smuggled).await, Err(401), "{what}");
        expect_refusal(&folder.path().join("audit.log"), "x509", what);
    }
    assert_eq!(who(&server, &front, &[]).await, Err(401), "a proxy that speaks for nobody is no client");
}

#[tokio::test]
async fn authorities_change_without_a_new_start() {
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), authority("clients"));
    let server = server(folder.path(), &clients, &authority("proxies")).await;
    let next = authority("next");
    let [old, new] = [&clients, &next].map(|issuer| signed(of_client("ann", "dev"), issuer));
    assert!(who(&server, &old, &[]).await.is_ok());
    assert_eq!(who(&server, &new, &[]).await, Err(401));
    std::fs::write(folder.path().join("clients.pem"), next.pem()).expect("a file");
    let deadline = Instant::now() + SEEN_TIME_MAX;
    while who(&server, &new, &[]).await.is_err() {
        assert!(Instant::now() < deadline, "the changed file is not seen");
        tokio::task::yield_now().await;
    }
    assert_eq!(who(&server, &old, &[]).await, Err(401), "also what was believed a moment ago");
    // What others were told stays, since other servers may still believe it.
    let certificates = async || {
        let told = told(&server).await;
        outbound::certificates(told["client-ca-file"].str()).map_or(0, |certificates| certificates.len())
    };
    while certificates().await < 2 {
        assert!(Instant::now() < deadline, "others are not told");
        tokio::task::yield_now().await;
    }
    let told = told(&server).await;
    assert_eq!(told["requestheader-allowed-names"].str(), "[\"front\"]");
    assert_eq!(told["requestheader-extra-headers-prefix"].str(), "[\"X-Remote-Extra-\"]");
    assert!(outbound::certificates(told["requestheader-client-ca-file"].str()).is_ok());
}
