//! What lies between objects in memory, which are plain, and what is kept of them.

use bytes::Bytes;
use std::sync::Arc;

/// Bytes that are kept sealed begin with this, whoever sealed them. No encoding of an object does.
const SEALED_PREFIX: &[u8] = b"k8s:enc:";

/// Seals and opens objects' bytes. Keys are those of [`crate::Object::key`]; `kept_key` is the same as the backend knows
/// it, which is what ciphers authenticate. Opening may wait for a service that has the key.
pub trait AtRest: std::fmt::Debug + Send + Sync {
    /// `None`: kept as it is.
    fn seal(&self, key: &str, kept_key: &[u8], plain: &[u8]) -> Result<Option<Sealed>, String>;

    fn open(&self, key: &str, kept_key: &[u8], kept: &Bytes) -> Result<Opened, String>;

    /// The mark of what would be sealed now: an object with another one is to be written again. 0 is that of plain bytes.
    fn mark(&self, key: &str) -> u32;
}

#[derive(Clone, Debug)]
pub struct Sealed {
    pub bytes: Bytes,
    /// Says with which key.
    pub mark: u32,
}

#[derive(Clone, Debug)]
pub struct Opened {
    pub bytes: Bytes,
    /// As [`Sealed::mark`].
    pub mark: u32,
}

/// Opens what was kept; without `at_rest` sealed bytes are refused, never taken for an object.
pub(crate) fn open(
    at_rest: Option<&Arc<dyn AtRest>>,
    key: &str,
    kept_key: &[u8],
    kept: Bytes,
) -> Result<Opened, String> {
    let opened = match at_rest {
        Some(at_rest) => at_rest.open(key, kept_key, &kept),
        None if kept.starts_with(SEALED_PREFIX) => Err("it is encrypted, and no key is given".into()),
        None => Ok(Opened { bytes: kept, mark: 0 }),
    };
    opened.map_err(|why| format!("unable to transform key {key:?}: {why}"))
}
