//! Names like `acme.io/foo`.

use meta::field::{ErrorList, Path};
use meta::name;

/// A subdomain, a slash and a path, not empty.
pub fn validate(text: &str, path: &Path, errs: &mut ErrorList) {
    let Some((host, rest)) = text.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty()) else {
        errs.invalid(path, text, "must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    };
    errs.invalid_each(path, host, name::dns1123_subdomain(host));
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        let message = name::regex_error("Invalid path", r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", &[]);
        errs.invalid(path, rest, &message);
    }
}
