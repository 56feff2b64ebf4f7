//! Rules for names, labels and the like, with upstream's texts
//! (k8s.io/apimachinery/pkg/util/validation). Each returns what is wrong; nothing when the value is right.

pub const DNS1123_LABEL_MAX: usize = 63;
pub const DNS1123_SUBDOMAIN_MAX: usize = 253;
pub const QUALIFIED_NAME_MAX: usize = 63;
pub const LABEL_VALUE_MAX: usize = 63;

const DNS1123_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const DNS1123_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const DNS1035_LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const QUALIFIED_NAME: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const DNS1123_LABEL_RE: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS1123_SUBDOMAIN_RE: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_LABEL_RE: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_NAME_RE: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE_RE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

/// `must be no more than N bytes`: what upstream says of label keys and values.
pub fn max_length_error(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

/// `must be no more than N characters`: what upstream says of DNS names, although it counts bytes.
pub fn max_characters_error(max: usize) -> String {
    format!("must be no more than {max} characters")
}

/// `MSG (e.g. 'A',  or 'B', regex used for validation is 'RE')`: upstream's two spaces before "or".
pub fn regex_error(msg: &str, regex: &str, examples: &[&str]) -> String {
    let mut out = format!("{msg} (");
    if !examples.is_empty() {
        out.push_str("e.g. ");
        for (i, example) in examples.iter().enumerate() {
            if i > 0 {
                out.push_str(" or ");
            }
            out.push_str(&format!("'{example}', "));
        }
    }
    out.push_str(&format!("regex used for validation is '{regex}')"));
    out
}

/// `must be between LO and HI, inclusive`
pub fn inclusive_range_error(lo: i64, hi: i64) -> String {
    format!("must be between {lo} and {hi}, inclusive")
}

fn lower_alnum(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// Non-empty, `inner` bytes, beginning with `first` and ending with a lower-case alphanumeric.
fn is_label(s: &[u8], first: fn(u8) -> bool) -> bool {
    match s {
        [] => false,
        [b] => first(*b),
        [b, inner @ .., e] => first(*b) && lower_alnum(*e) && inner.iter().all(|&b| lower_alnum(b) || b == b'-'),
    }
}

/// The name part of a qualified name or a non-empty label value.
fn is_name_part(s: &[u8]) -> bool {
    let ends = |b: &u8| b.is_ascii_alphanumeric();
    match s {
        [] => false,
        [b] => ends(b),
        [b, inner @ .., e] => {
            ends(b) && ends(e) && inner.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
    }
}

pub fn dns1123_label(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > DNS1123_LABEL_MAX {
        errs.push(max_characters_error(DNS1123_LABEL_MAX));
    }
    if !is_label(s.as_bytes(), lower_alnum) {
        // upstream says "subdomain" when the value would pass as one: a dot in a label is the usual slip
        if is_subdomain(s) {
            errs.push("must not contain dots".into());
        } else {
            errs.push(regex_error(DNS1123_LABEL, DNS1123_LABEL_RE, &["my-name", "123-abc"]));
        }
    }
    errs
}

fn is_subdomain(s: &str) -> bool {
    s.split('.').all(|label| is_label(label.as_bytes(), lower_alnum))
}

pub fn dns1123_subdomain(s: &str) -> Vec<String> {
    subdomain(s, max_characters_error)
}

/// A subdomain as upstream's declarative rules check it.
pub fn long_name(s: &str) -> Vec<String> {
    subdomain(s, max_length_error)
}

fn subdomain(s: &str, too_long: fn(usize) -> String) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > DNS1123_SUBDOMAIN_MAX {
        errs.push(too_long(DNS1123_SUBDOMAIN_MAX));
    }
    if !is_subdomain(s) {
        errs.push(regex_error(DNS1123_SUBDOMAIN, DNS1123_SUBDOMAIN_RE, &["example.com"]));
    }
    errs
}

pub fn dns1035_label(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > DNS1123_LABEL_MAX {
        errs.push(max_characters_error(DNS1123_LABEL_MAX));
    }
    if !is_label(s.as_bytes(), |b| b.is_ascii_lowercase()) {
        errs.push(regex_error(DNS1035_LABEL, DNS1035_LABEL_RE, &["my-name", "abc-123"]));
    }
    errs
}

/// A label or annotation key: `[prefix/]name`.
pub fn qualified_name(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    let parts: Vec<&str> = s.split('/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errs.push("prefix part must be non-empty".into());
            } else {
                let bytes = |e: String| format!("prefix part {}", e.replace("253 characters", "253 bytes"));
                errs.extend(dns1123_subdomain(prefix).into_iter().map(bytes));
            }
            name
        }
        _ => {
            let msg = regex_error(QUALIFIED_NAME, QUALIFIED_NAME_RE, &["MyName", "my.name", "123-abc"]);
            return vec![format!(
                "a valid label key {msg} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errs.push("name part must be non-empty".into());
    } else if name.len() > QUALIFIED_NAME_MAX {
        errs.push(format!("name part {}", max_length_error(QUALIFIED_NAME_MAX)));
    }
    if !is_name_part(name.as_bytes()) {
        let msg = regex_error(QUALIFIED_NAME, QUALIFIED_NAME_RE, &["MyName", "my.name", "123-abc"]);
        errs.push(format!("name part {msg}"));
    }
    errs
}

pub fn label_value(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > LABEL_VALUE_MAX {
        errs.push(max_length_error(LABEL_VALUE_MAX));
    }
    if !s.is_empty() && !is_name_part(s.as_bytes()) {
        errs.push(regex_error(LABEL_VALUE, LABEL_VALUE_RE, &["MyValue", "my_value", "12345"]));
    }
    errs
}

/// A name that can be one segment of a URL path.
pub fn path_segment(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s == "." || s == ".." {
        errs.push(format!("may not be '{s}'"));
        return errs;
    }
    errs.extend(path_segment_prefix(s));
    errs
}

/// As [`path_segment`] for the beginning of a name.
pub fn path_segment_prefix(s: &str) -> Vec<String> {
    ["/", "%"].iter().filter(|c| s.contains(**c)).map(|c| format!("may not contain '{c}'")).collect()
}

/// As [`dns1123_subdomain`], underscores allowed: DNS search domains.
pub fn dns1123_subdomain_with_underscore(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > DNS1123_SUBDOMAIN_MAX {
        errs.push(max_characters_error(DNS1123_SUBDOMAIN_MAX));
    }
    let is_label = |label: &str| match label.strip_prefix('_').unwrap_or(label).as_bytes() {
        [] => false,
        [b] => lower_alnum(*b),
        [b, inner @ .., e] => {
            lower_alnum(*b) && lower_alnum(*e) && inner.iter().all(|&b| lower_alnum(b) || matches!(b, b'-' | b'_'))
        }
    };
    if !s.split('.').all(is_label) {
        let msg = DNS1123_SUBDOMAIN.replace("'-' or '.'", "'_', '-' or '.'");
        let label = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
        errs.push(regex_error(&msg, &format!(r"{label}(\.{label})*"), &["example.com"]));
    }
    errs
}

/// The number of a port.
pub fn port_number(port: i64) -> Vec<String> {
    in_range(port, 1, 65535)
}

/// A user's or group's number.
pub fn user_id(id: i64) -> Vec<String> {
    in_range(id, 0, i32::MAX.into())
}

/// `must be between LO and HI, inclusive` when it is not.
pub fn in_range(n: i64, lo: i64, hi: i64) -> Vec<String> {
    if (lo..=hi).contains(&n) { Vec::new() } else { vec![inclusive_range_error(lo, hi)] }
}

/// The name of a port (IANA service name).
pub fn port_name(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > 15 {
        errs.push(max_characters_error(15));
    }
    if s.is_empty() || !s.bytes().all(|b| lower_alnum(b) || b == b'-') {
        errs.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !s.bytes().any(|b| b.is_ascii_lowercase()) {
        errs.push("must contain at least one letter (a-z)".into());
    }
    if s.contains("--") {
        errs.push("must not contain consecutive hyphens".into());
    }
    if s.starts_with('-') || s.ends_with('-') {
        errs.push("must not begin or end with a hyphen".into());
    }
    errs
}

/// The name of an HTTP header.
pub fn http_header_name(s: &str) -> Vec<String> {
    if !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Vec::new();
    }
    let msg = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![regex_error(msg, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// The name of an environment variable, with the relaxed rule.
pub fn env_var_name(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.is_empty() {
        errs.push("environment variable name must be non-empty".into());
    }
    if !s.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        errs.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='".into(),
        );
    }
    errs
}

/// A key of a ConfigMap's or Secret's data.
pub fn config_map_key(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > DNS1123_SUBDOMAIN_MAX {
        errs.push(max_characters_error(DNS1123_SUBDOMAIN_MAX));
    }
    if s.is_empty() || !s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        let msg = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        errs.push(regex_error(msg, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"]));
    }
    match s {
        "." | ".." => errs.push(format!("must not be '{s}'")),
        _ if s.starts_with("..") => errs.push("must not start with '..'".into()),
        _ => {}
    }
    errs
}

/// `*.` and a subdomain.
pub fn wildcard_subdomain(s: &str) -> Vec<String> {
    let mut errs = Vec::new();
    if s.len() > DNS1123_SUBDOMAIN_MAX {
        errs.push(max_characters_error(DNS1123_SUBDOMAIN_MAX));
    }
    if !s.strip_prefix("*.").is_some_and(is_subdomain) {
        let msg = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
        errs.push(regex_error(msg, &format!(r"\*\.{DNS1123_SUBDOMAIN_RE}"), &["*.example.com"]));
    }
    errs
}

/// `N%`
pub fn percent(s: &str) -> Vec<String> {
    let digits = s.strip_suffix('%').unwrap_or("");
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let msg = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![regex_error(msg, "[0-9]+%", &["1%", "93%"])]
}

/// `mask_trailing_dash` lets a generateName end with dashes: the random suffix follows.
pub fn mask_trailing_dash(name: &str) -> String {
    match name.strip_suffix('-') {
        // upstream cuts one character more than it replaces
        Some(rest) if name.len() > 1 => format!("{}a", rest.get(..rest.len() - 1).unwrap_or(rest)),
        _ => name.to_string(),
    }
}

/// Letters and digits of generated names: no vowels and nothing that looks like another, so no words come out.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five random characters, as upstream puts after a generateName.
pub fn random_suffix() -> String {
    use std::hash::{BuildHasher, RandomState};
    let mut random = RandomState::new().hash_one(std::process::id()); // seeded by the system, another each time
    let mut suffix = String::with_capacity(5);
    for _ in 0..5 {
        let at = (random % SUFFIX_ALPHABET.len() as u64) as usize;
        random /= SUFFIX_ALPHABET.len() as u64;
        suffix.push(char::from(SUFFIX_ALPHABET[at]));
    }
    suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_upstream_does() {
        for ok in ["a", "my-name", "1a"] {
            assert!(dns1123_label(ok).is_empty(), "{ok}");
        }
        for bad in ["", "-a", "a-", "A", "a_b"] {
            assert_eq!(dns1123_label(bad).len(), 1, "{bad}");
        }
        assert!(dns1123_subdomain("a.b-c.d").is_empty());
        assert!(!dns1123_subdomain("a..b").is_empty());
        assert!(qualified_name("example.com/My_Name").is_empty());
        assert_eq!(qualified_name("a/b/c").len(), 1);
        assert_eq!(qualified_name("").len(), 2);
        assert!(label_value("").is_empty());
        assert_eq!(label_value(&"x".repeat(64)).len(), 1);
        assert!(dns1035_label("1a").len() == 1);
    }
}
