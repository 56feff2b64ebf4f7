//! `--requestheader-*`: a proxy with a certificate of its own says in headers who the user is.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use meta::Str;
use resource::User;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;

use super::{Answer, Authenticator, Credentials, Outcome, Rejected, common_name};

/// Which certificates are a front proxy's, and which headers it uses. Header names are compared without case.
pub struct FrontProxy {
    pub verifier: RwLock<Arc<dyn ClientCertVerifier>>,
    /// Common names; none is any.
    pub names: Vec<String>,
    pub user_headers: Vec<String>,
    pub uid_headers: Vec<String>,
    pub group_headers: Vec<String>,
    pub extra_prefixes: Vec<String>,
}

impl FrontProxy {
    /// Other authorities count from now on.
    pub fn replace(&self, verifier: Arc<dyn ClientCertVerifier>) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    fn resolve(&self, credentials: &Credentials<'_>) -> Outcome {
        let Some(name) = first(credentials.headers, &self.user_headers) else { return Ok(None) };
        let Some((leaf, intermediates)) = credentials.peer.certificates.split_first() else { return Ok(None) };
        let verifier = self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone();
        verifier
            .verify_client_cert(leaf, intermediates, UnixTime::now())
            .map_err(|why| Rejected(format!("verifying the front proxy's certificate: {why}")))?;
        let proxy = common_name(leaf).unwrap_or_default();
        if !self.names.is_empty() && !self.names.contains(&proxy) {
            return Err(Rejected(format!("{proxy:?} is not among the names of front proxies")));
        }
        Ok(Some(User {
            name: name.into(),
            uid: first(credentials.headers, &self.uid_headers).unwrap_or_default().into(),
            groups: all(credentials.headers, &self.group_headers),
            extra: self.extra(credentials.headers),
        }))
    }

    fn extra(&self, headers: &HeaderMap) -> Vec<(Str, Vec<Str>)> {
        let mut extra: Vec<(Str, Vec<Str>)> = vec![];
        for prefix in &self.extra_prefixes {
            let prefix = prefix.to_lowercase();
            for (name, value) in headers {
                let (Some(key), Ok(value)) = (name.as_str().strip_prefix(&prefix), value.to_str()) else { continue };
                let key = super::unescape_key(key);
                match extra.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, values)) => values.push(value.into()),
                    None => extra.push((key, vec![value.into()])),
                }
            }
        }
        extra.sort();
        extra
    }
}

impl Authenticator for FrontProxy {
    fn authenticate<'a>(&'a self, credentials: &'a Credentials<'a>) -> Answer<'a, Outcome> {
        Answer::Now(self.resolve(credentials))
    }
}

/// The first value that is not empty, of the headers in their order.
fn first<'a>(headers: &'a HeaderMap, names: &[String]) -> Option<&'a str> {
    let values = names.iter().filter_map(|name| headers.get(name)?.to_str().ok());
    values.map(str::trim).find(|value| !value.is_empty())
}

fn all(headers: &HeaderMap, names: &[String]) -> Vec<Str> {
    let values = names.iter().flat_map(|name| headers.get_all(name)).filter_map(|value| value.to_str().ok());
    values.map(Into::into).collect()
}
