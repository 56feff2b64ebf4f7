//! Address ranges as sets of addresses to give out.

use super::ip::{masked, parse_cidr_sloppy};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range: its first address and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// `10.0.0.0/16`; bits beyond the prefix are cleared.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (ip, prefix) = parse_cidr_sloppy(text)?;
        Some(Cidr { network: masked(ip, prefix), prefix })
    }

    /// "IPv4" or "IPv6".
    pub fn family(&self) -> &'static str {
        if self.network.is_ipv4() { "IPv4" } else { "IPv6" }
    }

    pub fn network(&self) -> IpAddr {
        self.network
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.network.is_ipv4() && masked(ip, self.prefix) == self.network
    }

    /// The number of addresses that can be given out: not the network's own, nor IPv4's broadcast.
    /// At most 2^63.
    pub fn usable(&self) -> u64 {
        let bits = if self.network.is_ipv4() { 32 } else { 128 };
        let host_bits = u32::from(bits - self.prefix);
        let all = if host_bits >= 63 { 1 << 63 } else { 1_u64 << host_bits };
        all.saturating_sub(if self.network.is_ipv4() { 2 } else { 1 })
    }

    /// The usable address at an offset.
    pub fn nth(&self, offset: u64) -> IpAddr {
        match self.network {
            IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(u32::from(ip).wrapping_add(1).wrapping_add(offset as u32))),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip).wrapping_add(1).wrapping_add(offset.into()))),
        }
    }

    /// Whether the address is one that can be given out.
    pub fn is_usable(&self, ip: IpAddr) -> bool {
        let last = self.usable().checked_sub(1).map(|last| self.nth(last));
        self.contains(ip) && ip >= self.nth(0) && last.is_some_and(|last| ip <= last)
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_and_broadcast_are_not_given_out() {
        let range = Cidr::parse("10.0.1.7/24").unwrap();
        assert_eq!((range.to_string().as_str(), range.usable()), ("10.0.1.0/24", 254));
        for (ip, usable) in [("10.0.1.0", false), ("10.0.1.1", true), ("10.0.1.254", true), ("10.0.1.255", false)] {
            assert_eq!(range.is_usable(ip.parse().unwrap()), usable, "{ip}");
        }
        let range = Cidr::parse("fd00::/108").unwrap();
        assert_eq!(range.usable(), (1 << 20) - 1);
        assert!(range.is_usable("fd00::f:ffff".parse().unwrap()));
        assert_eq!(Cidr::parse("10.0.0.0/32").unwrap().usable(), 0);
    }
}
