//! IP addresses and CIDRs in fields that once took sloppy forms (upstream: apimachinery pkg/util/validation/ip.go).

use meta::field::{ErrorList, Path, quote};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address as Go's sloppy parser reads it: leading zeros are allowed and decimal.
pub fn parse_sloppy(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return parse_v6(text).map(IpAddr::V6);
    }
    parse_v4(text).map(IpAddr::V4)
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    let [a, b, c, d] = parts.as_slice() else { return None };
    let octet = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if digits { part.parse::<u32>().ok().and_then(|n| u8::try_from(n).ok()) } else { None }
    };
    Some(Ipv4Addr::new(octet(a)?, octet(b)?, octet(c)?, octet(d)?))
}

/// The embedded IPv4 form may have leading zeros too.
fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    let (head, tail) = text.rsplit_once(':')?;
    if !tail.contains('.') {
        return text.parse().ok();
    }
    let [a, b, c, d] = parse_v4(tail)?.octets();
    format!("{head}:{a:02x}{b:02x}:{c:02x}{d:02x}").parse().ok()
}

/// Go prints an IPv4-mapped IPv6 address as IPv4.
fn canonical(ip: IpAddr) -> String {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string()),
        v4 => v4.to_string(),
    }
}

fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Whether it is an IPv6 address (an IPv4-mapped one is IPv4).
pub fn is_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(_)) && !is_mapped(ip)
}

/// A field that keeps what it already held, however sloppy.
pub fn validate_legacy(value: &str, old: &[&str], path: &Path, errs: &mut ErrorList) {
    if old.contains(&value) {
        return;
    }
    validate_strict(value, path, errs);
}

fn validate_strict(value: &str, path: &Path, errs: &mut ErrorList) -> Option<IpAddr> {
    let Some(ip) = parse_sloppy(value) else {
        errs.invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        return None;
    };
    if value.parse::<IpAddr>().is_err() {
        errs.invalid(path, value, "must not have leading 0s");
        return None;
    }
    if is_mapped(ip) {
        errs.invalid(path, value, "must not be an IPv4-mapped IPv6 address");
        return None;
    }
    Some(ip)
}

/// A newer field, which takes only the canonical form.
pub fn validate_canonical(value: &str, path: &Path, errs: &mut ErrorList) {
    let Some(ip) = validate_strict(value, path, errs) else { return };
    let canonical = canonical(ip);
    if canonical != value {
        errs.invalid(path, value, &format!("must be in canonical form ({})", quote(&canonical)));
    }
}

/// What upstream warns of in an address that is valid enough to be stored.
pub fn warn(value: &str, path: &Path, warnings: &mut Vec<String>) {
    let Some(ip) = parse_sloppy(value) else { return };
    let want = canonical(ip);
    if value.parse::<IpAddr>().is_err() || is_mapped(ip) {
        let (value, want) = (quote(value), quote(&want));
        warnings.push(format!("{path}: non-standard IP address {value} is invalid: use {want}"));
    } else if want != value {
        let (value, want) = (quote(value), quote(&want));
        warnings.push(format!("{path}: IPv6 address {value} should be in RFC 5952 canonical format ({want})"));
    }
}

/// Address and prefix length; leading zeros allowed.
pub fn parse_cidr_sloppy(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let ip = parse_sloppy(address)?;
    if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length: u32 = length.parse().ok()?;
    let max = if address.contains(':') { 128 } else { 32 };
    (length <= max).then_some((ip, length as u8))
}

/// The address with the bits beyond the prefix cleared.
pub fn masked(ip: IpAddr, length: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

/// A CIDR in a field that keeps what it already held, however sloppy.
pub fn validate_legacy_cidr(value: &str, old: &[&str], path: &Path, errs: &mut ErrorList) {
    if old.contains(&value) {
        return;
    }
    validate_strict_cidr(value, path, errs);
}

fn validate_strict_cidr(value: &str, path: &Path, errs: &mut ErrorList) -> Option<(IpAddr, u8)> {
    let Some((ip, length)) = parse_cidr_sloppy(value) else {
        errs.invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return None;
    };
    let (address, digits) = value.split_once('/').unwrap_or((value, ""));
    let detail = if address.parse::<IpAddr>().is_err() || (digits.len() > 1 && digits.starts_with('0')) {
        "must not have leading 0s in IP or prefix length"
    } else if is_mapped(ip) {
        "must not have an IPv4-mapped IPv6 address"
    } else if masked(ip, length) != ip {
        "must not have bits set beyond the prefix length"
    } else {
        return Some((ip, length));
    };
    errs.invalid(path, value, detail);
    None
}

/// A CIDR in a newer field, which takes only the canonical form.
pub fn validate_canonical_cidr(value: &str, path: &Path, errs: &mut ErrorList) {
    let Some((ip, length)) = validate_strict_cidr(value, path, errs) else { return };
    let canonical = format!("{ip}/{length}");
    if canonical != value {
        errs.invalid(path, value, &format!("must be in canonical form ({})", quote(&canonical)));
    }
}

/// An address of an interface with the length of its network's prefix, in the canonical form.
pub fn validate_interface_address(value: &str, path: &Path, errs: &mut ErrorList) {
    let Some((ip, length)) = parse_cidr_sloppy(value) else {
        errs.invalid(path, value, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)");
        return;
    };
    // A mapped IPv4 address is shown as one, without the prefix that maps it.
    let length = if is_mapped(ip) && length > 32 { length.saturating_sub(96) } else { length };
    let text = format!("{}/{length}", canonical(ip));
    if text != value {
        errs.invalid(path, value, &format!("must be in canonical form ({})", quote(&text)));
    }
}

/// What upstream warns of in a CIDR that is valid enough to be stored.
pub fn warn_cidr(value: &str, path: &Path, warnings: &mut Vec<String>) {
    let Some((ip, length)) = parse_cidr_sloppy(value) else { return };
    let before = warnings.len();
    let net = format!("{}/{length}", canonical(masked(ip, length)));
    if masked(ip, length) != ip {
        let bits = if matches!(ip, IpAddr::V6(_)) { 128 } else { 32 };
        let single = quote(&format!("{}/{bits}", canonical(ip)));
        let (value, net) = (quote(value), quote(&net));
        warnings
            .push(format!("{path}: CIDR value {value} is ambiguous in this context (should be {net} or {single}?)"));
    }
    let (address, digits) = value.split_once('/').unwrap_or((value, ""));
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if address.parse::<IpAddr>().is_err() || leading_zero || is_mapped(ip) {
        let (value, net) = (quote(value), quote(&net));
        warnings.push(format!("{path}: non-standard CIDR value {value} is invalid: use {net}"));
    } else if warnings.len() == before && is_v6(ip) && format!("{ip}/{length}") != value {
        let (value, want) = (quote(value), quote(&format!("{ip}/{length}")));
        warnings.push(format!("{path}: IPv6 CIDR value {value} should be in RFC 5952 canonical format ({want})"));
    }
}

/// What an address that others use may not be: unspecified, loopback or link-local
/// (upstream: ValidateNonSpecialIP).
pub fn validate_not_special(text: &str, path: &Path, errs: &mut ErrorList) {
    let Some(ip) = parse_sloppy(text) else {
        errs.invalid(path, text, "must be a valid IP address");
        return;
    };
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        v4 => v4,
    };
    let (link_local, link_local_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(ip) => (ip.segments()[0] & 0xffc0 == 0xfe80, ip.segments()[0] & 0xff0f == 0xff02),
    };
    if ip.is_unspecified() {
        errs.invalid(path, text, &format!("may not be unspecified ({})", quote(text)));
    }
    if ip.is_loopback() {
        errs.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    if link_local {
        errs.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if link_local_multicast {
        errs.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(check: impl Fn(&str, &Path, &mut ErrorList), value: &str) -> Vec<String> {
        let mut errs = ErrorList::new();
        check(value, &Path::new("ip"), &mut errs);
        errs.iter().map(|e| e.body.rsplit(": ").next().unwrap_or("").to_string()).collect()
    }

    #[test]
    fn sloppy_addresses_are_refused_unless_they_were_there() {
        let legacy = |v: &str, p: &Path, e: &mut ErrorList| validate_legacy(v, &["010.0.0.1"], p, e);
        for (value, want) in [
            ("10.0.0.1", None),
            ("010.0.0.1", None),
            ("010.0.0.2", Some("must not have leading 0s")),
            ("::ffff:1.2.3.4", Some("must not be an IPv4-mapped IPv6 address")),
            ("1::1", None),
        ] {
            assert_eq!(details(legacy, value).first().map(String::as_str), want, "{value}");
        }
        assert_eq!(details(legacy, "nope").len(), 1);
        assert_eq!(details(validate_canonical, "1:0::1"), ["must be in canonical form (\"1::1\")"]);
    }

    #[test]
    fn cidrs_may_not_have_host_bits() {
        let legacy = |v: &str, p: &Path, e: &mut ErrorList| validate_legacy_cidr(v, &[], p, e);
        assert!(details(legacy, "10.0.0.0/8").is_empty());
        assert!(details(legacy, "0.0.0.0/0").is_empty());
        assert_eq!(details(legacy, "10.0.0.1/8"), ["must not have bits set beyond the prefix length"]);
        assert_eq!(details(legacy, "10.0.0.0/08"), ["must not have leading 0s in IP or prefix length"]);
        assert_eq!(details(legacy, "10.0.0.0/33").len(), 1);
    }
}
