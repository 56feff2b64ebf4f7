//! Tokens that a subresource makes for its parent, an account: what they claim, and whom they make of their bearer.

use crate::{Context, Reader, User};
use meta::time::Timestamp;
use meta::{Result, Str, Value};

/// What a token will say.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `sub`
    pub subject: Str,
    /// `aud`
    pub audiences: Vec<Str>,
    /// From now to `exp`.
    pub seconds: i64,
    /// Members beside the registered ones.
    pub private: Value,
    /// What the client is told: the token is not quite what it asked for.
    pub warning: Option<String>,
}

/// What the server's flags say about such tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenPolicy {
    /// Of tokens that name none, and of this server (`--api-audiences`).
    pub audiences: Vec<Str>,
    /// `--service-account-max-token-expiration`
    pub seconds_max: Option<i64>,
    /// `--service-account-extend-token-expiration`
    pub extends: bool,
}

/// `iss` of tokens that are kept in objects, as long as these exist.
pub const KEPT_ISSUER: &str = "kubernetes/serviceaccount";

/// A token whose signature is good.
pub struct Presented<'a> {
    pub token: &'a str,
    pub claims: &'a Value,
    pub now: Timestamp,
    /// Whether a kept token's object is looked for (`--service-account-lookup`).
    pub lookup: bool,
}

/// What is said of a token besides whose it is, also when it is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenNotes {
    /// Texts for Warning headers.
    pub warnings: Vec<String>,
    /// Audit annotations: key and value.
    pub annotations: Vec<(&'static str, String)>,
    /// Namespace and name of the secret that keeps the token, if it does not say yet that it was used today.
    pub used: Option<(Str, Str)>,
}

/// The rules of such tokens. Keys and signatures are the server's business.
pub trait TokenRules: Send + Sync {
    /// Checks a TokenRequest for `account`, fills in what it leaves out, and says what the token claims.
    fn plan(&self, ctx: &Context, account: &Value, request: &mut Value, policy: &TokenPolicy) -> Result<Claims>;

    /// Who bears a token, while it is in its time and all that it is bound to is still there; the error is for the log
    /// and for reviews of tokens.
    fn bearer(
        &self,
        reader: &dyn Reader,
        presented: &Presented,
        notes: &mut TokenNotes,
    ) -> std::result::Result<User, String>;
}
