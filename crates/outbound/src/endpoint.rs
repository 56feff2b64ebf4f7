//! Where another server is, whom to believe there, and who one is to it.

use std::path::PathBuf;

/// Whose certificates the other server may have.
#[derive(Clone, Default)]
pub enum Authority {
    /// Those that this machine trusts.
    #[default]
    System,
    /// A bundle of certificates, PEM.
    Pem(String),
    /// Any certificate will do: `insecure-skip-tls-verify`.
    Anything,
}

/// A certificate chain and its key, PEM.
#[derive(Clone)]
pub struct Identity {
    pub chain: String,
    pub key: String,
}

/// What the Authorization header says.
#[derive(Clone, Default)]
pub enum Sender {
    #[default]
    Nobody,
    Token(String),
    /// Read again when it is older than a minute: such tokens are short-lived.
    TokenFile(PathBuf),
    Basic {
        user: String,
        password: String,
    },
}

/// Another server. No `Debug`: this holds secrets.
#[derive(Clone, Default)]
pub struct Endpoint {
    /// `https://host[:port][/path]`
    pub url: String,
    /// Host and port to connect to, when those of the URL are only a name, as with services.
    pub address: Option<(String, u16)>,
    pub authority: Authority,
    /// The name in the server's certificate; absent: the URL's host.
    pub server_name: Option<String>,
    pub identity: Option<Identity>,
    pub sender: Sender,
}

impl Endpoint {
    /// A server that needs no credentials and has a certificate that this machine trusts.
    pub fn new(url: impl Into<String>) -> Endpoint {
        Endpoint { url: url.into(), ..Endpoint::default() }
    }
}
