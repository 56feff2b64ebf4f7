//! Tokens of OpenID issuers: their keys are found by discovery, kept, and looked for again when a token has another
//! (upstream: apiserver/plugin/pkg/authenticator/token/oidc, go-oidc's remote key set).

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use auth::jose::{Algorithm, Claims, PublicKey, Refusal, Unverified};
use auth::jwt::{Authenticator, Issuer};
use meta::field::quote;
use meta::time::Timestamp;
use meta::{Value, json};
use outbound::{Authority, Client, Endpoint};
use resource::User;
use tokio::sync::Mutex;

use super::distant::{Signers, expand};
use super::{Answer, Bearer, Rejected, Remembered, Token, TokenOutcome, Tokens};

/// Of one document of an issuer.
pub(super) const FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// An issuer that could not be reached is left alone for as long.
const FAILED_TIME: Duration = Duration::from_secs(10);
/// Keys that an issuer no longer publishes are believed this long at most, while it can be reached.
const KEYS_TIME_MAX: Duration = Duration::from_secs(300);
/// How often tokens with unknown keys may make this server ask for keys, in each [`WINDOW`].
const FETCHES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);
/// How long a verified signature is believed.
const VERIFIED_TIME_MAX: Duration = Duration::from_secs(10);
const WELL_KNOWN: &str = "/.well-known/openid-configuration";
const NOT_READY: &str = "oidc: authenticator not initialized";

/// All issuers that are believed. They may be exchanged while tokens are checked.
#[derive(Default)]
pub struct JwtIssuers {
    current: ArcSwap<Vec<Arc<JwtIssuer>>>,
}

impl JwtIssuers {
    pub fn new(issuers: Vec<Arc<JwtIssuer>>) -> JwtIssuers {
        JwtIssuers { current: ArcSwap::from_pointee(issuers) }
    }

    /// Others count from now on.
    pub fn replace(&self, issuers: Vec<Arc<JwtIssuer>>) {
        self.current.store(Arc::new(issuers));
    }
}

impl Tokens for JwtIssuers {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, TokenOutcome> {
        let Some(unverified) = Unverified::parse(token.text) else { return Answer::Now(Ok(None)) };
        let url = match unverified.issuer() {
            // What Google once put into tokens.
            "accounts.google.com" => "https://accounts.google.com",
            url => url,
        };
        let issuers = self.current.load();
        let Some(issuer) = issuers.iter().find(|issuer| issuer.rules.issuer.url == url).cloned() else {
            return Answer::Now(Ok(None));
        };
        Answer::Later(Box::pin(async move { issuer.bearer(token.text).await.map(Some).map_err(Rejected) }))
    }
}

/// One issuer, its keys, and what its tokens say.
pub struct JwtIssuer {
    rules: Authenticator,
    algorithms: Vec<Algorithm>,
    keys: ArcSwapOption<KeySet>,
    fetching: Mutex<Fetching>,
    verified: Remembered<Arc<Claims>>,
    signers: Signers,
}

struct KeySet {
    keys: Vec<PublicKey>,
    fetched: Instant,
}

/// What is known for the next time that keys are fetched.
#[derive(Default)]
struct Fetching {
    jwks_uri: Option<String>,
    failed: Option<Instant>,
    /// When the window began, and how often keys were fetched in it.
    window: Option<(Instant, u32)>,
}

impl JwtIssuer {
    pub fn new(rules: Authenticator, algorithms: Vec<Algorithm>) -> JwtIssuer {
        JwtIssuer {
            rules,
            algorithms,
            keys: ArcSwapOption::empty(),
            fetching: Mutex::default(),
            verified: Remembered::default(),
            signers: Signers::default(),
        }
    }

    pub(super) fn rules(&self) -> &Authenticator {
        &self.rules
    }

    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Finds the keys before the first token comes. Whether that succeeded shows when one does.
    pub async fn prepare(&self) {
        if let Err(why) = self.fetch(None).await {
            tracing::warn!(issuer = self.rules.issuer.url, why, "the keys of an issuer are not known yet");
        }
    }

    async fn bearer(&self, token: &str) -> Result<Bearer, String> {
        let claims = match self.verified.get(token) {
            Some(known) => known,
            None => {
                let claims = self.verify(token).await?;
                self.rules.check_use(&claims, Timestamp::now()).map_err(|why| format!("oidc: verify token: {why}"))?;
                let expanded = expand(self, &self.signers, claims).await;
                let claims = expanded.map_err(|why| format!("oidc: could not expand distributed claims: {why}"))?;
                let claims = Arc::new(claims);
                self.verified.remember(token, claims.clone(), VERIFIED_TIME_MAX);
                claims
            }
        };
        let identity = self.rules.identity(&claims, Timestamp::now())?;
        let user = User { name: identity.name, uid: identity.uid, groups: identity.groups, extra: identity.extra };
        Ok(user.into())
    }

    /// With the keys that are known; if none of them fits, with those that the issuer has now.
    pub(super) async fn verify(&self, token: &str) -> Result<Claims, String> {
        let known = self.keys.load_full().filter(|known| known.fetched.elapsed() < KEYS_TIME_MAX);
        if let Some(known) = &known {
            match self.verify_with(known, token) {
                Err(Refusal::NoKey | Refusal::Signature) => {}
                decided => return decided.map_err(refused),
            }
        }
        let fetched = self.fetch(known.as_ref()).await;
        // Without an answer from the issuer the keys of before have to do.
        let keys = self.keys.load_full().ok_or_else(|| fetched.err().unwrap_or_else(|| NOT_READY.to_owned()))?;
        self.verify_with(&keys, token).map_err(refused)
    }

    fn verify_with(&self, known: &KeySet, token: &str) -> Result<Claims, Refusal> {
        let unverified = Unverified::parse(token).ok_or(Refusal::Signature)?;
        unverified.verify(known.keys.iter(), &self.algorithms)
    }

    /// Fetches the keys, unless somebody else has replaced `known` meanwhile or it has been asked too often.
    async fn fetch(&self, known: Option<&Arc<KeySet>>) -> Result<(), String> {
        let mut fetching = self.fetching.lock().await;
        let current = self.keys.load_full();
        let replaced = match (&current, known) {
            (Some(current), Some(known)) => !Arc::ptr_eq(current, known),
            (Some(current), None) => current.fetched.elapsed() < KEYS_TIME_MAX,
            (None, _) => false,
        };
        if replaced {
            return Ok(());
        }
        if fetching.failed.is_some_and(|failed| failed.elapsed() < FAILED_TIME) || !fetching.may_fetch() {
            return Err(NOT_READY.to_owned());
        }
        let fetched = fetch_keys(&self.rules.issuer, &mut fetching.jwks_uri).await;
        fetching.failed = fetched.is_err().then(Instant::now);
        let keys = fetched.inspect_err(|why| tracing::warn!(issuer = self.rules.issuer.url, why, "no keys"));
        let keys = keys.map_err(|_| NOT_READY.to_owned())?;
        self.keys.store(Some(Arc::new(KeySet { keys, fetched: Instant::now() })));
        Ok(())
    }
}

fn refused(why: Refusal) -> String {
    format!("oidc: verify token: {why}")
}

impl Fetching {
    fn may_fetch(&mut self) -> bool {
        let (began, count) = match self.window {
            Some((began, count)) if began.elapsed() < WINDOW => (began, count.saturating_add(1)),
            _ => (Instant::now(), 1),
        };
        self.window = Some((began, count));
        count <= FETCHES_MAX
    }
}

async fn fetch_keys(issuer: &Issuer, jwks_uri: &mut Option<String>) -> Result<Vec<PublicKey>, String> {
    let uri = match jwks_uri {
        Some(uri) => uri.clone(),
        None => discover(issuer).await?,
    };
    let set = fetch_document(issuer, &uri).await?;
    *jwks_uri = Some(uri);
    Ok(set["keys"].items().iter().filter_map(PublicKey::from_jwk).collect())
}

/// Where the keys are, from a document that must be the issuer's own.
async fn discover(issuer: &Issuer) -> Result<String, String> {
    let default = || format!("{}{WELL_KNOWN}", issuer.url.trim_end_matches('/'));
    let url = issuer.discovery_url.clone().unwrap_or_else(default);
    let document = fetch_document(issuer, &url).await?;
    let own = document["issuer"].str();
    if own != issuer.url {
        let [wanted, own] = [&issuer.url, own].map(quote);
        return Err(format!("oidc: issuer did not match the issuer returned by provider, expected {wanted} got {own}"));
    }
    match document["jwks_uri"].str() {
        uri if uri.starts_with("https://") => Ok(uri.to_owned()),
        other => Err(format!("jwks_uri: {} is no https URL", quote(other))),
    }
}

/// Who signs the issuer's own certificate.
pub(super) fn authority(issuer: &Issuer) -> Authority {
    issuer.authority.clone().map_or(Authority::System, Authority::Pem)
}

async fn fetch_document(issuer: &Issuer, url: &str) -> Result<Value, String> {
    let client = Client::new(&Endpoint { authority: authority(issuer), ..Endpoint::new(url) })?;
    let answer = client.get(client.target(), FETCH_TIME_MAX).await.map_err(|why| why.text)?;
    json::parse(&answer.body).map(|parsed| parsed.value).map_err(|why| format!("{url}: {why}"))
}
