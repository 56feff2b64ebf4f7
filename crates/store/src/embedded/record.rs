//! How transactions and objects are written: little-endian numbers, texts and bytes with a length before them.

use crate::at_rest::Sealed;
use crate::object::{EncodingCache, EncodingSlot, Meta, Object};
use crate::packing::Kept;
use bytes::Bytes;
use std::sync::Arc;

/// The bytes do not say what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What a log says that happened under one revision.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) revision: u64,
    /// Unix seconds.
    pub(crate) time_seconds: i64,
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug)]
pub(crate) enum Change {
    Put(Stored),
    Delete(Arc<str>),
}

/// An object as it is written.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) key: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) create_revision: u64,
    pub(crate) expires_at_seconds: Option<i64>,
    pub(crate) bytes: Bytes,
    pub(crate) meta: Meta,
    pub(crate) fingerprint: u32,
}

impl Stored {
    pub(crate) fn into_object(self, encodings: &Arc<EncodingCache>) -> Object {
        Object {
            key: self.key,
            revision: self.revision,
            create_revision: self.create_revision,
            kept: Kept::of(self.bytes),
            meta: Meta { expires_at_seconds: self.expires_at_seconds, ..self.meta },
            fingerprint: self.fingerprint,
            mark: 0,
            encodings: EncodingSlot::new(encodings),
        }
    }
}

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Written for "does not expire".
const NEVER: i64 = i64::MIN;
/// The fingerprint of metadata that is to be read from the bytes.
const UNKNOWN_META: u32 = 0;

/// Begins a transaction; `count` changes follow.
pub(crate) fn write_transaction(into: &mut Vec<u8>, revision: u64, time_seconds: i64, count: usize) {
    into.extend_from_slice(&revision.to_le_bytes());
    into.extend_from_slice(&time_seconds.to_le_bytes());
    into.extend_from_slice(&(count as u64).to_le_bytes());
}

pub(crate) fn write_put(into: &mut Vec<u8>, object: &Object, sealed: Option<&Sealed>) {
    into.push(PUT);
    write_object(into, object, sealed);
}

pub(crate) fn write_delete(into: &mut Vec<u8>, key: &str) {
    into.push(DELETE);
    write_bytes(into, key.as_bytes());
}

/// Metadata is a part of what is sealed: it is written beside plain bytes only, and read from the others.
pub(crate) fn write_object(into: &mut Vec<u8>, object: &Object, sealed: Option<&Sealed>) {
    write_bytes(into, object.key.as_bytes());
    into.extend_from_slice(&object.revision.to_le_bytes());
    into.extend_from_slice(&object.create_revision.to_le_bytes());
    into.extend_from_slice(&object.meta.expires_at_seconds.unwrap_or(NEVER).to_le_bytes());
    match sealed {
        Some(sealed) => {
            write_bytes(into, &sealed.bytes);
            into.extend_from_slice(&u64::from(UNKNOWN_META).to_le_bytes());
            write_meta(into, &Meta::default());
        }
        None => {
            write_bytes(into, &object.bytes());
            into.extend_from_slice(&u64::from(object.fingerprint).to_le_bytes());
            write_meta(into, &object.meta);
        }
    }
}

/// As it was read.
pub(crate) fn write_stored(into: &mut Vec<u8>, stored: &Stored) {
    write_bytes(into, stored.key.as_bytes());
    into.extend_from_slice(&stored.revision.to_le_bytes());
    into.extend_from_slice(&stored.create_revision.to_le_bytes());
    into.extend_from_slice(&stored.expires_at_seconds.unwrap_or(NEVER).to_le_bytes());
    write_bytes(into, &stored.bytes);
    into.extend_from_slice(&u64::from(stored.fingerprint).to_le_bytes());
    write_meta(into, &stored.meta);
}

fn write_meta(into: &mut Vec<u8>, meta: &Meta) {
    write_bytes(into, meta.namespace.as_bytes());
    write_bytes(into, meta.name.as_bytes());
    into.extend_from_slice(&(meta.labels.len() as u64).to_le_bytes());
    for (key, value) in &meta.labels {
        write_bytes(into, key.as_bytes());
        write_bytes(into, value.as_bytes());
    }
    into.extend_from_slice(&(meta.fields.len() as u64).to_le_bytes());
    for value in &meta.fields {
        write_bytes(into, value.as_bytes());
    }
}

pub(crate) fn write_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("transactions are bounded far below 4 GiB");
    into.extend_from_slice(&len.to_le_bytes());
    into.extend_from_slice(bytes);
}

/// Reads what the functions above wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        let (number, rest) = self.rest.split_first_chunk::<8>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*number))
    }

    fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(self.u64()?.cast_signed())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let (len, rest) = self.rest.split_first_chunk::<4>().ok_or(Malformed)?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    pub(crate) fn object(&mut self) -> Result<Stored, Malformed> {
        let key = self.text()?.into();
        let (revision, create_revision) = (self.u64()?, self.u64()?);
        let expires_at_seconds = Some(self.i64()?).filter(|at| *at != NEVER);
        // Copied: an object that lives long must not hold the file's buffer.
        let bytes = Bytes::copy_from_slice(self.bytes()?);
        let fingerprint = u32::try_from(self.u64()?).map_err(|_| Malformed)?;
        let meta = self.meta()?;
        Ok(Stored { key, revision, create_revision, expires_at_seconds, bytes, meta, fingerprint })
    }

    fn meta(&mut self) -> Result<Meta, Malformed> {
        let (namespace, name) = (self.text()?.into(), self.text()?.into());
        let mut labels = Vec::new();
        for _ in 0..self.u64()? {
            labels.push((self.text()?.into(), self.text()?.into()));
        }
        let mut fields = Vec::new();
        for _ in 0..self.u64()? {
            fields.push(self.text()?.into());
        }
        labels.shrink_to_fit();
        fields.shrink_to_fit();
        Ok(Meta { namespace, name, labels, fields, expires_at_seconds: None })
    }

    pub(crate) fn transaction(&mut self) -> Result<Transaction, Malformed> {
        let (revision, time_seconds, count) = (self.u64()?, self.i64()?, self.u64()?);
        let mut changes = Vec::new();
        for _ in 0..count {
            let (kind, rest) = self.rest.split_first().ok_or(Malformed)?;
            self.rest = rest;
            changes.push(match *kind {
                PUT => Change::Put(self.object()?),
                DELETE => Change::Delete(self.text()?.into()),
                _ => return Err(Malformed),
            });
        }
        Ok(Transaction { revision, time_seconds, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, expires_at_seconds: Option<i64>, bytes: &'static [u8]) -> Object {
        let labels = vec![("k".into(), "v".into())];
        let meta = Meta { name: "x".into(), labels, fields: vec!["".into(), "f".into()], ..Meta::default() };
        let (key, bytes) = (key.into(), Bytes::from_static(bytes));
        let stored = Stored { key, revision: 9, create_revision: 4, expires_at_seconds, bytes, meta, fingerprint: 7 };
        stored.into_object(&Arc::default())
    }

    #[test]
    fn reads_what_was_written_and_refuses_every_cut() {
        let mut bytes = Vec::new();
        write_transaction(&mut bytes, 9, 1_700_000_000, 3);
        write_put(&mut bytes, &object("/registry/a/x", None, b"\0\xffbytes"), None);
        write_put(&mut bytes, &object("/registry/events/é", Some(-5), b""), None);
        write_delete(&mut bytes, "/registry/b/y");
        let mut reader = Reader::new(&bytes);
        let read = reader.transaction().unwrap();
        assert!(reader.is_empty());
        assert_eq!((read.revision, read.time_seconds, read.changes.len()), (9, 1_700_000_000, 3));
        match &read.changes[1] {
            Change::Put(stored) => {
                assert_eq!((&*stored.key, stored.expires_at_seconds), ("/registry/events/é", Some(-5)));
                assert_eq!((stored.revision, stored.create_revision, stored.fingerprint), (9, 4, 7));
                assert_eq!(stored.meta.fields, ["", "f"]);
                assert_eq!(stored.meta.labels, [("k".into(), "v".into())]);
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(&read.changes[2], Change::Delete(key) if &**key == "/registry/b/y"));
        for cut in 0..bytes.len() {
            assert!(Reader::new(&bytes[..cut]).transaction().is_err(), "cut at {cut}");
        }
    }
}
