//! Port numbers and names.

use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;

/// The transport protocols that ports may have, sorted.
pub const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// A number from 1 to 65535.
pub fn validate_number(port: i64, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, port, name::port_number(port));
}

/// A port number or the name of a port (IntOrString).
pub fn validate_number_or_name(port: &Value, path: &Path, errs: &mut ErrorList) {
    match port {
        Value::String(text) => errs.invalid_each(path, text, name::port_name(text)),
        other => validate_number(other.int(), path, errs),
    }
}

/// One of [`PROTOCOLS`].
pub fn validate_protocol(protocol: &str, path: &Path, errs: &mut ErrorList) {
    match protocol {
        "" => errs.required(path, ""),
        other if !PROTOCOLS.contains(&other) => errs.not_supported(path, other, PROTOCOLS),
        _ => {}
    }
}
