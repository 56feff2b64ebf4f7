//! A document's bytes and what HTTP says about them.

use meta::Value;
use sha2::{Digest, Sha512};

/// A published document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub bytes: Vec<u8>,
    /// Upper hexadecimal SHA-512 of the JSON form, without the quotes that the ETag header adds. Other forms of the same content have the same.
    pub etag: String,
}

impl Document {
    /// The compact JSON of a tree.
    pub fn json(value: &Value) -> Document {
        Document::of(meta::json::to_string(value).into_bytes())
    }

    /// Bytes that are JSON already.
    pub(crate) fn of(bytes: Vec<u8>) -> Document {
        let etag = etag(&bytes);
        Document { bytes, etag }
    }
}

/// Upper hexadecimal SHA-512.
pub(crate) fn etag(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(128);
    for byte in Sha512::digest(bytes).iter() {
        let _ = write!(out, "{byte:02X}");
    }
    out
}
