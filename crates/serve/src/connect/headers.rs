//! Headers of requests and answers that are passed on.

use http::Uri;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, LOCATION, UPGRADE};
use http::request::Parts;
use resource::{Location, Transport};

/// About one connection only, so never passed on (RFC 9110, 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Say who the client is to this server; the backend must neither learn nor believe them.
const CREDENTIALS: &[&str] = &["authorization", "x-remote-user", "x-remote-uid", "x-remote-group"];
const REMOTE_EXTRA: &str = "x-remote-extra-";

pub fn is_upgrade(headers: &HeaderMap) -> bool {
    let tokens = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    tokens.into_iter().any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
}

pub fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let dropped = |name: &HeaderName| {
        let name = name.as_str();
        HOP_BY_HOP.contains(&name) || CREDENTIALS.contains(&name) || name.starts_with(REMOTE_EXTRA)
    };
    headers.iter().filter(|(name, _)| !dropped(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The headers that ask for another protocol.
pub fn keep_upgrade(headers: &mut HeaderMap, from: &HeaderMap) {
    for name in [CONNECTION, UPGRADE] {
        for value in from.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// Where the request was sent to, for backends that make absolute links.
pub fn add_forwarded(headers: &mut HeaderMap, head: &Parts, prefix: &str, rest: &str) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-forwarded-uri", &format!("{prefix}{rest}"));
    set("x-forwarded-proto", "https");
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let host = authority.or_else(|| head.headers.get("host").and_then(|host| host.to_str().ok()));
    if let Some(host) = host {
        set("x-forwarded-host", host);
    }
}

/// Drops what was about the backend's connection, and keeps redirects within the proxied path.
pub fn prepare_answer(headers: &mut HeaderMap, location: &Location, prefix: &str) {
    HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(*name)));
    let rewritten = headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| within(to, location, prefix));
    if let Some(value) = rewritten.and_then(|to| HeaderValue::from_str(&to).ok()) {
        headers.insert(LOCATION, value);
    }
}

/// A URL of the backend itself, as seen through the proxy; `None` for one that goes elsewhere, is relative, or leads
/// through the proxy already.
pub fn within(to: &str, location: &Location, prefix: &str) -> Option<String> {
    if to.starts_with('/') && !to.starts_with("//") {
        return if to.starts_with(prefix) { None } else { Some(format!("{prefix}{to}")) };
    }
    let uri: Uri = to.parse().ok()?;
    let scheme = if location.transport == Transport::Plain { "http" } else { "https" };
    let same = uri.scheme_str() == Some(scheme)
        && uri.host().map(|host| host.trim_matches(['[', ']'])) == Some(location.host.as_str())
        && uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 }) == location.port;
    same.then(|| format!("{prefix}{}", uri.path_and_query().map_or("/", |path| path.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_within_the_proxy() {
        let location = Location {
            transport: Transport::Plain,
            host: "10.1.2.3".into(),
            port: 8080,
            path: String::new(),
            query: String::new(),
        };
        let prefix = "/api/v1/namespaces/a/pods/p/proxy";
        let cases = [
            ("/login", Some("/api/v1/namespaces/a/pods/p/proxy/login")),
            ("http://10.1.2.3:8080/x?y=1", Some("/api/v1/namespaces/a/pods/p/proxy/x?y=1")),
            ("http://elsewhere.example/x", None),
            ("relative", None),
        ];
        for (to, want) in cases {
            assert_eq!(within(to, &location, prefix).as_deref(), want, "{to}");
        }
    }

    #[test]
    fn credentials_and_connection_headers_stop_here() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-remote-user", "x-remote-extra-a", "connection", "accept"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("v"));
        }
        let passed = passed_on(&headers);
        assert_eq!(passed.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
