//! The names that devices, pools and their attributes have, and lists of bounded size.

pub use crate::core::persistentvolume::sources::validate_driver_name as validate_driver;
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use std::collections::BTreeSet;

const POOL_NAME_MAX: usize = 253;
const ID_MAX: usize = 32;
/// A domain, a slash and an id; longer keys are shown shortened.
pub const QUALIFIED_NAME_MAX: usize = 63 + 1 + ID_MAX;

/// A DNS label: a device, a request, a counter.
pub fn validate_label(text: &str, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, text, name::dns1123_label(text));
}

/// Subdomains with slashes between them.
pub fn validate_pool(pool: &str, path: &Path, errs: &mut ErrorList) {
    if pool.is_empty() {
        errs.required(path, "");
        return;
    }
    if pool.len() > POOL_NAME_MAX {
        errs.too_long(path, POOL_NAME_MAX);
    }
    for part in pool.split('/') {
        errs.invalid_each(path, part, name::dns1123_subdomain(part));
    }
}

/// The name of an attribute or a capacity: an id, or a driver's domain, a slash and an id.
pub fn validate_qualified(text: &str, path: &Path, errs: &mut ErrorList) {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [id] => validate_id(id, path, errs),
        [domain, id] => {
            if domain.is_empty() {
                errs.invalid(path, "", "the domain must not be empty");
            } else {
                validate_driver(domain, path, errs);
            }
            if id.is_empty() {
                errs.invalid(path, "", "the name must not be empty");
            } else {
                validate_id(id, path, errs);
            }
        }
        // Upstream has no rule for names of more parts.
        _ => {}
    }
}

/// As [`validate_qualified`], with a domain.
pub fn validate_fully_qualified(text: &str, path: &Path, errs: &mut ErrorList) {
    validate_qualified(text, path, errs);
    if !text.contains('/') {
        errs.invalid(path, text, "a fully qualified name must be a domain and a name separated by a slash");
    }
}

fn validate_id(id: &str, path: &Path, errs: &mut ErrorList) {
    if id.len() > ID_MAX {
        errs.too_long(path, ID_MAX);
    }
    let is_right = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_right {
        let message = name::regex_error(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
            "[A-Za-z_][A-Za-z0-9_]*",
            &["my_name", "MY_NAME", "MyName"],
        );
        errs.invalid(path, id, &message);
    }
}

/// A UUID in its normal form.
pub fn validate_uid(uid: &str, path: &Path, errs: &mut ErrorList) {
    let hyphens = [8, 13, 18, 23];
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_plain = |text: &str| {
        text.len() == 36
            && text
                .bytes()
                .enumerate()
                .all(|(i, b)| if hyphens.contains(&i) { b == b'-' } else { b.is_ascii_hexdigit() })
    };
    let problem = match uid.len() {
        36 if is_plain(uid) => {
            if uid.bytes().any(|b| b.is_ascii_uppercase()) {
                errs.invalid(path, uid, NOT_NORMAL);
            }
            return;
        }
        32 if is_hex(uid) => return errs.invalid(path, uid, NOT_NORMAL),
        45 if uid.get(..9).is_some_and(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:")) => {
            return match uid.get(9..).is_some_and(is_plain) {
                true => errs.invalid(path, uid, NOT_NORMAL),
                false => errs.invalid(path, uid, "error validating uid: invalid UUID format"),
            };
        }
        38 if uid.starts_with('{') && uid.ends_with('}') && uid.get(1..37).is_some_and(is_plain) => {
            return errs.invalid(path, uid, NOT_NORMAL);
        }
        32 | 36 | 38 => "invalid UUID format".into(),
        length => format!("invalid UUID length: {length}"),
    };
    errs.invalid(path, uid, &format!("error validating uid: {problem}"));
}

const NOT_NORMAL: &str = "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters";

/// Every item of a list of at most `max` items; of a longer one only the length is told.
pub fn validate_list(
    list: &Value,
    max: usize,
    path: &Path,
    errs: &mut ErrorList,
    validate: impl Fn(&Value, &Path, &mut ErrorList),
) -> bool {
    let items = list.items();
    if items.len() > max {
        errs.too_many(path, items.len(), max);
        return false;
    }
    for (i, item) in items.iter().enumerate() {
        validate(item, &path.index(i), errs);
    }
    true
}

/// As [`validate_list`], without two items of the same key.
pub fn validate_set(
    list: &Value,
    max: usize,
    key: impl Fn(&Value) -> &str,
    path: &Path,
    errs: &mut ErrorList,
    validate: impl Fn(&Value, &Path, &mut ErrorList),
) {
    if !validate_list(list, max, path, errs, validate) {
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, item) in list.items().iter().enumerate() {
        let key = key(item);
        if !seen.insert(key) {
            errs.duplicate(&path.index(i), key);
        }
    }
}

/// A key as paths show it: too long ones without their middle.
pub fn shortened(key: &str, max: usize) -> String {
    let max = max.max(16);
    if key.len() <= max {
        return key.into();
    }
    let rest = max - 3;
    let bytes = key.as_bytes();
    let head = bytes.get(..rest.div_ceil(2)).unwrap_or(bytes);
    let tail = bytes.get(bytes.len() - rest / 2..).unwrap_or_default();
    format!("{}...{}", String::from_utf8_lossy(head), String::from_utf8_lossy(tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::field::quote;

    fn messages(validate: fn(&str, &Path, &mut ErrorList), text: &str) -> Vec<String> {
        let mut errs = ErrorList::new();
        validate(text, &Path::new("at"), &mut errs);
        let shown = format!("Invalid value: {}: ", quote(text));
        errs.iter().map(|e| e.body.strip_prefix(&shown).unwrap_or(&e.body).to_string()).collect()
    }

    #[test]
    fn uids_are_lower_case_uuids() {
        assert!(messages(validate_uid, "6ba7b810-9dad-11d1-80b4-00c04fd430c8").is_empty());
        assert_eq!(messages(validate_uid, "6BA7B810-9dad-11d1-80b4-00c04fd430c8"), [NOT_NORMAL]);
        assert_eq!(messages(validate_uid, "6ba7b8109dad11d180b400c04fd430c8"), [NOT_NORMAL]);
        assert_eq!(messages(validate_uid, "abc"), ["error validating uid: invalid UUID length: 3"]);
        assert_eq!(
            messages(validate_uid, "6ba7b810-9dad-11d1-80b4_00c04fd430c8"),
            ["error validating uid: invalid UUID format"]
        );
    }

    #[test]
    fn qualified_names_have_one_slash_at_most() {
        assert!(messages(validate_qualified, "memory").is_empty());
        assert!(messages(validate_qualified, "gpu.example.com/memory").is_empty());
        assert_eq!(messages(validate_qualified, "/").len(), 2);
        assert_eq!(messages(validate_fully_qualified, "memory").len(), 1);
    }

    #[test]
    fn long_keys_lose_their_middle() {
        assert_eq!(shortened("0123456789abcdef", 1), "0123456789abcdef");
        assert_eq!(shortened("0123456789abcdefg", 1), "0123456...bcdefg");
    }
}
