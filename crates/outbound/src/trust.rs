//! What TLS needs: authorities, and the configuration of a client.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::endpoint::{Authority, Identity};

/// Where systems keep the authorities they trust; the first that exists counts (Go: crypto/x509/root_linux.go).
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities of a bundle, PEM. None is an error.
pub fn roots(bundle: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(bundle)? {
        roots.add(certificate).map_err(|why| why.to_string())?;
    }
    Ok(roots)
}

/// The certificates of a chain or bundle, PEM. None is an error.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|why| why.to_string())?;
    if found.is_empty() { Err("no certificate in it".into()) } else { Ok(found) }
}

/// Without any on this machine nobody is trusted.
fn system_roots() -> RootCertStore {
    let named = std::env::var("SSL_CERT_FILE").ok();
    let mut paths = named.iter().map(String::as_str).chain(SYSTEM_BUNDLES.iter().copied());
    let text = paths.find(|path| Path::new(path).is_file()).and_then(|path| std::fs::read_to_string(path).ok());
    let mut roots = RootCertStore::empty();
    // A certificate that cannot be read makes no other one worse.
    roots.add_parsable_certificates(certificates(&text.unwrap_or_default()).unwrap_or_default());
    roots
}

/// The TLS side of a client. HTTP/1.1 is all that it speaks.
pub fn client_config(authority: &Authority, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(|why| why.to_string())?;
    let builder = match authority {
        Authority::System => builder.with_root_certificates(system_roots()),
        Authority::Pem(bundle) => {
            let verifier = Issued::new(bundle, &provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        Authority::Anything => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
            let key = key.map_err(|why| format!("the client key: {why}"))?;
            let chain = certificates(&identity.chain).map_err(|why| format!("the client certificate: {why}"))?;
            builder.with_client_auth_cert(chain, key).map_err(|why| format!("the client certificate: {why}"))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes what an authority of the bundle has issued, and the certificates of the bundle themselves, as Go does: those that
/// sign themselves often serve, and say that they are authorities.
#[derive(Debug)]
struct Issued {
    issued: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Issued {
    fn new(bundle: &str, provider: &Arc<CryptoProvider>) -> Result<Issued, String> {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(bundle)?), provider.clone());
        Ok(Issued { issued: builder.build().map_err(|why| why.to_string())?, own: certificates(bundle)? })
    }
}

impl ServerCertVerifier for Issued {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.issued.verify_server_cert(shown, intermediates, name, stapled, now) {
            // What an authority shows for itself has no other name.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if self.own.contains(shown) => {
                check_time(shown, now)?;
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.issued.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.issued.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Takes every certificate, but still has the other side prove that it holds the key.
#[derive(Debug)]
pub struct AnyCertificate(pub Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
