//! Where a request came from (upstream: k8s.io/apimachinery/pkg/util/net, SourceIPs).

use std::net::IpAddr;

/// The addresses that X-Forwarded-For and X-Real-Ip claim, then the one at the other end of the connection, which
/// nobody can claim. Texts that are no addresses are passed over.
pub fn source_addresses(forwarded_for: &str, real_ip: &str, remote: Option<IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = forwarded_for.split(',').filter_map(parse).collect();
    addresses.extend(parse(real_ip).filter(|address| !addresses.contains(address)));
    addresses.extend(remote.filter(|address| addresses.last() != Some(address)));
    addresses
}

fn parse(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_come_first_and_nothing_twice_in_a_row() {
        let remote = || parse("10.0.0.9");
        let cases = [
            ("", "", vec!["10.0.0.9"]),
            ("1.2.3.4, x, 5.6.7.8", "", vec!["1.2.3.4", "5.6.7.8", "10.0.0.9"]),
            ("1.2.3.4", "1.2.3.4", vec!["1.2.3.4", "10.0.0.9"]),
            ("1.2.3.4", "9.9.9.9", vec!["1.2.3.4", "9.9.9.9", "10.0.0.9"]),
            ("1.2.3.4,10.0.0.9", "", vec!["1.2.3.4", "10.0.0.9"]),
            ("10.0.0.9,1.2.3.4", "", vec!["10.0.0.9", "1.2.3.4", "10.0.0.9"]),
            ("::1", "", vec!["::1", "10.0.0.9"]),
        ];
        for (forwarded, real, want) in cases {
            let got: Vec<String> = source_addresses(forwarded, real, remote()).iter().map(IpAddr::to_string).collect();
            assert_eq!(got, want, "{forwarded} {real}");
        }
        assert!(source_addresses("", "", None).is_empty());
    }
}
