//! Tokens that a subresource makes for its parent, an account: what they claim, and whom they make of their bearer.

use crate::{Context, Reader, User};
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
}

/// The rules of such tokens. Keys, signatures and times are the server's business.
pub trait TokenRules: Send + Sync {
    /// Checks a TokenRequest for `account`, fills in what it leaves out, and says what the token claims.
    /// `audiences` are the server's own.
    fn plan(&self, ctx: &Context, account: &Value, request: &mut Value, audiences: &[Str]) -> Result<Claims>;

    /// Who bears a token with these claims, while all that it is bound to is still there; the error is for the log.
    fn bearer(&self, reader: &dyn Reader, claims: &Value) -> std::result::Result<User, String>;
}
