//! URLs, as Go's `url.ParseRequestURI` reads them.

use super::{Opaque, Run};
use crate::eval::{Call, Failed};
use crate::value::{Map, Owned, Value};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub text: Box<str>,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "url" => |call| {
            let [Value::String(text)] = call.args else { return Err(call.no_overload()) };
            match Url::parse(text) {
                Ok(url) => Ok(Value::opaque(Opaque::Url(url))),
                Err(reason) => {
                    let text = &**text;
                    Err(Failed::new(format!("URL parse error during conversion from string: parse {text:?}: {reason}")))
                }
            }
        },
        "isURL" => |call| match call.args {
            [Value::String(text)] => Ok(Value::Bool(Url::parse(text).is_ok())),
            _ => Err(call.no_overload()),
        },
        "getScheme" => |call| part(call, |url| url.scheme.clone()),
        "getHost" => |call| part(call, |url| url.host.clone()),
        "getHostname" => |call| part(call, |url| hostname(&url.host).0.to_owned()),
        "getPort" => |call| part(call, |url| hostname(&url.host).1.to_owned()),
        "getEscapedPath" => |call| part(call, |url| url.path.clone()),
        "getQuery" => query,
        _ => return None,
    })
}

fn url<'c>(call: &'c Call) -> Result<&'c Url, Failed> {
    match call.args {
        [Value::Opaque(of)] => match &**of {
            Opaque::Url(url) => Ok(url),
            _ => Err(call.no_overload()),
        },
        _ => Err(call.no_overload()),
    }
}

fn part<'a>(call: &mut Call<'a, '_>, of: fn(&Url) -> String) -> Made<'a> {
    Ok(Value::string(of(url(call)?)))
}

fn query<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let mut found: Vec<(String, Vec<Value>)> = Vec::new();
    let text = &url(call)?.query;
    for pair in text.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(key), Some(value)) = (unescape(key, true), unescape(value, true)) else { continue };
        let value = Value::string(value);
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    let mut map = Owned::default();
    for (key, values) in found {
        map.insert(Value::string(key), Value::list(values));
    }
    Ok(Value::Map(Map::owned(map)))
}

/// Percent escapes decoded; `None` when one is malformed.
fn unescape(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Host without brackets, and port.
fn hostname(host: &str) -> (&str, &str) {
    if let Some(rest) = host.strip_prefix('[') {
        let (name, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (name, after.strip_prefix(':').unwrap_or(""));
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    }
}

impl Url {
    pub fn parse(text: &str) -> Result<Url, String> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        if text.is_empty() {
            return Err("empty url".to_owned());
        }
        let (scheme, rest) = scheme(text)?;
        let (before_fragment, _) = rest.split_once('#').unwrap_or((rest, ""));
        let (before_query, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
        if !before_query.starts_with('/') {
            return Err("invalid URI for request".to_owned());
        }
        let (host, path) = match before_query.strip_prefix("//").filter(|_| !scheme.is_empty()) {
            Some(authority) => {
                let end = authority.find('/').unwrap_or(authority.len());
                let (authority, path) = authority.split_at(end);
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                (check_host(host)?, path)
            }
            None => (String::new(), before_query),
        };
        if unescape(path, false).is_none() {
            let at = path.find('%').unwrap_or(0);
            let escape: String = path.get(at..).unwrap_or("").chars().take(3).collect();
            return Err(format!("invalid URL escape {escape:?}"));
        }
        Ok(Url {
            text: text.into(),
            scheme: scheme.to_lowercase(),
            host,
            path: escaped_path(path),
            query: query.to_owned(),
        })
    }
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or(""))),
            _ => return Ok(("", text)),
        }
    }
    Ok(("", text))
}

fn check_host(host: &str) -> Result<String, String> {
    let after = match host.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']').ok_or_else(|| "missing ']' in host".to_owned())?;
            rest.get(end + 1..).unwrap_or("")
        }
        None => host.rfind(':').and_then(|at| host.get(at..)).unwrap_or(""),
    };
    let port = after.strip_prefix(':');
    if !after.is_empty() && !port.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit())) {
        return Err(format!("invalid port {after:?} after host"));
    }
    if let Some(bad) = host.chars().find(|c| matches!(c, ' ' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}' | '\\')) {
        return Err(format!("invalid character {:?} in host name", bad.to_string()));
    }
    unescape(host, false).ok_or_else(|| "invalid URL escape".to_owned())
}

/// The path as it is sent: what must be escaped is.
fn escaped_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]%".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
