//! Client certificates: common name = user, organizations = groups.

use std::sync::Arc;

use resource::User;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Answer, Authenticator, Credentials, Outcome, Rejected};

const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// The subject attribute in which upstream carries a uid.
const UID_OID: &str = "1.3.6.1.4.1.57683.2";

/// Certificates signed by `--client-ca-file`. The TLS layer lets any certificate in; whether it counts is decided here,
/// for each request, so that a bad one is a 401 and no broken connection, and so that one that expires stops counting.
pub struct ClientCertificates {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientCertificates {
    pub fn new(verifier: Arc<dyn ClientCertVerifier>) -> ClientCertificates {
        ClientCertificates { verifier }
    }

    fn verify(&self, chain: &[CertificateDer<'static>]) -> Outcome {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Ok(None);
        };
        self.verifier
            .verify_client_cert(leaf, intermediates, UnixTime::now())
            .map_err(|why| Rejected(format!("verifying the client certificate: {why}")))?;
        user_of(leaf).map(Some)
    }
}

impl Authenticator for ClientCertificates {
    fn authenticate<'a>(&'a self, credentials: &'a Credentials<'a>) -> Answer<'a, Outcome> {
        Answer::Now(self.verify(&credentials.peer.certificates))
    }
}

fn user_of(leaf: &CertificateDer<'_>) -> Result<User, Rejected> {
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|why| Rejected(format!("reading the client certificate: {why}")))?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().last().and_then(|cn| cn.as_str().ok()).unwrap_or_default();
    if name.is_empty() {
        // Upstream takes such a certificate for one of another purpose: no user, no error. An empty user name
        // would be none either way.
        return Err(Rejected("the client certificate has no common name".into()));
    }
    let groups = subject.iter_organization().filter_map(|o| o.as_str().ok()).map(Into::into).collect();
    let uid = subject.iter_attributes().find(|attribute| attribute.attr_type().to_id_string() == UID_OID);
    let uid = uid.and_then(|uid| uid.as_str().ok()).unwrap_or_default().into();
    let digest = ring::digest::digest(&ring::digest::SHA256, leaf);
    let id = digest.as_ref().iter().fold(String::from("X509SHA256="), |text, byte| text + &format!("{byte:02x}"));
    Ok(User { name: name.into(), uid, groups, extra: vec![(CREDENTIAL_ID.into(), vec![id.into()])] })
}

/// The common name of a certificate, for names lists such as `--requestheader-allowed-names`.
pub fn common_name(leaf: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    certificate.subject().iter_common_name().last()?.as_str().ok().map(str::to_owned)
}
