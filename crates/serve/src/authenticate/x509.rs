//! Client certificates: common name = user, organizations = groups.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

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
/// What was found good is believed for a while.
pub struct ClientCertificates {
    verifier: RwLock<Arc<dyn ClientCertVerifier>>,
    /// By the whole chain as presented. Two signatures to check are most of the work of a small read.
    verified: Mutex<HashMap<Vec<u8>, Verified>>,
}

/// A chain that was found good.
struct Verified {
    user: User,
    /// Looked at again after this.
    until: Instant,
    /// The leaf's end, in Unix seconds.
    expires_at_seconds: i64,
}

/// How long a verified chain is believed.
const VERIFIED_TIME_MAX: Duration = Duration::from_secs(60);
/// Chains that are remembered; when there are more, all are looked at again.
const VERIFIED_MAX: usize = 4096;

impl ClientCertificates {
    pub fn new(verifier: Arc<dyn ClientCertVerifier>) -> ClientCertificates {
        ClientCertificates { verifier: RwLock::new(verifier), verified: Mutex::default() }
    }

    /// Other authorities count from now on.
    pub fn replace(&self, verifier: Arc<dyn ClientCertVerifier>) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier;
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn verify(&self, chain: &[CertificateDer<'static>]) -> Outcome {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Ok(None);
        };
        let presented: Vec<u8> = chain.iter().flat_map(|certificate| certificate.iter().copied()).collect();
        let now = UnixTime::now();
        let now_seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = verified.get(&presented)
            && known.until > Instant::now()
            && known.expires_at_seconds >= now_seconds
        {
            return Ok(Some(known.user.clone()));
        }
        let verifier = self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone();
        verifier
            .verify_client_cert(leaf, intermediates, now)
            .map_err(|why| Rejected(format!("verifying the client certificate: {why}")))?;
        let Some((user, expires_at_seconds)) = user_of(leaf)? else { return Ok(None) };
        if verified.len() >= VERIFIED_MAX {
            verified.clear();
        }
        let until = Instant::now() + VERIFIED_TIME_MAX;
        verified.insert(presented, Verified { user: user.clone(), until, expires_at_seconds });
        Ok(Some(user))
    }
}

impl Authenticator for ClientCertificates {
    fn authenticate<'a>(&'a self, credentials: &'a Credentials<'a>) -> Answer<'a, Outcome> {
        Answer::Now(self.verify(&credentials.peer.certificates))
    }
}

/// The user of a certificate, and its end in Unix seconds; `None` for one without a name, which is for something else.
fn user_of(leaf: &CertificateDer<'_>) -> Result<Option<(User, i64)>, Rejected> {
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|why| Rejected(format!("reading the client certificate: {why}")))?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().last().and_then(|cn| cn.as_str().ok()).unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    let groups = subject.iter_organization().filter_map(|o| o.as_str().ok()).map(Into::into).collect();
    let uid = subject.iter_attributes().find(|attribute| attribute.attr_type().to_id_string() == UID_OID);
    let uid = uid.and_then(|uid| uid.as_str().ok()).unwrap_or_default().into();
    let digest = ring::digest::digest(&ring::digest::SHA256, leaf);
    let id = digest.as_ref().iter().fold(String::from("X509SHA256="), |text, byte| text + &format!("{byte:02x}"));
    let user = User { name: name.into(), uid, groups, extra: vec![(CREDENTIAL_ID.into(), vec![id.into()])] };
    Ok(Some((user, certificate.validity().not_after.timestamp())))
}

/// The common name of a certificate, for names lists such as `--requestheader-allowed-names`.
pub fn common_name(leaf: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    certificate.subject().iter_common_name().last()?.as_str().ok().map(str::to_owned)
}
