//! Who sends a request: the union of authenticators, upstream's rules for what a failed one means, and 401
//! (k8s.io/apiserver/pkg/authentication/request/{union,x509,bearertoken,websocket,anonymous}).

mod bearer;
mod digest;
mod distant;
mod front_proxy;
mod issuer;
mod token_file;
mod webhook;
mod x509;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use meta::{Status, Str};
use resource::User;

pub use bearer::{Bearer, BearerTokens, Token, TokenOutcome, Tokens};
pub use digest::Remembered;
pub use front_proxy::FrontProxy;
pub use issuer::{JwtIssuer, JwtIssuers};
pub use token_file::TokenFile;
pub use webhook::TokenWebhook;
pub use x509::{ClientCertificates, common_name};

use crate::listen::Peer;
use crate::warnings::Warnings;

/// A future that a trait object can return.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An answer that most implementations know at once, and those that ask another server know later.
pub enum Answer<'a, T> {
    Now(T),
    Later(Later<'a, T>),
}

impl<T> Answer<'_, T> {
    pub async fn wait(self) -> T {
        match self {
            Answer::Now(answer) => answer,
            Answer::Later(answer) => answer.await,
        }
    }
}

/// What a request carries that can say who sends it.
pub struct Credentials<'a> {
    pub headers: &'a HeaderMap,
    pub peer: &'a Peer,
    /// The path, without the query.
    pub path: &'a str,
    /// Told what the credentials' kind says of them.
    pub warnings: &'a Warnings,
}

/// Credentials were given and are wrong. The text is for the log, never for the client.
#[derive(Debug, PartialEq)]
pub struct Rejected(pub String);

/// `None`: no credentials of this authenticator's kind.
pub type Outcome = Result<Option<User>, Rejected>;

/// One way to prove who one is.
pub trait Authenticator: Send + Sync {
    fn authenticate<'a>(&'a self, credentials: &'a Credentials<'a>) -> Answer<'a, Outcome>;
}

/// Proof that a request was authenticated. Only [`Authenticators::authenticate`] and impersonation make one.
#[derive(Clone, Debug)]
pub struct Authenticated {
    user: Arc<User>,
}

impl Authenticated {
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// The same request in the name of another user. Callers have asked the authorizer first.
    pub fn impersonating(user: User) -> Authenticated {
        Authenticated { user: Arc::new(user) }
    }
}

pub const ANONYMOUS: &str = "system:anonymous";
pub const GROUP_MASTERS: &str = "system:masters";
pub const GROUP_AUTHENTICATED: &str = "system:authenticated";
pub const GROUP_UNAUTHENTICATED: &str = "system:unauthenticated";

/// Who may come without credentials.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Anonymous {
    #[default]
    Nobody,
    Everywhere,
    /// Only to these very paths.
    Paths(Vec<String>),
}

impl Anonymous {
    fn allows(&self, path: &str) -> bool {
        match self {
            Anonymous::Nobody => false,
            Anonymous::Everywhere => true,
            Anonymous::Paths(paths) => paths.iter().any(|allowed| allowed == path),
        }
    }
}

/// All authenticators in order, and what to do when none knows the sender.
#[derive(Default)]
pub struct Authenticators {
    /// Asked before tokens.
    pub ordered: Vec<Arc<dyn Authenticator>>,
    pub tokens: BearerTokens,
    pub anonymous: Arc<ArcSwap<Anonymous>>,
}

impl Authenticators {
    /// The first success wins. A failure counts only when nobody succeeds, and then it is a 401 even where anonymous
    /// requests are allowed: wrong credentials are never taken for none.
    pub async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Authenticated, Status> {
        if credentials.peer.trusted {
            return Ok(Authenticated { user: Arc::new(trusted_user()) });
        }
        let mut rejected = None;
        let by_tokens: &dyn Authenticator = &self.tokens;
        for authenticator in self.ordered.iter().map(AsRef::as_ref).chain([by_tokens]) {
            match authenticator.authenticate(credentials).wait().await {
                Ok(Some(mut user)) => {
                    add_authenticated_group(&mut user);
                    return Ok(Authenticated { user: Arc::new(user) });
                }
                Ok(None) => {}
                Err(why) => rejected = Some(why),
            }
        }
        if let Some(why) = rejected {
            tracing::debug!(why = why.0, path = credentials.path, "credentials refused");
            return Err(Status::unauthorized());
        }
        if self.anonymous.load().allows(credentials.path) {
            return Ok(Authenticated { user: Arc::new(anonymous_user()) });
        }
        Err(Status::unauthorized())
    }
}

impl Authenticators {
    /// Who bears a token, as if a request had brought nothing else.
    pub async fn review(&self, token: Token<'_>) -> Result<Bearer, Rejected> {
        let mut bearer = self.tokens.resolve(token).await?;
        add_authenticated_group(&mut bearer.user);
        Ok(bearer)
    }
}

pub fn anonymous_user() -> User {
    User { name: ANONYMOUS.into(), groups: vec![GROUP_UNAUTHENTICATED.into()], ..User::default() }
}

/// Who speaks through the insecure port or from inside the process.
pub fn trusted_user() -> User {
    let groups = vec![GROUP_MASTERS.into(), GROUP_AUTHENTICATED.into()];
    User { name: "system:apiserver".into(), groups, ..User::default() }
}

fn add_authenticated_group(user: &mut User) {
    if !user.groups.iter().any(|group| group == GROUP_AUTHENTICATED || group == GROUP_UNAUTHENTICATED) {
        user.groups.push(GROUP_AUTHENTICATED.into());
    }
}

/// `%xx` in the key of a header stands for what header names cannot hold.
pub(crate) fn unescape_key(key: &str) -> Str {
    let literal = key.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    let unescaped = form_urlencoded::parse(literal.as_bytes()).next().map(|(key, _)| key.into_owned());
    unescaped.unwrap_or_default().as_str().into()
}

#[cfg(test)]
mod tests;
