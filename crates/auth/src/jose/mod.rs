//! Signed JSON web tokens (RFC 7515, 7517, 7518, 7519): reading, verifying and signing, with asymmetric keys only. A
//! token's claims come out of [`Unverified::verify`] and from nowhere else.

mod algorithm;
mod der;
mod private;
mod public;
#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use private::PrivateKey;
pub use public::PublicKey;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meta::{Str, Value, json};

/// Longer tokens are not looked at.
pub const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// Clocks of other machines may differ this much.
pub const LEEWAY_SECONDS: i64 = 60;

/// A token in compact form whose signature nobody has looked at yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    header: Value,
    claims: Value,
    /// What the signature is over.
    signed: &'a str,
    signature: Vec<u8>,
}

/// Claims that a known key has signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Value);

/// Why a token is no good.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The algorithm is none of those that are accepted: `none` and the symmetric ones never are.
    Algorithm(String),
    /// No key has the token's key id.
    NoKey,
    Signature,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Algorithm(name) => write!(out, "unexpected signature algorithm {}", meta::field::quote(name)),
            Refusal::NoKey => out.write_str("invalid signature, no keys found"),
            Refusal::Signature => out.write_str("go-jose/go-jose: error in cryptographic primitive"),
        }
    }
}

impl<'a> Unverified<'a> {
    /// `None` for what is no token in compact form.
    pub fn parse(token: &'a str) -> Option<Unverified<'a>> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            let value = json::parse(&bytes).ok()?.value;
            value.as_object().is_some().then_some(value)
        };
        // A header that demands what is not understood must not be accepted (RFC 7515, 4.1.11).
        let header = object(header).filter(|header| header["crit"].is_null() && header["b64"].is_null())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Unverified { header, claims: object(claims)?, signed, signature })
    }

    /// Who the token says has made it: good for choosing keys and for nothing else.
    pub fn issuer(&self) -> &str {
        self.claims["iss"].str()
    }

    pub fn key_id(&self) -> &str {
        self.header["kid"].str()
    }

    /// The claims, if one of the keys has signed them with one of the algorithms.
    pub fn verify<'k>(
        self,
        keys: impl Iterator<Item = &'k PublicKey>,
        accepted: &[Algorithm],
    ) -> Result<Claims, Refusal> {
        let name = self.header["alg"].str();
        let algorithm = Algorithm::parse(name).filter(|algorithm| accepted.contains(algorithm));
        let algorithm = algorithm.ok_or_else(|| Refusal::Algorithm(name.to_owned()))?;
        let id = self.key_id();
        let mut candidates = keys.filter(|key| id.is_empty() || key.id.is_empty() || key.id == id).peekable();
        if candidates.peek().is_none() {
            return Err(Refusal::NoKey);
        }
        if candidates.any(|key| key.verify(algorithm, self.signed.as_bytes(), &self.signature)) {
            Ok(Claims(self.claims))
        } else {
            Err(Refusal::Signature)
        }
    }
}

impl std::ops::Deref for Claims {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Claims {
    /// Takes over one claim of others that a known key has signed; false when they do not have it.
    pub fn adopt(&mut self, claim: &str, from: &Claims) -> bool {
        let found = from.0.get(claim).cloned();
        let has = found.is_some();
        if let Some(value) = found {
            self.0.set(claim, value);
        }
        has
    }

    /// `aud`, which is a text or a list of texts.
    pub fn audiences(&self) -> Vec<Str> {
        match &self.0["aud"] {
            Value::Array(all) => all.iter().map(|one| Str::from(one.str())).collect(),
            one if one.str().is_empty() => vec![],
            one => vec![one.str().into()],
        }
    }

    /// A time of the registered claims, in seconds; fractions are cut off.
    pub fn time(&self, name: &str) -> Option<i64> {
        match &self.0[name] {
            Value::Float(seconds) => Some(*seconds as i64),
            other => other.as_int(),
        }
    }
}
