//! Why a request to another server came to nothing, in the words of Go's client: they end up in answers to clients.

use std::io;

use meta::Value;
use meta::field::quote;

/// Why, for those who decide whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection: nobody listens, no route, the certificate is not believed.
    Unreachable,
    /// A connection that ended before the answer did.
    Reset,
    TimedOut,
    /// The answer is longer than what is read of one.
    TooLong,
    /// An answer with a code that means no success.
    Refused(u16),
    /// An answer that is not what was asked for.
    Garbage,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub cause: Cause,
    /// Fit for clients: no secrets.
    pub text: String,
    /// The other server asks to come back after this many seconds.
    pub retry_after_seconds: Option<u64>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}

impl Failure {
    pub fn new(cause: Cause, text: impl Into<String>) -> Failure {
        Failure { cause, text: text.into(), retry_after_seconds: None }
    }

    /// Whether another try may succeed (upstream: apiserver/pkg/util/webhook DefaultShouldRetry). That nobody listens is final.
    pub fn is_temporary(&self) -> bool {
        let by_code = matches!(self.cause, Cause::Reset | Cause::Refused(429 | 500 | 504));
        by_code || self.retry_after_seconds.is_some()
    }

    /// Of an answer without success: its Status says why, or else its code does.
    pub(crate) fn refused(code: u16, body: &[u8], is_text: bool, retry_after_seconds: Option<u64>) -> Failure {
        let status = meta::json::parse(body).map(|parsed| parsed.value).unwrap_or_default();
        let is_status = status["kind"].str() == "Status" && !status["message"].str().is_empty();
        let text = if is_status {
            status["message"].str().to_owned()
        } else {
            let said = if is_text { String::from_utf8_lossy(body) } else { "".into() };
            text_of_code(code, said.trim())
        };
        Failure { retry_after_seconds, ..Failure::new(Cause::Refused(code), text) }
    }

    pub(crate) fn of_io(why: &io::Error) -> Failure {
        let cause = match why.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Cause::Reset,
            io::ErrorKind::TimedOut => Cause::TimedOut,
            _ => Cause::Unreachable,
        };
        Failure::new(cause, io_text(why))
    }
}

/// apimachinery: api/errors NewGenericServerResponse
fn text_of_code(code: u16, said: &str) -> String {
    let said = if said.is_empty() { "unknown" } else { said };
    match code {
        400 => "the server rejected our request for an unknown reason".into(),
        401 => "the server has asked for the client to provide credentials".into(),
        403 => said.to_owned(),
        404 => "the server could not find the requested resource".into(),
        405 => "the server does not allow this method on the requested resource".into(),
        406 => "the server was unable to respond with a content type that the client supports".into(),
        409 => "the server reported a conflict".into(),
        415 => "the server was unable to respond with a content type that the client supports".into(),
        422 => "the server rejected our request due to an error in our request".into(),
        429 => "the server has received too many requests and has asked us to try again later".into(),
        503 => "the server is currently unable to handle the request".into(),
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
                .into()
        }
        500.. => format!("an error on the server ({}) has prevented the request from succeeding", quote(said)),
        _ => format!("the server responded with the status code {code} but did not return more information"),
    }
}

fn io_text(why: &io::Error) -> String {
    let tls = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, why.kind()) {
        (Some(rustls::Error::InvalidCertificate(why)), _) => {
            format!("tls: failed to verify certificate: x509: {}", certificate_text(why))
        }
        (Some(why), _) => format!("remote error: tls: {why}"),
        (None, io::ErrorKind::ConnectionRefused) => "connect: connection refused".into(),
        (None, io::ErrorKind::ConnectionReset) => "read: connection reset by peer".into(),
        (None, io::ErrorKind::TimedOut) => "i/o timeout".into(),
        (None, io::ErrorKind::UnexpectedEof) => "EOF".into(),
        _ => why.to_string(),
    }
}

fn certificate_text(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
    match why {
        UnknownIssuer => "certificate signed by unknown authority".into(),
        Expired | ExpiredContext { .. } => "certificate has expired or is not yet valid".into(),
        NotValidForNameContext { expected, presented } => {
            let presented: Vec<&str> = presented.iter().map(|name| name_of(name)).collect();
            format!("certificate is valid for {}, not {}", presented.join(", "), expected.to_str())
        }
        NotValidForName => "certificate is not valid for this name".into(),
        other => other.to_string(),
    }
}

/// rustls shows names as `DnsName("x")` and `IpAddress(1.2.3.4)`.
fn name_of(shown: &str) -> &str {
    let inner = shown.split_once('(').map_or(shown, |(_, inner)| inner.trim_end_matches(')'));
    inner.trim_matches('"')
}

/// JSON, or [`Cause::Garbage`].
pub(crate) fn parse(body: &[u8]) -> Result<Value, Failure> {
    let parsed = meta::json::parse(body).map_err(|why| Failure::new(Cause::Garbage, why.to_string()))?;
    Ok(parsed.value)
}
