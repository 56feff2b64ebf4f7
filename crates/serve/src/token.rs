//! Service account tokens: JSON web tokens signed with the server's own key, made by a subresource and accepted as
//! credentials. What they claim and whom they make of their bearer is [`resource::TokenRules`]' business.

use crate::admit::Admission;
use crate::authenticate::{Answer, Bearer, Rejected, Remembered, Token, TokenOutcome, Tokens};
use crate::judge::Opinions;
use crate::options::{WriteKind, WriteOptions};
use crate::path::PathInfo;
use crate::registry::Resources;
use crate::server::{Server, StoreReader, new_uid};
use crate::warnings::Warnings;
use admission::Operation;
use auth::jose::{Algorithm, PrivateKey, PublicKey, Unverified};
use meta::time::Timestamp;
use meta::{Gvk, Str, Value, value};
use resource::{Claims, Context, KEPT_ISSUER, Presented, TokenNotes, TokenPolicy, TokenRules};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::sync::Notify;

/// How long a verified signature is believed. Whether the token still holds is asked every time.
const VERIFIED_TIME_MAX: Duration = Duration::from_secs(60);

/// The keys of service account tokens, and in whose name they are made.
pub struct TokenKeys {
    /// The first one is that of new tokens; those of the others are accepted.
    pub issuers: Vec<Str>,
    pub policy: TokenPolicy,
    pub signer: PrivateKey,
    /// In the order in which they are published.
    pub verifiers: Vec<PublicKey>,
    /// `--service-account-lookup`
    pub lookup: bool,
    /// `--service-account-jwks-uri`
    pub jwks_uri: Option<String>,
    pub used: UsedSecrets,
}

/// How many secrets wait to be marked. Those of others are marked when their tokens are used again.
const USED_MAX: usize = 10_000;

/// Secrets whose tokens were used, by namespace and name, until that is written on them.
#[derive(Default)]
pub struct UsedSecrets {
    names: Mutex<BTreeSet<(Str, Str)>>,
    changed: Notify,
}

impl UsedSecrets {
    fn note(&self, name: (Str, Str)) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < USED_MAX && names.insert(name) {
            self.changed.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<(Str, Str)> {
        std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there are some.
    pub async fn next(&self) -> BTreeSet<(Str, Str)> {
        loop {
            let names = self.take();
            if !names.is_empty() {
                return names;
            }
            self.changed.notified().await;
        }
    }
}

impl TokenKeys {
    /// The token.
    fn sign(&self, claims: &Claims, id: &str, now: Timestamp) -> Result<String, String> {
        let mut payload = value!({
            "aud": (claims.audiences.iter().map(Value::from).collect::<Vec<Value>>()),
            "exp": (now.seconds.saturating_add(claims.seconds)),
            "iat": (now.seconds),
            "iss": (self.issuers.first()),
            "jti": id
        });
        for (key, value) in claims.private.entries() {
            payload.set(key, value);
        }
        payload.set("nbf", now.seconds);
        payload.set("sub", &claims.subject);
        self.signer.sign(&payload)
    }

    /// The claims of a token of one of these issuers; `None` for what is none. The error: its signature is not good.
    fn verify(&self, token: &str) -> Result<Option<auth::jose::Claims>, String> {
        let Some(unverified) = Unverified::parse(token) else { return Ok(None) };
        let issuer = unverified.issuer();
        if issuer != KEPT_ISSUER && !self.issuers.iter().any(|own| own == issuer) {
            return Ok(None);
        }
        let verified = unverified.verify(self.verifiers.iter(), Algorithm::OF_ACCOUNTS);
        verified.map(Some).map_err(|why| why.to_string())
    }

    /// Whether documents for other servers are published: the issuer must be where they would look for them
    /// (pkg/serviceaccount/openidmetadata.go).
    pub fn is_published(&self) -> bool {
        let issuer = self.issuers.first().map_or("", Str::as_str);
        issuer.starts_with("https://") && !issuer.contains(['?', '#'])
    }

    /// `/.well-known/openid-configuration`; `own_uri` is where this server publishes its keys.
    pub fn discovery(&self, own_uri: &str) -> Value {
        let mut algorithms: Vec<&str> = self.verifiers.iter().map(|key| key.algorithm().name()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        value!({
            "issuer": (self.issuers.first()),
            "jwks_uri": (self.jwks_uri.as_deref().unwrap_or(own_uri)),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": (algorithms.into_iter().map(Value::from).collect::<Vec<Value>>())
        })
    }

    /// `/openid/v1/jwks`
    pub fn key_set(&self) -> Value {
        value!({"keys": (self.verifiers.iter().map(PublicKey::to_jwk).collect::<Vec<Value>>())})
    }
}

/// Accepts these tokens as credentials.
pub struct AccountTokens {
    keys: Arc<TokenKeys>,
    rules: &'static dyn TokenRules,
    store: Store,
    resources: Arc<Resources>,
    /// Checking a signature is most of the work of a small read.
    verified: Remembered<Arc<auth::jose::Claims>>,
}

impl AccountTokens {
    pub fn new(
        keys: Arc<TokenKeys>,
        rules: &'static dyn TokenRules,
        store: Store,
        resources: Arc<Resources>,
    ) -> AccountTokens {
        AccountTokens { keys, rules, store, resources, verified: Remembered::default() }
    }

    fn bearer(&self, token: &Token<'_>, now: Timestamp) -> Result<Option<Bearer>, String> {
        let known = self.verified.get(token.text);
        let claims = match known {
            Some(claims) => claims,
            None => {
                let Some(claims) = self.keys.verify(token.text)? else { return Ok(None) };
                let claims = Arc::new(claims);
                self.verified.remember(token.text, claims.clone(), VERIFIED_TIME_MAX);
                claims
            }
        };
        let trail = &token.warnings.trail;
        let mut meant = claims.audiences();
        if meant.is_empty() {
            // Such as are kept in secrets are for this server.
            trail.annotate("authentication.k8s.io/legacy-token", || claims["sub"].str().to_owned());
            meant.clone_from(&self.keys.policy.audiences);
        }
        let good: Vec<Str> = token.audiences.iter().filter(|wanted| meant.contains(wanted)).cloned().collect();
        if good.is_empty() {
            let [meant, wanted] = [&meant[..], token.audiences].map(quoted);
            return Err(format!("token audiences {meant} is invalid for the target audiences {wanted}"));
        }
        let reader = StoreReader { resources: &self.resources, store: &self.store };
        let presented = Presented { token: token.text, claims: &claims, now, lookup: self.keys.lookup };
        let mut notes = TokenNotes::default();
        let user = self.rules.bearer(&reader, &presented, &mut notes);
        token.warnings.extend(notes.warnings);
        notes.annotations.into_iter().for_each(|(key, text)| trail.annotate(key, || text));
        if let Some(secret) = notes.used {
            self.keys.used.note(secret);
        }
        let user = user?;
        Ok(Some(Bearer { user, audiences: good }))
    }
}

/// As Go prints a list with %q.
fn quoted(texts: &[Str]) -> String {
    format!("[{}]", texts.iter().map(|text| meta::field::quote(text)).collect::<Vec<_>>().join(" "))
}

impl Tokens for AccountTokens {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, TokenOutcome> {
        Answer::Now(self.bearer(&token, Timestamp::now()).map_err(Rejected))
    }
}

/// What the cluster's policy says to a TokenRequest.
pub async fn admit(
    server: &Server,
    ctx: &Context<'_>,
    info: &PathInfo,
    kind: &Gvk,
    options: &WriteOptions,
    request: &mut Value,
    warnings: &Warnings,
) -> meta::Result<()> {
    let resources = server.registry.load();
    let admission = Admission {
        server,
        resources: &resources,
        user: ctx.user,
        operation: Operation::Create,
        group: &info.group,
        version: &info.version,
        resource: &info.resource,
        subresource: &info.subresource,
        namespace: &info.namespace,
        name: &info.name,
        kind,
        old: None,
        options: &options.to_value(WriteKind::Create),
        dry_run: ctx.dry_run,
        now: ctx.now,
        warnings,
        opinions: Opinions::default(),
    };
    admission.mutate(request).await?;
    admission.validate(request).await
}

/// Answers a TokenRequest for an account: the request with the token in its status.
pub fn issue(
    server: &Server,
    rules: &dyn TokenRules,
    ctx: &Context,
    account: &Value,
    mut request: Value,
    warnings: &Warnings,
) -> meta::Result<Value> {
    let Some(keys) = &server.tokens else { return Err(meta::Status::resource_not_found()) };
    let claims = rules.plan(ctx, account, &mut request, &keys.policy)?;
    warnings.extend(claims.warning.clone());
    let id = new_uid();
    let token = keys.sign(&claims, &id, ctx.now).map_err(meta::Status::internal)?;
    warnings.trail.annotate("authentication.kubernetes.io/issued-credential-id", || format!("JTI={id}"));
    let metadata = request.entry("metadata");
    for field in ["name", "namespace"] {
        metadata.set(field, &account["metadata"][field]);
    }
    metadata.set_default("creationTimestamp", ctx.now.to_rfc3339());
    let seconds = ctx.now.seconds.saturating_add(request["spec"]["expirationSeconds"].int());
    let expires = Timestamp { seconds, nanos: 0 }.to_rfc3339();
    request.set("status", value!({"token": token, "expirationTimestamp": expires}));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (String, PrivateKey) {
        let pem = rcgen::KeyPair::generate().map(|pair| pair.serialize_pem()).unwrap_or_default();
        let key = PrivateKey::from_pem(&pem).unwrap_or_else(|why| panic!("{why}"));
        (pem, key)
    }

    #[test]
    fn tokens_of_all_issuers_and_keys_are_known() {
        let (pem, signer) = key();
        let (_, former) = key();
        let mut keys = TokenKeys {
            issuers: vec!["https://i".into(), "former".into()],
            policy: TokenPolicy { audiences: vec!["a".into()], ..TokenPolicy::default() },
            verifiers: vec![signer.public(), former.public()],
            signer,
            lookup: true,
            jwks_uri: None,
            used: UsedSecrets::default(),
        };
        let now = Timestamp { seconds: 1_000_000, nanos: 0 };
        let claims = Claims {
            subject: "s".into(),
            audiences: vec!["a".into()],
            seconds: 600,
            private: value!({"x": 1}),
            warning: None,
        };
        let token = keys.sign(&claims, "id", now).unwrap_or_default();
        let read = keys.verify(&token).ok().flatten().map(|claims| Value::clone(&claims)).unwrap_or_default();
        assert_eq!((read["sub"].str(), read["x"].int(), read["exp"].int()), ("s", 1, 1_000_600));
        let of = |issuer: &str, key: &PrivateKey| key.sign(&value!({"iss": issuer})).unwrap_or_default();
        assert!(keys.verify(&of("former", &former)).is_ok_and(|claims| claims.is_some()));
        assert!(keys.verify(&of(KEPT_ISSUER, &former)).is_ok_and(|claims| claims.is_some()));
        assert_eq!(keys.verify(&of("other", &former)), Ok(None));
        assert_eq!(keys.verify("a.b.c"), Ok(None));
        assert_eq!(keys.verify("plain"), Ok(None));
        keys.verifiers.truncate(1);
        assert_eq!(keys.verify(&of("former", &former)), Err("invalid signature, no keys found".into()));
        assert_eq!(keys.key_set()["keys"], value!([(PublicKey::all_from_pem(&pem).expect("a key")[0].to_jwk())]));
        assert!(keys.is_published());
        keys.issuers[0] = "https://i?x".into();
        assert!(!keys.is_published());
    }
}
