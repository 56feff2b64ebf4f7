//! `--service-account-*`: who makes tokens of service accounts, with which keys, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use auth::jose::{PrivateKey, PublicKey};
use resource::TokenPolicy;
use serve::token::{TokenKeys, UsedSecrets};

use crate::flags::Given;
use crate::options::{duration, path};
use crate::trust;

const SIGNING_KEY: &str = "service-account-signing-key-file";
const KEY: &str = "service-account-key-file";
const SECONDS_MIN: u64 = 3600;
const SECONDS_MAX: u64 = 1 << 32;

#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// The first one is that of new tokens.
    pub issuers: Vec<String>,
    /// Empty: only the key that signs.
    keys: Vec<PathBuf>,
    /// `None`: the data directory's key.
    signing_key: Option<PathBuf>,
    lookup: bool,
    time_max: Option<Duration>,
    extends: bool,
    /// Where other servers find the keys, if not at this server.
    jwks_uri: Option<String>,
}

impl Accounts {
    pub fn resolve(given: &Given) -> Result<Accounts, String> {
        let mut issuers = given.list("service-account-issuer");
        if issuers.is_empty() {
            issuers.push("https://kubernetes.default.svc".into());
        }
        let time_max = duration(given, "service-account-max-token-expiration")?;
        if !time_max.is_zero() && !(SECONDS_MIN..=SECONDS_MAX).contains(&time_max.as_secs()) {
            return Err("--service-account-max-token-expiration must be between 1 hour and 2^32 seconds".into());
        }
        let jwks_uri = Some(given.text("service-account-jwks-uri").to_owned()).filter(|uri| !uri.is_empty());
        if let Some(uri) = jwks_uri.as_ref().filter(|uri| !uri.starts_with("https://")) {
            return Err(format!("--service-account-jwks-uri requires https scheme, parsed as: {uri}"));
        }
        Ok(Accounts {
            issuers,
            keys: given.list(KEY).into_iter().map(PathBuf::from).collect(),
            signing_key: path(given, SIGNING_KEY),
            lookup: given.switch("service-account-lookup")?,
            time_max: Some(time_max).filter(|time| !time.is_zero()),
            extends: given.switch("service-account-extend-token-expiration")?,
            jwks_uri,
        })
    }

    /// Keys that are named replace the one that signs: as upstream, it must be named too for its tokens to be accepted.
    pub fn keys(&self, own: &str, audiences: &[String]) -> Result<TokenKeys, String> {
        let signing = self.signing_key.as_ref().map(|path| trust::read_file(SIGNING_KEY, path)).transpose()?;
        let signer = PrivateKey::from_pem(signing.as_deref().unwrap_or(own));
        let signer = signer.map_err(|why| format!("--{SIGNING_KEY}: {why}"))?;
        let mut verifiers: Vec<PublicKey> = vec![];
        for path in &self.keys {
            let keys = PublicKey::all_from_pem(&trust::read_file(KEY, path)?);
            for key in keys.map_err(|why| format!("--{KEY}: {}: {why}", path.display()))? {
                if !verifiers.contains(&key) {
                    verifiers.push(key);
                }
            }
        }
        if verifiers.is_empty() {
            verifiers.push(signer.public());
        }
        let policy = TokenPolicy {
            audiences: audiences.iter().map(|audience| audience.as_str().into()).collect(),
            seconds_max: self.time_max.map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX)),
            extends: self.extends,
        };
        let issuers = self.issuers.iter().map(|issuer| issuer.as_str().into()).collect();
        let (lookup, jwks_uri) = (self.lookup, self.jwks_uri.clone());
        Ok(TokenKeys { issuers, policy, signer, verifiers, lookup, jwks_uri, used: UsedSecrets::default() })
    }
}
