//! TLS settings: which protocols, and client certificates that are asked for but judged later.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme, SupportedCipherSuite,
};

/// The cryptography in use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Which protocols are spoken.
#[derive(Clone, Debug)]
pub struct Protocols {
    pub http2: bool,
    pub tls13_only: bool,
    provider: Arc<CryptoProvider>,
}

impl Default for Protocols {
    fn default() -> Protocols {
        Protocols { http2: true, tls13_only: false, provider: provider() }
    }
}

/// Suites of TLS 1.2 that Go has and that are not offered here: without forward secrecy, or with CBC, RC4 or 3DES.
const SUITES_NOT_OFFERED: &[&str] = &[
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

/// Go's names of key exchanges that are not offered here are numbers, too: P-521 and X25519 with ML-KEM.
const CURVES_NOT_OFFERED: &[u16] = &[25, 4587, 4588, 4589];

impl Protocols {
    /// `suites` by Go's names and `curves` by their numbers; none is all. As with Go, suites of TLS 1.3 are not chosen.
    pub fn new(http2: bool, tls13_only: bool, suites: &[String], curves: &[u16]) -> Result<Protocols, String> {
        let mut provider = rustls::crypto::ring::default_provider();
        let offered: Vec<String> = provider.cipher_suites.iter().map(suite_name).collect();
        let known = |name: &str| SUITES_NOT_OFFERED.contains(&name) || offered.iter().any(|offered| offered == name);
        let suites: Vec<String> = suites.iter().map(|name| full_name(name)).collect();
        if let Some(unknown) = suites.iter().find(|name| !known(name)) {
            return Err(format!("--tls-cipher-suites: Cipher suite {unknown} not supported or doesn't exist"));
        }
        if !suites.is_empty() {
            let chosen = |suite: &SupportedCipherSuite| suite.tls13().is_some() || suites.contains(&suite_name(suite));
            provider.cipher_suites.retain(chosen);
        }
        let numbers: Vec<u16> = provider.kx_groups.iter().map(|group| u16::from(group.name())).collect();
        let known = |number: &&u16| CURVES_NOT_OFFERED.contains(number) || numbers.contains(number);
        if let Some(unknown) = curves.iter().find(|number| !known(number)) {
            return Err(format!("--tls-curve-preferences: {unknown} is no key exchange that is known"));
        }
        if !curves.is_empty() {
            provider.kx_groups.retain(|group| curves.contains(&u16::from(group.name())));
        }
        if provider.kx_groups.is_empty() {
            return Err("--tls-curve-preferences: none of these is offered here".into());
        }
        Ok(Protocols { http2, tls13_only, provider: Arc::new(provider) })
    }
}

/// Go's name.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.strip_prefix("TLS13_").map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
}

/// Two suites have short names from before they were standardized.
fn full_name(name: &str) -> String {
    if name.ends_with("_CHACHA20_POLY1305") { format!("{name}_SHA256") } else { name.to_owned() }
}

/// The configuration of the secure port. Clients are asked for a certificate, which is optional and may be anything that its
/// holder has the key of; `authenticate` verifies it. Whose certificates will do is not told, since that may change at any
/// time and clients would keep theirs to themselves.
pub fn server_config(certificates: Arc<dyn ResolvesServerCert>, protocols: &Protocols) -> Result<ServerConfig, Error> {
    let both: &[_] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let has_tls12 = protocols.provider.cipher_suites.iter().any(|suite| suite.tls13().is_none());
    let versions = if protocols.tls13_only || !has_tls12 { &[&rustls::version::TLS13] } else { both };
    let provider = protocols.provider.clone();
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions)?;
    let builder = builder.with_client_cert_verifier(Arc::new(AskOnly { provider }));
    let mut config = builder.with_cert_resolver(certificates);
    let alpn: &[&[u8]] = if protocols.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// Decides whether a client certificate is signed by one of the roots and valid now.
pub fn client_verifier(roots: RootCertStore) -> Result<Arc<dyn ClientCertVerifier>, String> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(|why| why.to_string())
}

/// Asks for a certificate and checks only that the client has its key.
#[derive(Debug)]
struct AskOnly {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AskOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(suites: &[&str], curves: &[u16]) -> Result<Protocols, String> {
        let suites: Vec<String> = suites.iter().map(|name| (*name).to_owned()).collect();
        Protocols::new(true, false, &suites, curves)
    }

    fn tls12(protocols: &Protocols) -> Vec<String> {
        protocols.provider.cipher_suites.iter().filter(|suite| suite.tls13().is_none()).map(suite_name).collect()
    }

    #[test]
    fn suites_are_chosen_by_gos_names() {
        assert_eq!(tls12(&Protocols::default()).len(), 6);
        let one = protocols(&["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"], &[]);
        let one = one.expect("known names");
        assert_eq!(tls12(&one), ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
        assert_eq!(one.provider.cipher_suites.len(), 4, "TLS 1.3 stays");
        let old = protocols(&["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"], &[]).expect("an old name");
        assert_eq!(tls12(&old), ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"]);
        let none = protocols(&["TLS_AES_128_GCM_SHA256"], &[]).expect("a name of TLS 1.3");
        assert!(tls12(&none).is_empty());
        let unknown = protocols(&["TLS_ROT13"], &[]).expect_err("unknown");
        assert_eq!(unknown, "--tls-cipher-suites: Cipher suite TLS_ROT13 not supported or doesn't exist");
    }

    #[test]
    fn curves_are_chosen_by_number() {
        let groups = |curves: &[u16]| protocols(&[], curves).map(|p| p.provider.kx_groups.len());
        assert_eq!((groups(&[]), groups(&[29]), groups(&[23, 25])), (Ok(3), Ok(1), Ok(1)));
        assert!(groups(&[25]).is_err() && groups(&[1]).is_err());
    }
}
