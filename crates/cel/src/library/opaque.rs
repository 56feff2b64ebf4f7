//! Values that Kubernetes' libraries add.

use super::authorizer::{Check, Decided};
use super::formats::Format;
use super::network::Cidr;
use super::semver::Semver;
use super::url::Url;
use crate::types::Type;
use meta::quantity::Quantity;
use std::fmt;
use std::net::IpAddr;

#[derive(PartialEq)]
pub enum Opaque<'a> {
    Url(Url),
    Ip(IpAddr),
    Cidr(Cidr),
    Quantity(Quantity),
    Semver(Semver),
    Format(&'static Format),
    Check(Check<'a>),
    Decision(Decided),
}

impl<'a> Opaque<'a> {
    pub fn authorizer(authorizer: &'a dyn super::Authorizer) -> Opaque<'a> {
        Opaque::Check(Check::of(authorizer))
    }

    pub fn resource_check(authorizer: &'a dyn super::Authorizer, question: super::Question) -> Opaque<'a> {
        Opaque::Check(Check::resource(authorizer, question))
    }

    pub fn type_of(&self) -> Type {
        match self {
            Opaque::Url(_) => Type::object("kubernetes.URL"),
            Opaque::Ip(_) => Type::opaque("net.IP"),
            Opaque::Cidr(_) => Type::opaque("net.CIDR"),
            Opaque::Quantity(_) => Type::object("kubernetes.Quantity"),
            Opaque::Semver(_) => Type::object("kubernetes.Semver"),
            Opaque::Format(_) => Type::object("kubernetes.NamedFormat"),
            Opaque::Check(check) => Type::object(check.type_name()),
            Opaque::Decision(_) => Type::object("kubernetes.authorization.Decision"),
        }
    }

    /// Bytes of an address; 1 for what has no size.
    pub fn size(&self) -> u64 {
        let address = |ip: &IpAddr| if ip.is_ipv4() { 4 } else { 16 };
        match self {
            Opaque::Ip(ip) => address(ip),
            Opaque::Cidr(cidr) => address(&cidr.address),
            _ => 1,
        }
    }
}

impl fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Opaque::Url(url) => write!(f, "url({})", url.text),
            Opaque::Ip(ip) => write!(f, "ip({ip})"),
            Opaque::Cidr(cidr) => write!(f, "cidr({cidr})"),
            Opaque::Quantity(quantity) => write!(f, "quantity({quantity})"),
            Opaque::Semver(version) => write!(f, "semver({version})"),
            Opaque::Format(format) => write!(f, "format({})", format.name),
            Opaque::Check(check) => f.write_str(check.type_name()),
            Opaque::Decision(_) => f.write_str("decision"),
        }
    }
}
