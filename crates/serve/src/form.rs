//! The forms an object takes: stored bytes, the canonical tree in the storage version, the served version.

use crate::write::Stored;
use bytes::Bytes;
use codec::{Aside, DecodeError, Findings};
use meta::{Reason, Result, Status, Value, json};
use resource::{Descriptor, InEtcd};

/// What begins protobuf as Kubernetes stores it.
const PROTOBUF_MAGIC: &[u8] = b"k8s\0";

/// Stored bytes as a tree in the storage version, without resourceVersion. The error is for the log.
pub fn decode_stored(descriptor: &Descriptor, bytes: &[u8]) -> std::result::Result<Value, String> {
    let (schema, ty) = (&descriptor.schema, descriptor.storage_type_id);
    let decoded = if bytes.starts_with(PROTOBUF_MAGIC) {
        codec::decode_protobuf(schema, ty, bytes)
    } else {
        codec::decode_json(schema, ty, bytes)
    };
    decoded.map(|decoded| decoded.value).map_err(|why| why.text)
}

/// A stored object as a tree in the storage version, with its resourceVersion. 500 when it cannot be read.
pub fn stored_value(descriptor: &Descriptor, object: &store::Object) -> Result<Value> {
    stored_value_at(descriptor, object, object.revision)
}

/// As [`stored_value`], with another resourceVersion: that of its deletion.
pub fn stored_value_at(descriptor: &Descriptor, object: &store::Object, revision: u64) -> Result<Value> {
    let mut value = decode_stored(descriptor, &object.bytes()).map_err(|why| {
        let text = format!("unable to decode the stored object {}: {why}", object.key);
        Status::failure(500, Reason::StoreReadError, text)
    })?;
    value.entry("metadata").set("resourceVersion", revision.to_string());
    Ok(value)
}

/// The bytes to store. resourceVersion is the store's and selfLink is nobody's: neither is written.
/// The object has its resourceVersion again afterwards.
pub fn encode_stored(descriptor: &Descriptor, object: &mut Value) -> Result<Bytes> {
    encode_stored_over(descriptor, object, None)
}

/// The same for a new state of a stored object: what has not changed keeps its bytes.
pub fn encode_stored_over(descriptor: &Descriptor, object: &mut Value, old: Option<&Stored>) -> Result<Bytes> {
    let metadata = object.entry("metadata");
    let revision = metadata.remove("resourceVersion");
    metadata.remove("selfLink");
    object.set("apiVersion", descriptor.storage.api_version());
    object.set("kind", &descriptor.storage.kind);
    let mut out = Vec::new();
    if descriptor.stored_as_json {
        // With the newline that upstream's encoder writes: it compares bytes to find that nothing has changed.
        json::write(object, &mut out);
        out.push(b'\n');
    } else {
        let (schema, ty, gvk) = (&descriptor.schema, descriptor.storage_type_id, &descriptor.storage);
        match old {
            Some(old) => {
                codec::encode_protobuf_over(schema, ty, gvk, object, (&old.value, &old.object.bytes()), &mut out)
            }
            None => codec::encode_protobuf(schema, ty, gvk, object, &mut out),
        }
    }
    if let Some(revision) = revision {
        object.entry("metadata").set("resourceVersion", revision);
    }
    Ok(out.into())
}

/// Stored bytes in the form of [`encode_stored`], with defaults; `None` when they are in it already, or cannot be read.
/// kube-apiserver stores some built-ins as JSON, objects of former releases may be in former versions and without newer
/// defaults, and some defaults kube-apiserver itself only gives to what it has read back.
pub fn canonical_stored(descriptor: &Descriptor, bytes: &[u8]) -> Option<Bytes> {
    let schema = &descriptor.schema;
    let is_protobuf = bytes.starts_with(PROTOBUF_MAGIC);
    let (api_version, kind) = if is_protobuf {
        let envelope = codec::Envelope::open(bytes).ok()?;
        (envelope.api_version, envelope.kind)
    } else {
        codec::kind_of_json(bytes).ok()?
    };
    let is_current = *api_version == *descriptor.storage.api_version() && kind == descriptor.storage.kind;
    if is_current && is_protobuf != descriptor.stored_as_json {
        return if is_protobuf { defaulted(descriptor, bytes) } else { None };
    }
    let known = schema.kind(&meta::Gvk::from_api_version(&api_version, &kind)).filter(|_| !descriptor.stored_as_json);
    let mut object = match known {
        Some(ty) if is_protobuf => codec::decode_protobuf(schema, ty, bytes).ok()?.value,
        Some(ty) => codec::decode_json(schema, ty, bytes).ok()?.value,
        None if is_protobuf => decode_stored(descriptor, bytes).ok()?,
        None => json::parse(bytes).ok()?.value,
    };
    if let Some((_, to_storage)) = descriptor.stored_before.iter().find(|(before, _)| *before == api_version) {
        object = to_storage(object);
    }
    object.set("apiVersion", descriptor.storage.api_version());
    object.set("kind", &descriptor.storage.kind);
    if !descriptor.stored_as_json {
        canonicalise_stored(descriptor, &mut object).ok()?;
        descriptor.hooks.default(&mut object);
    }
    encode_stored(descriptor, &mut object).ok()
}

/// `None` when no default is missing.
fn defaulted(descriptor: &Descriptor, bytes: &[u8]) -> Option<Bytes> {
    let stored = decode_stored(descriptor, bytes).ok()?;
    let mut object = stored.clone();
    descriptor.hooks.default(&mut object);
    if object == stored { None } else { encode_stored(descriptor, &mut object).ok() }
}

/// Bytes of [`encode_stored`] as kube-apiserver would have them in etcd; `None` when they cannot be read.
pub fn bytes_in_etcd(descriptor: &Descriptor, bytes: &[u8]) -> Option<Bytes> {
    let (schema, ty) = (&descriptor.schema, descriptor.storage_type_id);
    let mut object = decode_stored(descriptor, bytes).ok()?;
    let mut out = Vec::new();
    match descriptor.in_etcd? {
        InEtcd::Json => {
            codec::encode_json(schema, ty, &object, &mut out);
            out.push(b'\n');
        }
        InEtcd::ApiVersion(api_version) => {
            object.set("apiVersion", api_version);
            let gvk = meta::Gvk::from_api_version(api_version, &descriptor.storage.kind);
            codec::encode_protobuf(schema, ty, &gvk, &object, &mut out);
        }
    }
    Some(out.into())
}

/// Brings an object in the storage version into canonical form after hooks or admission changed it.
pub fn canonicalise_stored(descriptor: &Descriptor, object: &mut Value) -> Result<()> {
    let found = codec::canonicalise_stored(&descriptor.schema, descriptor.storage_type_id, object);
    found.map(drop).map_err(|why| Status::internal(why.text))
}

/// Appends the JSON of an object in the served version, as upstream orders it.
pub fn encode_served_json(descriptor: &Descriptor, served: &Value, out: &mut Vec<u8>) {
    if descriptor.stored_as_json {
        json::write(served, out);
    } else {
        codec::encode_json(&descriptor.schema, descriptor.type_id, served, out);
    }
}

/// Storage version → served version.
pub fn to_served(descriptor: &Descriptor, object: Value) -> Value {
    match &descriptor.convert {
        Some(convert) => convert.from_storage(object),
        None => object,
    }
}

/// Served version → storage version.
pub fn to_storage(descriptor: &Descriptor, object: Value) -> Value {
    match &descriptor.convert {
        Some(convert) => convert.to_storage(object),
        None => object,
    }
}

/// A tree in the served version, whatever its origin, as an object in the storage version with its defaults. `aside` are
/// members of it that need no work. Also: what was found on the way.
pub fn admit_served(
    descriptor: &Descriptor,
    mut served: Value,
    aside: Aside,
) -> std::result::Result<(Value, Findings), DecodeError> {
    let found = codec::canonicalise(&descriptor.schema, descriptor.type_id, &mut served)?;
    aside.put_back(&mut served);
    Ok((default_served(descriptor, served), found))
}

/// A canonical object in the served version as one in the storage version with its defaults.
pub fn default_served(descriptor: &Descriptor, mut served: Value) -> Value {
    served.set("apiVersion", descriptor.api_version());
    served.set("kind", &descriptor.kind);
    let mut object = to_storage(descriptor, served);
    descriptor.hooks.default(&mut object);
    object
}
