//! Protobuf messages: the envelope around sealed objects
//! (k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2/api.proto), and those that a key service understands
//! (k8s.io/kms/apis/v2/api.proto).

use crate::cipher::Why;
use bytes::Bytes;
use grpc::{Field, Malformed, Writer, read_fields};
use std::collections::BTreeMap;

const KEY_ID_BYTES_MAX: usize = 1024;
const SOURCE_BYTES_MAX: usize = 1024;
const ANNOTATIONS_BYTES_MAX: usize = 32 * 1024;

pub(crate) type Annotations = BTreeMap<String, Bytes>;

/// What the key that a service sealed is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SourceType {
    /// It is the objects' key (Kubernetes before 1.29).
    #[default]
    Key,
    /// Objects' keys are made from it.
    Seed,
}

/// A sealed object with what is needed to have its key opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EncryptedObject {
    pub(crate) data: Bytes,
    pub(crate) source: Source,
}

/// A sealed key or seed, as the service gave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Source {
    pub(crate) key_id: String,
    pub(crate) sealed: Bytes,
    pub(crate) annotations: Annotations,
    pub(crate) kind: SourceType,
}

impl EncryptedObject {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(1, &self.data);
        writer.bytes(2, self.source.key_id.as_bytes());
        writer.bytes(3, &self.source.sealed);
        write_map(&mut writer, 4, &self.source.annotations);
        writer.number(5, u64::from(self.source.kind == SourceType::Seed));
        writer.bytes
    }

    pub(crate) fn read(message: Bytes) -> Result<EncryptedObject, Why> {
        let mut object = EncryptedObject::default();
        let mut kind = 0;
        let read = read_fields(message, |field, value| {
            match field {
                1 => object.data = value.bytes(),
                2 => object.source.key_id = text(value)?,
                3 => object.source.sealed = value.bytes(),
                4 => read_entry(value, &mut object.source.annotations)?,
                5 => kind = value.number(),
                _ => {}
            }
            Ok(())
        });
        read.map_err(|Malformed| "the encrypted object is malformed".to_owned())?;
        object.source.kind = match kind {
            0 => SourceType::Key,
            1 => SourceType::Seed,
            other => return Err(format!("unknown encryptedDEKSourceType: {other}")),
        };
        if object.data.is_empty() {
            return Err("encrypted data is empty".into());
        }
        object.source.check()?;
        Ok(object)
    }
}

impl Source {
    /// Upstream's bounds.
    pub(crate) fn check(&self) -> Result<(), Why> {
        let len = self.sealed.len();
        if len == 0 {
            return Err("failed to validate encrypted DEK source: encrypted DEK source is empty".into());
        }
        if len > SOURCE_BYTES_MAX {
            return Err(format!(
                "failed to validate encrypted DEK source: encrypted DEK source is {len} bytes, which exceeds the max size of {SOURCE_BYTES_MAX}"
            ));
        }
        check_key_id(&self.key_id).map_err(|why| format!("failed to validate key id: {why}"))?;
        let size: usize = self.annotations.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
        if size > ANNOTATIONS_BYTES_MAX {
            return Err(format!(
                "failed to validate annotations: total size of annotations is {size}, which exceeds the max size of {ANNOTATIONS_BYTES_MAX}"
            ));
        }
        for key in self.annotations.keys() {
            let wrong = meta::name::dns1123_subdomain(key);
            if !wrong.is_empty() || !key.contains('.') {
                let key = meta::field::quote(key);
                return Err(format!(
                    "failed to validate annotations: {key} should be a domain with at least two segments"
                ));
            }
        }
        Ok(())
    }
}

pub(crate) fn check_key_id(key_id: &str) -> Result<(), Why> {
    match key_id.len() {
        0 => Err("keyID is empty".into()),
        len if len > KEY_ID_BYTES_MAX => {
            Err(format!("keyID is {len} bytes, which exceeds the max size of {KEY_ID_BYTES_MAX}"))
        }
        _ => Ok(()),
    }
}

/// The answer to Status.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) healthz: String,
    pub(crate) key_id: String,
}

impl Status {
    pub(crate) fn read(message: Bytes) -> Result<Status, Malformed> {
        let mut status = Status::default();
        read_fields(message, |field, value| {
            match field {
                1 => status.version = text(value)?,
                2 => status.healthz = text(value)?,
                3 => status.key_id = text(value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(status)
    }
}

pub(crate) fn encrypt_request(plain: &[u8], uid: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, plain);
    writer.bytes(2, uid.as_bytes());
    writer.bytes
}

/// What Encrypt gave back.
pub(crate) fn read_encrypted(message: Bytes) -> Result<Source, Malformed> {
    let mut source = Source { kind: SourceType::Seed, ..Source::default() };
    read_fields(message, |field, value| {
        match field {
            1 => source.sealed = value.bytes(),
            2 => source.key_id = text(value)?,
            3 => read_entry(value, &mut source.annotations)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(source)
}

pub(crate) fn decrypt_request(source: &Source, uid: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, &source.sealed);
    writer.bytes(2, uid.as_bytes());
    writer.bytes(3, source.key_id.as_bytes());
    write_map(&mut writer, 4, &source.annotations);
    writer.bytes
}

pub(crate) fn read_decrypted(message: Bytes) -> Result<Bytes, Malformed> {
    let mut plain = Bytes::new();
    read_fields(message, |field, value| {
        if field == 1 {
            plain = value.bytes();
        }
        Ok(())
    })?;
    Ok(plain)
}

fn write_map(writer: &mut Writer, field: u64, map: &Annotations) {
    for (key, value) in map {
        writer.message(field, |entry| {
            entry.bytes(1, key.as_bytes());
            entry.bytes(2, value);
        });
    }
}

fn read_entry(entry: Field, map: &mut Annotations) -> Result<(), Malformed> {
    let (mut key, mut bytes) = (String::new(), Bytes::new());
    read_fields(entry.bytes(), |field, value| {
        match field {
            1 => key = text(value)?,
            2 => bytes = value.bytes(),
            _ => {}
        }
        Ok(())
    })?;
    map.insert(key, bytes);
    Ok(())
}

fn text(field: Field) -> Result<String, Malformed> {
    String::from_utf8(field.bytes().to_vec()).map_err(|_| Malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cipher::Cipher;
    use crate::cipher::tests::{PLAIN, STORE_KEY, bytes, counting};

    /// Made with Python: the sealed text of the seed's test in an envelope.
    const ENVELOPE: &str = "0a73202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f6465666768696a6b6c6d6e6f3ed53ee687c6d4511bdc57fa3a95010c13f4dd02ad87d7e01b962f8a91bb2c9caf32c98f13a6af22fad1b85038ad43f8a665aebc76466e6720847adcf0033e496f3d1016e013cb12056b65792d311a0b7365616c65642d7365656422150a0d612e6578616d706c652e636f6d12046e6f74652801";

    #[test]
    fn envelopes_are_upstreams() {
        let object = EncryptedObject::read(bytes(ENVELOPE).into()).expect("an envelope");
        assert_eq!((object.source.key_id.as_str(), &object.source.sealed[..]), ("key-1", &b"sealed-seed"[..]));
        assert_eq!(object.source.annotations["a.example.com"], "note");
        assert_eq!(object.source.kind, SourceType::Seed);
        let cipher = Cipher::seeded(&counting(32)).expect("a seed");
        assert_eq!(cipher.open(&object.data, STORE_KEY).as_deref(), Ok(PLAIN));
        assert_eq!(object.to_bytes(), bytes(ENVELOPE));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let whole = EncryptedObject::read(bytes(ENVELOPE).into()).expect("an envelope");
        let with = |change: fn(&mut EncryptedObject)| {
            let mut object = whole.clone();
            change(&mut object);
            EncryptedObject::read(object.to_bytes().into()).err().unwrap_or_default()
        };
        type Change = fn(&mut EncryptedObject);
        let cases: [(Change, &str); 6] = [
            (|o| o.data = Bytes::new(), "encrypted data is empty"),
            (|o| o.source.sealed = Bytes::new(), "encrypted DEK source is empty"),
            (|o| o.source.sealed = vec![1; 1025].into(), "exceeds the max size of 1024"),
            (|o| o.source.key_id = String::new(), "keyID is empty"),
            (|o| o.source.key_id = "k".repeat(1025), "keyID is 1025 bytes"),
            (|o| drop(o.source.annotations.insert("short".into(), Bytes::new())), "should be a domain"),
        ];
        for (change, why) in cases {
            assert!(with(change).contains(why), "{why}: {}", with(change));
        }
        let mut other = whole.to_bytes();
        *other.last_mut().expect("a last byte") = 2;
        assert_eq!(EncryptedObject::read(other.into()).err().as_deref(), Some("unknown encryptedDEKSourceType: 2"));
        for cut in 0..bytes(ENVELOPE).len() {
            // Whatever it is, it is no panic.
            let _ = EncryptedObject::read(bytes(ENVELOPE)[..cut].to_vec().into());
        }
    }
}
