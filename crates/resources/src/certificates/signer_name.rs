//! Names of signers: `domain/path` (upstream: ValidateSignerName in pkg/apis/certificates/validation).

use meta::field::{ErrorList, Path, quote};
use meta::name;

const NAME_LENGTH_MAX: usize = name::DNS1123_SUBDOMAIN_MAX + 1 + PATH_LENGTH_MAX;
const PATH_LENGTH_MAX: usize = name::DNS1123_SUBDOMAIN_MAX + name::DNS1123_LABEL_MAX + 1;

pub fn validate(signer: &str, path: &Path, errs: &mut ErrorList) {
    if signer.is_empty() {
        errs.required(path, "");
        return;
    }
    let segments: Vec<&str> = signer.split('/').collect();
    let [domain, rest] = segments.as_slice() else {
        let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errs.invalid(path, signer, detail);
        return;
    };
    if domain.len() > name::DNS1123_SUBDOMAIN_MAX {
        errs.too_long(path, name::DNS1123_SUBDOMAIN_MAX);
    }
    validate_labels(domain, name::dns1123_label, path, errs);
    if !domain.contains('.') {
        errs.invalid(path, *domain, "should be a domain with at least two segments separated by dots");
    }
    validate_labels(rest, name::dns1123_subdomain, path, errs);
    if rest.len() > PATH_LENGTH_MAX {
        errs.too_long(path, PATH_LENGTH_MAX);
    }
    if signer.len() > NAME_LENGTH_MAX {
        errs.too_long(path, NAME_LENGTH_MAX);
    }
}

/// The first label that is wrong is reported.
fn validate_labels(segment: &str, check: fn(&str) -> Vec<String>, path: &Path, errs: &mut ErrorList) {
    for label in segment.split('.') {
        let wrong = check(label);
        if !wrong.is_empty() {
            for message in wrong {
                errs.invalid(path, segment, &format!("validating label {}: {message}", quote(label)));
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_a_path() {
        for (signer, count) in [
            ("example.com/signer", 0),
            ("example.com/a.b", 0),
            ("", 1),
            ("example.com", 1),
            ("example/signer", 1),
            ("a.b/c/d", 1),
            ("A.b/c", 1),
            ("a.b/C", 1),
        ] {
            let mut errs = ErrorList::new();
            validate(signer, &Path::new("signerName"), &mut errs);
            assert_eq!(errs.len(), count, "{signer}");
        }
    }
}
