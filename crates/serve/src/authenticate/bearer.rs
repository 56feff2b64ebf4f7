//! Bearer tokens, in the Authorization header or as a WebSocket subprotocol.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};

use meta::Str;
use resource::User;

use super::{Answer, Authenticator, Credentials, Outcome, Rejected};
use crate::warnings::Warnings;

const INVALID: &str = "invalid bearer token";
const SUBPROTOCOL_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// A bearer token as it was sent.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    /// It must be good for one of these.
    pub audiences: &'a [Str],
    /// Of the request that brings it.
    pub warnings: &'a Warnings,
}

/// Whom a token stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Bearer {
    pub user: User,
    /// Those of the wanted audiences that the token is good for; none where its kind knows of no audiences: then it is good
    /// for this server.
    pub audiences: Vec<Str>,
}

impl From<User> for Bearer {
    fn from(user: User) -> Bearer {
        Bearer { user, audiences: vec![] }
    }
}

/// `None`: no token of this kind.
pub type TokenOutcome = Result<Option<Bearer>, Rejected>;

/// One kind of token: a static list, service accounts, an OpenID provider.
pub trait Tokens: Send + Sync {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, TokenOutcome>;
}

/// Asks each kind of token in order. A token that no kind knows is refused.
#[derive(Default)]
pub struct BearerTokens {
    pub kinds: Vec<Arc<dyn Tokens>>,
    /// Of this server: `--api-audiences`.
    pub audiences: Vec<Str>,
}

impl BearerTokens {
    /// Who bears the token; the first kind that knows decides. The error is upstream's text, which reviews show.
    pub async fn resolve(&self, token: Token<'_>) -> Result<Bearer, Rejected> {
        let mut reasons = vec![INVALID.to_owned()];
        for kind in &self.kinds {
            match kind.authenticate(token).wait().await {
                Ok(Some(bearer)) => {
                    if let Some(bearer) = self.for_audiences(bearer, token.audiences) {
                        return Ok(bearer);
                    }
                }
                Ok(None) => {}
                Err(Rejected(why)) if reasons.contains(&why) => {}
                Err(Rejected(why)) => reasons.push(why),
            }
        }
        match reasons.as_slice() {
            [one] => Err(Rejected(one.clone())),
            all => Err(Rejected(format!("[{}]", all.join(", ")))),
        }
    }

    /// `None`: a token that is good for this server only, and something else was asked for.
    fn for_audiences(&self, bearer: Bearer, wanted: &[Str]) -> Option<Bearer> {
        if !bearer.audiences.is_empty() || self.audiences.is_empty() {
            return Some(bearer);
        }
        let audiences: Vec<Str> = self.audiences.iter().filter(|own| wanted.contains(own)).cloned().collect();
        (!audiences.is_empty()).then_some(Bearer { audiences, ..bearer })
    }
}

impl Authenticator for BearerTokens {
    fn authenticate<'a>(&'a self, credentials: &'a Credentials<'a>) -> Answer<'a, Outcome> {
        let token = match header_token(credentials.headers) {
            Some(token) => Ok(Some(token)),
            None => subprotocol_token(credentials.headers),
        };
        match token {
            Ok(Some(text)) => Answer::Later(Box::pin(async move {
                let token = Token { text: &text, audiences: &self.audiences, warnings: credentials.warnings };
                self.resolve(token).await.map(|bearer| Some(bearer.user))
            })),
            Ok(None) => Answer::Now(Ok(None)),
            Err(why) => Answer::Now(Err(why)),
        }
    }
}

/// The token of the Authorization header. Another scheme, or a scheme without a token, counts as no credentials.
fn header_token(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let mut parts = header.splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// The token that a browser, which cannot set headers on a WebSocket, hides in the list of subprotocols.
/// One more protocol must be offered, since the one with the token is never echoed.
fn subprotocol_token(headers: &HeaderMap) -> Result<Option<String>, Rejected> {
    if !is_websocket(headers) {
        return Ok(None);
    }
    let mut token = None;
    let mut others = 0;
    for header in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        for protocol in header.to_str().unwrap_or_default().split(',').map(str::trim) {
            let Some(encoded) = protocol.strip_prefix(SUBPROTOCOL_PREFIX) else {
                others += 1;
                continue;
            };
            if token.is_some() {
                return Err(Rejected("several bearer tokens among the subprotocols".into()));
            }
            let bytes = URL_SAFE_NO_PAD.decode(encoded).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            token = Some(text.ok_or_else(|| Rejected("a bearer token among the subprotocols is no base64url".into()))?);
        }
    }
    match token {
        Some(token) if token.is_empty() => Ok(None),
        Some(_) if others == 0 => Err(Rejected("no subprotocol beside the one with the bearer token".into())),
        token => Ok(token),
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let has = |name, word: &str| {
        let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    has(CONNECTION, "upgrade") && has(UPGRADE, "websocket")
}
