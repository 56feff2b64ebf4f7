//! The edge where bytes go to etcd and come from it: the only place that knows both forms of an object.

use super::{Etcd, own_writes::OwnPut, unsigned};
use crate::at_rest::{self, Opened};
use crate::commit::CommitError;
use crate::object::{EncodingSlot, Meta, Object};
use crate::packing::Kept;
use ::etcd::{KeyValue, Request};
use bytes::Bytes;
use std::sync::Arc;

impl Etcd {
    /// An object's bytes as a step of a transaction: sealed, where that is asked for, else as they are.
    pub(super) fn put_request(&self, key: &str, bytes: &Bytes, lease: i64) -> Result<Request, CommitError> {
        let in_etcd = self.keys.in_etcd(key);
        let published = self.core.resource(key);
        let shared = published.and_then(|published| published.resource.bytes_in_etcd(bytes));
        let bytes = shared.as_ref().unwrap_or(bytes);
        let sealed = match &self.core.options.at_rest {
            Some(at_rest) => at_rest.seal(key, &in_etcd, bytes),
            None => Ok(None),
        };
        let sealed = sealed.map_err(|why| CommitError::Unavailable(why.into()))?;
        let value = sealed.map_or_else(|| bytes.clone(), |sealed| sealed.bytes);
        Ok(Request::Put { key: in_etcd, value, lease })
    }

    /// The plain bytes of what etcd has under a key of ours.
    pub(super) fn open(&self, key: &str, kv: &KeyValue) -> Result<Opened, String> {
        at_rest::open(self.core.options.at_rest.as_ref(), key, &self.keys.in_etcd(key), kv.value.clone())
    }

    /// The object that etcd has under a key of ours.
    pub(super) fn object_of(&self, key: Arc<str>, kv: &KeyValue) -> Result<Object, String> {
        let opened = self.open(&key, kv)?;
        Ok(self.object_with(key, kv, &opened, None))
    }

    /// The same with its plain bytes. What this server has just written is not decoded again.
    pub(super) fn object_with(&self, key: Arc<str>, kv: &KeyValue, opened: &Opened, own: Option<&OwnPut>) -> Object {
        let published = self.core.resource(&key);
        let (bytes, meta) = match (own, &published) {
            (Some(own), _) => (own.bytes.clone(), own.meta.clone()),
            (None, Some(published)) => {
                let resource = &published.resource;
                let bytes = resource.canonical_bytes(&opened.bytes).unwrap_or_else(|| copied(&opened.bytes));
                let meta = resource.meta_of(&key, &bytes);
                (bytes, meta)
            }
            (None, None) => (copied(&opened.bytes), Meta::default()),
        };
        Object {
            key,
            revision: unsigned(kv.mod_revision),
            create_revision: unsigned(kv.create_revision),
            kept: Kept::of(bytes),
            // A lease is etcd's affair.
            meta: Meta { expires_at_seconds: None, ..meta },
            fingerprint: published.map_or(0, |published| published.fingerprint),
            mark: opened.mark,
            encodings: EncodingSlot::new(&self.encodings()),
        }
    }
}

/// What etcd sent is a part of a larger message, which goes.
fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
