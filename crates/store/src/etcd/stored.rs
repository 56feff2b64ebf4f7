//! The edge where bytes go to etcd and come from it: the only place that knows both forms of an object.

use super::{Etcd, own_writes::OwnPut, unsigned};
use crate::commit::Published;
use crate::object::{EncodingSlot, Object};
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
        let meta = match (own, &published) {
            (Some(own), _) => own.meta.clone(),
            (None, Some(published)) => published.resource.meta_of(&key, &kv.value),
            (None, None) => crate::object::Meta::default(),
        };
        Object {
            key,
            revision: unsigned(kv.mod_revision),
            create_revision: unsigned(kv.create_revision),
            // Copied: what etcd sent is a part of a larger message.
            bytes: own.map_or_else(|| Bytes::copy_from_slice(&kv.value), |own| own.bytes.clone()),
            // A lease is etcd's affair.
            meta: crate::object::Meta { expires_at_seconds: None, ..meta },
            fingerprint: published.as_deref().map_or(0, fingerprint),
            encodings: EncodingSlot::new(&self.encodings()),
        }
    }
}

fn fingerprint(published: &Published) -> u32 {
    published.fingerprint
}
