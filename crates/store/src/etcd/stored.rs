//! The edge where bytes go to etcd and come from it: the only place that knows both forms of an object.

use super::{Etcd, own_writes::OwnPut, unsigned};
use crate::object::{EncodingSlot, Meta, Object};
use ::etcd::{KeyValue, Request};
use bytes::Bytes;
use std::sync::Arc;

impl Etcd {
    /// An object's bytes as a step of a transaction. They are stored as they are.
    pub(super) fn put_request(&self, key: &str, bytes: &Bytes, lease: i64) -> Request {
        Request::Put { key: self.keys.in_etcd(key), value: bytes.clone(), lease }
    }

    /// The object that etcd has under a key of ours. What this server has just written is not decoded again.
    pub(super) fn object_of(&self, key: Arc<str>, kv: &KeyValue, own: Option<&OwnPut>) -> Object {
        let published = self.core.resource(&key);
        let (bytes, meta) = match (own, &published) {
            (Some(own), _) => (own.bytes.clone(), own.meta.clone()),
            (None, Some(published)) => {
                let resource = &published.resource;
                let bytes = resource.canonical_bytes(&kv.value).unwrap_or_else(|| copied(&kv.value));
                let meta = resource.meta_of(&key, &bytes);
                (bytes, meta)
            }
            (None, None) => (copied(&kv.value), Meta::default()),
        };
        Object {
            key,
            revision: unsigned(kv.mod_revision),
            create_revision: unsigned(kv.create_revision),
            bytes,
            // A lease is etcd's affair.
            meta: Meta { expires_at_seconds: None, ..meta },
            fingerprint: published.map_or(0, |published| published.fingerprint),
            encodings: EncodingSlot::new(&self.encodings()),
        }
    }
}

/// What etcd sent is a part of a larger message, which goes.
fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
