//! Service account tokens: JSON web tokens signed with the server's own key, made by a subresource and accepted as
//! credentials. What they claim and whom they make of their bearer is [`resource::TokenRules`]' business.

use crate::authenticate::{Answer, Outcome, Rejected, Token, Tokens};
use crate::path::PathInfo;
use crate::registry::Resources;
use crate::server::{Server, StoreReader, new_uid};
use admission::{Attributes, Notes, Operation};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meta::time::Timestamp;
use meta::{Gvk, Str, Value, json, value};
use resource::{Claims, Context, TokenRules, User};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::cell::RefCell;
use std::sync::Arc;
use store::Store;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Clocks of other machines may be this far ahead.
const LEEWAY_SECONDS: i64 = 60;
/// DER before a P-256 point in a SubjectPublicKeyInfo.
const P256_SPKI_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Es256,
    Rs256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
        }
    }
}

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A key that verifies.
struct Verifier {
    id: String,
    algorithm: Algorithm,
    /// A P-256 point, or a PKCS #1 RSAPublicKey.
    key: Vec<u8>,
}

/// The keys of service account tokens, and in whose name they are made.
pub struct TokenKeys {
    pub issuer: Str,
    /// Of tokens that name none, and of this server.
    pub audiences: Vec<Str>,
    signer: Signer,
    /// The signer's own first.
    verifiers: Vec<Verifier>,
}

impl TokenKeys {
    /// From PEM: the private key that signs, and further keys, private or public, that are accepted.
    pub fn new(issuer: &str, audiences: Vec<Str>, signing: &str, accepted: &[String]) -> Result<TokenKeys, String> {
        let (signer, own) = read_private(signing)?;
        let mut verifiers = vec![own];
        for pem in accepted {
            let verifier = match read_private(pem) {
                Ok((_, verifier)) => verifier,
                Err(_) => read_public(pem)?,
            };
            if !verifiers.iter().any(|known| known.id == verifier.id) {
                verifiers.push(verifier);
            }
        }
        Ok(TokenKeys { issuer: issuer.into(), audiences, signer, verifiers })
    }

    fn algorithm(&self) -> Algorithm {
        match self.signer {
            Signer::Ecdsa(_) => Algorithm::Es256,
            Signer::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The token, and when it expires.
    pub fn sign(&self, claims: &Claims, now: Timestamp) -> Result<String, String> {
        let id = self.verifiers.first().map_or("", |own| own.id.as_str());
        let header = value!({"alg": (self.algorithm().name()), "kid": id});
        let mut payload = value!({
            "iss": (&self.issuer),
            "sub": (&claims.subject),
            "aud": (claims.audiences.iter().map(Value::from).collect::<Vec<Value>>()),
            "iat": (now.seconds),
            "nbf": (now.seconds),
            "exp": (now.seconds.saturating_add(claims.seconds)),
            "jti": (new_uid())
        });
        for (key, value) in claims.private.entries() {
            payload.set(key, value);
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(json::to_vec(value));
        let signed = format!("{}.{}", encode(&header), encode(&payload));
        let random = SystemRandom::new();
        let signature = match &self.signer {
            Signer::Ecdsa(key) => key.sign(&random, signed.as_bytes()).map(|s| s.as_ref().to_vec()),
            Signer::Rsa(key) => {
                let mut out = vec![0; key.public().modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut out).map(|()| out)
            }
        };
        let signature = signature.map_err(|_| "the token could not be signed".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token of this issuer; `None` for what is none. The error: it is one, and not good.
    fn verify(&self, token: &str, now: Timestamp) -> Result<Option<Value>, String> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        let decode = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            json::parse(&bytes).ok().map(|parsed| parsed.value)
        };
        let Some(claims) = decode(payload).filter(|c| c["iss"].str() == self.issuer) else { return Ok(None) };
        let header = decode(header).unwrap_or_default();
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the signature is no base64url")?;
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        let id = header["kid"].str();
        let candidates = self.verifiers.iter().filter(|v| id.is_empty() || v.id == id);
        let mut fitting = candidates.filter(|v| v.algorithm.name() == header["alg"].str());
        if !fitting.any(|v| v.verify(signed.as_bytes(), &signature)) {
            return Err("the signature does not fit".into());
        }
        if claims["exp"].int() < now.seconds {
            return Err("the token has expired".into());
        }
        if claims["nbf"].int() > now.seconds.saturating_add(LEEWAY_SECONDS) {
            return Err("the token is not valid yet".into());
        }
        Ok(Some(claims))
    }

    /// `/.well-known/openid-configuration`
    pub fn discovery(&self, jwks_uri: &str) -> Value {
        let mut algorithms: Vec<Value> = Vec::new();
        for verifier in &self.verifiers {
            let name = Value::from(verifier.algorithm.name());
            if !algorithms.contains(&name) {
                algorithms.push(name);
            }
        }
        value!({
            "issuer": (&self.issuer),
            "jwks_uri": jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms
        })
    }

    /// `/openid/v1/jwks`
    pub fn key_set(&self) -> Value {
        value!({"keys": (self.verifiers.iter().map(Verifier::to_jwk).collect::<Vec<Value>>())})
    }
}

impl Verifier {
    fn new(algorithm: Algorithm, key: &[u8], spki: &[u8]) -> Verifier {
        let id = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, spki));
        Verifier { id, algorithm, key: key.to_vec() }
    }

    fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        let parameters: &dyn signature::VerificationAlgorithm = match self.algorithm {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(parameters, &self.key).verify(signed, signature).is_ok()
    }

    fn to_jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = value!({"use": "sig", "kid": (&self.id), "alg": (self.algorithm.name())});
        match self.algorithm {
            Algorithm::Es256 => {
                jwk.set("kty", "EC");
                jwk.set("crv", "P-256");
                jwk.set("x", text(self.key.get(1..33).unwrap_or(&[])));
                jwk.set("y", text(self.key.get(33..65).unwrap_or(&[])));
            }
            Algorithm::Rs256 => {
                jwk.set("kty", "RSA");
                if let Ok((_, key)) = x509_parser::public_key::RSAPublicKey::from_der(&self.key) {
                    let significant = |n: &[u8]| text(n.strip_prefix(&[0]).unwrap_or(n));
                    jwk.set("n", significant(key.modulus));
                    jwk.set("e", significant(key.exponent));
                }
            }
        }
        jwk
    }
}

fn read_private(pem: &str) -> Result<(Signer, Verifier), String> {
    let unusable = || "the key is neither P-256 nor RSA".to_owned();
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|why| why.to_string())?;
    let rsa = |pair: RsaKeyPair| {
        let public = pair.public_key().as_ref().to_vec();
        // PKCS #1 inside: its own digest names it as well as the SubjectPublicKeyInfo's would
        let verifier = Verifier::new(Algorithm::Rs256, &public, &public);
        (Signer::Rsa(pair), verifier)
    };
    match &der {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).map(rsa).map_err(|_| unusable()),
        PrivateKeyDer::Pkcs8(key) => {
            let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            match EcdsaKeyPair::from_pkcs8(algorithm, pkcs8(key), &SystemRandom::new()) {
                Ok(pair) => {
                    let point = pair.public_key().as_ref().to_vec();
                    let spki = [P256_SPKI_PREFIX, &point].concat();
                    Ok((Signer::Ecdsa(pair), Verifier::new(Algorithm::Es256, &point, &spki)))
                }
                Err(_) => RsaKeyPair::from_pkcs8(pkcs8(key)).map(rsa).map_err(|_| unusable()),
            }
        }
        _ => Err(unusable()),
    }
}

fn pkcs8<'a>(key: &'a PrivatePkcs8KeyDer<'_>) -> &'a [u8] {
    key.secret_pkcs8_der()
}

fn read_public(pem: &str) -> Result<Verifier, String> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|why| why.to_string())?;
    let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|why| why.to_string())?;
    let key = &info.subject_public_key.data;
    // an uncompressed point of 32-byte coordinates, or a sequence
    match key.first() {
        Some(4) if key.len() == 65 => Ok(Verifier::new(Algorithm::Es256, key, &der)),
        Some(0x30) => Ok(Verifier::new(Algorithm::Rs256, key, key)),
        _ => Err("the key is neither P-256 nor RSA".into()),
    }
}

/// Accepts these tokens as credentials.
pub struct AccountTokens {
    pub keys: Arc<TokenKeys>,
    pub rules: &'static dyn TokenRules,
    pub store: Store,
    pub resources: Arc<Resources>,
}

impl AccountTokens {
    fn bearer(&self, token: &str) -> Result<Option<User>, String> {
        let Some(claims) = self.keys.verify(token, Timestamp::now())? else { return Ok(None) };
        let meant_here = claims["aud"].items().iter().any(|a| self.keys.audiences.iter().any(|own| own == a.str()));
        if !meant_here {
            return Err("the token is for another audience".into());
        }
        let reader = StoreReader { resources: &self.resources, store: &self.store };
        self.rules.bearer(&reader, &claims).map(Some)
    }
}

impl Tokens for AccountTokens {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, Outcome> {
        Answer::Now(self.bearer(token.0).map_err(Rejected))
    }
}

/// What the cluster's policy says to a TokenRequest.
pub fn admit(
    server: &Server,
    ctx: &Context,
    info: &PathInfo,
    kind: &Gvk,
    options: &Value,
    request: &mut Value,
) -> meta::Result<()> {
    let notes = RefCell::<Notes>::default();
    let attributes = Attributes {
        operation: Operation::Create,
        group: &info.group,
        version: &info.version,
        resource: &info.resource,
        kind,
        name: &info.name,
        old: None,
        options,
        ctx,
        notes: &notes,
    };
    server.admission.admit(&attributes, request)?;
    server.admission.validate(&attributes, request)
}

/// Answers a TokenRequest for an account: the request with the token in its status.
pub fn issue(
    server: &Server,
    rules: &dyn TokenRules,
    ctx: &Context,
    account: &Value,
    mut request: Value,
) -> meta::Result<Value> {
    let Some(keys) = &server.tokens else { return Err(meta::Status::resource_not_found()) };
    let claims = rules.plan(ctx, account, &mut request, &keys.audiences)?;
    let token = keys.sign(&claims, ctx.now).map_err(meta::Status::internal)?;
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

    fn keys() -> TokenKeys {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let bytes = pkcs8.map(|doc| doc.as_ref().to_vec()).unwrap_or_default();
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        TokenKeys::new("https://i", vec!["a".into()], &pem, &[]).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_only_as_it_was_signed() {
        let keys = keys();
        let now = Timestamp { seconds: 1_000_000, nanos: 0 };
        let claims =
            Claims { subject: "s".into(), audiences: vec!["a".into()], seconds: 600, private: value!({"x": 1}) };
        let token = keys.sign(&claims, now).unwrap_or_default();
        let read = keys.verify(&token, now).ok().flatten().unwrap_or_default();
        assert_eq!((read["sub"].str(), read["x"].int(), read["exp"].int()), ("s", 1, 1_000_600));
        let later = Timestamp { seconds: 1_000_601, nanos: 0 };
        assert_eq!(keys.verify(&token, later), Err("the token has expired".into()));
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts[1] = URL_SAFE_NO_PAD.encode(br#"{"iss":"https://i","sub":"other","exp":9999999999}"#);
        assert!(keys.verify(&parts.join("."), now).is_err());
        assert!(self::keys().verify(&token, now).is_err(), "another key's");
        assert_eq!(keys.verify("a.b.c", now), Ok(None));
        assert_eq!(keys.verify("plain", now), Ok(None));
        let jwk = &keys.key_set()["keys"][0];
        assert_eq!((jwk["kty"].str(), jwk["crv"].str(), jwk["x"].str().len()), ("EC", "P-256", 43));
    }
}
