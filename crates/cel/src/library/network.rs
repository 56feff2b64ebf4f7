//! Addresses and networks.

use super::{Opaque, Run};
use crate::eval::{Call, Failed};
use crate::value::Value;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address in it and how many of its bits it shares with all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    pub address: IpAddr,
    bits: u32,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "ip" => |call| match argument(call, 0)? {
            Argument::Text(text) => Ok(Value::opaque(Opaque::Ip(parse_ip(text).map_err(Failed::new)?))),
            Argument::Cidr(cidr) => Ok(Value::opaque(Opaque::Ip(cidr.address))),
            Argument::Ip(_) => Err(call.no_overload()),
        },
        "isIP" => |call| text_is(call, |text| parse_ip(text).is_ok()),
        "ip.isCanonical" => |call| match argument(call, 0)? {
            Argument::Text(text) => {
                let ip = parse_ip(text).map_err(Failed::new)?;
                Ok(Value::Bool(ip.to_string() == text))
            }
            _ => Err(call.no_overload()),
        },
        "family" => |call| ip(call).map(|ip| Value::Int(if ip.is_ipv4() { 4 } else { 6 })),
        "isUnspecified" => |call| ip(call).map(|ip| Value::Bool(ip.is_unspecified())),
        "isLoopback" => |call| ip(call).map(|ip| Value::Bool(ip.is_loopback())),
        "isLinkLocalMulticast" => |call| ip(call).map(|ip| Value::Bool(is_link_local_multicast(ip))),
        "isLinkLocalUnicast" => |call| ip(call).map(|ip| Value::Bool(is_link_local(ip))),
        "isGlobalUnicast" => |call| ip(call).map(|ip| Value::Bool(is_global(ip))),
        "cidr" => |call| match argument(call, 0)? {
            Argument::Text(text) => Ok(Value::opaque(Opaque::Cidr(parse_cidr(text).map_err(Failed::new)?))),
            _ => Err(call.no_overload()),
        },
        "isCIDR" => |call| text_is(call, |text| parse_cidr(text).is_ok()),
        "containsIP" => |call| {
            let ip = match argument(call, 1)? {
                Argument::Text(text) => parse_ip(text).map_err(Failed::new)?,
                Argument::Ip(ip) => ip,
                Argument::Cidr(_) => return Err(call.no_overload()),
            };
            Ok(Value::Bool(contains(cidr(call)?, ip)))
        },
        "containsCIDR" => |call| {
            let inner = match argument(call, 1)? {
                Argument::Text(text) => parse_cidr(text).map_err(Failed::new)?,
                Argument::Cidr(cidr) => cidr,
                Argument::Ip(_) => return Err(call.no_overload()),
            };
            let outer = cidr(call)?;
            Ok(Value::Bool(outer.bits <= inner.bits && contains(outer, inner.address)))
        },
        "prefixLength" => |call| Ok(Value::Int(i64::from(cidr(call)?.bits))),
        "masked" => |call| {
            let cidr = cidr(call)?;
            Ok(Value::opaque(Opaque::Cidr(Cidr { address: masked(cidr), ..cidr })))
        },
        _ => return None,
    })
}

enum Argument<'c> {
    Text(&'c str),
    Ip(IpAddr),
    Cidr(Cidr),
}

fn argument<'c>(call: &'c Call, at: usize) -> Result<Argument<'c>, Failed> {
    match call.args.get(at) {
        Some(Value::String(text)) => Ok(Argument::Text(text)),
        Some(Value::Opaque(of)) => match &**of {
            Opaque::Ip(ip) => Ok(Argument::Ip(*ip)),
            Opaque::Cidr(cidr) => Ok(Argument::Cidr(*cidr)),
            _ => Err(call.no_overload()),
        },
        _ => Err(call.no_overload()),
    }
}

fn ip(call: &Call) -> Result<IpAddr, Failed> {
    match argument(call, 0)? {
        Argument::Ip(ip) => Ok(ip),
        _ => Err(call.no_overload()),
    }
}

fn cidr(call: &Call) -> Result<Cidr, Failed> {
    match argument(call, 0)? {
        Argument::Cidr(cidr) => Ok(cidr),
        _ => Err(call.no_overload()),
    }
}

fn text_is<'a>(call: &mut Call<'a, '_>, holds: fn(&str) -> bool) -> Made<'a> {
    match argument(call, 0)? {
        Argument::Text(text) => Ok(Value::Bool(holds(text))),
        _ => Err(call.no_overload()),
    }
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    if text.contains('%') && text.contains(':') {
        return Err(format!("IP address {text:?} with zone value is not allowed"));
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some() => {
            Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
        }
        Ok(ip) => Ok(ip),
        Err(_) => {
            let reason = format!("ParseAddr({text:?}): unable to parse IP");
            Err(format!("IP Address {text:?} parse error during conversion from string: {reason}"))
        }
    }
}

fn parse_cidr(text: &str) -> Result<Cidr, String> {
    let failed = |reason: &str| {
        format!("network address parse error during conversion from string: netip.ParsePrefix({text:?}): {reason}")
    };
    let (address, bits) = text.rsplit_once('/').ok_or_else(|| failed("no '/'"))?;
    let address: IpAddr =
        address.parse().map_err(|_| failed(&format!("ParseAddr({address:?}): unable to parse IP")))?;
    let plain = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let number: u32 =
        bits.parse().ok().filter(|_| plain).ok_or_else(|| failed(&format!("bad bits after slash: {bits:?}")))?;
    if number > if address.is_ipv4() { 32 } else { 128 } {
        return Err(failed("prefix length out of range"));
    }
    match address {
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => {
            Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
        }
        address => Ok(Cidr { address, bits: number }),
    }
}

fn masked(cidr: Cidr) -> IpAddr {
    mask(cidr.address, cidr.bits)
}

fn mask(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(ip) => {
            let kept = u32::MAX.checked_shl(32u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & kept))
        }
        IpAddr::V6(ip) => {
            let kept = u128::MAX.checked_shl(128u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & kept))
        }
    }
}

fn contains(cidr: Cidr, ip: IpAddr) -> bool {
    cidr.address.is_ipv4() == ip.is_ipv4() && mask(ip, cidr.bits) == masked(cidr)
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn is_link_local_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets().starts_with(&[224, 0, 0]),
        IpAddr::V6(ip) => ip.segments().first().is_some_and(|first| first & 0xff0f == 0xff02),
    }
}

/// As Go has it: private addresses are global, unspecified, loopback, multicast and link-local ones are not.
fn is_global(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_link_local(ip) || broadcast)
}
