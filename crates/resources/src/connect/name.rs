//! `[scheme:]name[:port]`, as the path of a proxy writes what it wants.

use meta::{Result, Status};
use resource::Transport;

/// A name in a proxy's path, taken apart.
#[derive(Debug, PartialEq)]
pub struct ProxyName<'a> {
    pub transport: Transport,
    pub name: &'a str,
    /// A number, or for services a port's name; "" when none is given.
    pub port: &'a str,
}

impl<'a> ProxyName<'a> {
    /// 400 `invalid KIND request "…"` for other schemes and more parts.
    pub fn parse(text: &'a str, kind: &str) -> Result<ProxyName<'a>> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => return Err(invalid(text, kind)),
        };
        let transport = match scheme {
            "" | "http" => Transport::Plain,
            "https" => Transport::Tls,
            _ => return Err(invalid(text, kind)),
        };
        if name.is_empty() { Err(invalid(text, kind)) } else { Ok(ProxyName { transport, name, port }) }
    }
}

fn invalid(text: &str, kind: &str) -> Status {
    Status::bad_request(format!("invalid {kind} request {}", meta::field::quote(text)))
}

/// The port of a scheme when none is given.
pub fn default_port(transport: Transport) -> u16 {
    if transport == Transport::Plain { 80 } else { 443 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        let parse = |text| ProxyName::parse(text, "service");
        assert_eq!(parse("a"), Ok(ProxyName { transport: Transport::Plain, name: "a", port: "" }));
        assert_eq!(parse("a:http"), Ok(ProxyName { transport: Transport::Plain, name: "a", port: "http" }));
        assert_eq!(parse("https:a:443"), Ok(ProxyName { transport: Transport::Tls, name: "a", port: "443" }));
        assert_eq!(parse("https:a:"), Ok(ProxyName { transport: Transport::Tls, name: "a", port: "" }));
        assert_eq!(parse("ftp:a:1").unwrap_err().message, "invalid service request \"ftp:a:1\"");
        assert!(parse("").is_err());
        assert!(parse("a:b:c:d").is_err());
    }
}
