//! Certificates on both sides.

use crate::{EtcdServer, commit, put, resources};
use rcgen::{BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use store::{EtcdOptions, EtcdTls, Expect, Options, Store};

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key, PEM.
    fn sign(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_certificates() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = authority.sign(&["127.0.0.1", "localhost"]);
    let flags = [
        format!("--cert-file={}", write("server.crt", &certificate)),
        format!("--key-file={}", write("server.key", &key)),
        format!("--trusted-ca-file={}", write("ca.crt", &authority.certificate.pem())),
        "--client-cert-auth".to_owned(),
    ];
    let Some(etcd) = EtcdServer::start_with("tls", &flags) else { return };
    let open = async |authorities: &Authority, identity: Option<(String, String)>| {
        let mut options: EtcdOptions = etcd.options();
        // The second one answers, too.
        options.client.endpoints =
            vec![format!("https://localhost:{}", etcd.port), format!("https://127.0.0.1:{}", etcd.port)];
        options.client.tls = EtcdTls { authorities: Some(authorities.certificate.pem()), identity };
        Store::open_etcd(options, resources(), Options::default()).await
    };
    let store = open(&authority, Some(authority.sign(&["kybern"]))).await.unwrap();
    commit(&store, put("a", "1", Expect::Absent)).await.unwrap();
    let stranger = Authority::new();
    let (bare, strange, unknown) = tokio::join!(
        open(&authority, None),
        open(&authority, Some(stranger.sign(&["kybern"]))),
        open(&stranger, Some(authority.sign(&["kybern"]))),
    );
    assert!(bare.is_err(), "a client without a certificate");
    assert!(strange.is_err(), "one that a stranger signed");
    let why = unknown.unwrap_err();
    assert!(why.contains("certificate"), "{why}");
}
