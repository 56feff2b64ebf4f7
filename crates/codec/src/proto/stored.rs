//! Questions and small changes to an object's message that need no decode: its metadata, a field at a path, another resourceVersion.

use super::envelope::{ENVELOPE_END, open_envelope};
use super::target::{Target, Targets};
use super::wire::{Fields, Malformed, Wire, field_len, open_field};
use meta::json::text_of;
use meta::{Gvk, Str};
use schema::{Schema, Shape, TypeId};

/// Every object has its metadata in this field.
const METADATA: u32 = 1;
/// `ObjectMeta.resourceVersion`.
const RESOURCE_VERSION: u32 = 6;
/// Every list has its items in this field.
const ITEMS: u32 = 2;

/// The parts of an object's metadata that finding and ordering it takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub name: Str,
    /// "" for cluster-scoped objects.
    pub namespace: Str,
    pub uid: Str,
    /// "" in stored bytes.
    pub resource_version: Str,
    pub generation: i64,
    /// A deletion has begun.
    pub deleting: bool,
    /// Sorted by key, keys distinct.
    pub labels: Vec<(Str, Str)>,
}

/// Reads an object's metadata from its message (without envelope).
pub fn extract_metadata(message: &[u8]) -> Result<Metadata, String> {
    let mut metadata = Metadata::default();
    let mut fields = Fields::new(find(message, METADATA)?.unwrap_or(&[]));
    while let Some((number, wire)) = fields.next()? {
        let text = |wire: Wire| Str::from(text_of(wire.bytes()));
        match (number, wire) {
            (1, _) => metadata.name = text(wire),
            (3, _) => metadata.namespace = text(wire),
            (5, _) => metadata.uid = text(wire),
            (RESOURCE_VERSION, _) => metadata.resource_version = text(wire),
            (7, Wire::Varint(n)) => metadata.generation = n as i64,
            (9, _) => metadata.deleting = true,
            (11, _) => {
                let key = find(wire.bytes(), 1)?.unwrap_or(&[]);
                let value = find(wire.bytes(), 2)?.unwrap_or(&[]);
                metadata.labels.push((text_of(key).into(), text_of(value).into()));
            }
            _ => {}
        }
    }
    let (labels, _) = meta::Map::from_entries(metadata.labels.into_iter().map(|(k, v)| (k, v.into())).collect());
    metadata.labels = labels.into_iter().map(|(k, v)| (k, v.str().into())).collect();
    Ok(metadata)
}

/// The last occurrence of a length-delimited field.
fn find(message: &[u8], wanted: u32) -> Result<Option<&[u8]>, Malformed> {
    let mut found = None;
    let mut fields = Fields::new(message);
    while let Some((number, wire)) = fields.next()? {
        if let (true, Wire::Bytes(bytes)) = (number == wanted, wire) {
            found = Some(bytes);
        }
    }
    Ok(found)
}

/// The text of the scalar at a dotted path of JSON names, as a field selector compares it: missing reads as "", numbers and booleans
/// as their text. `None` when the path leads to no scalar of the type.
pub fn extract_field(schema: &Schema, ty: TypeId, message: &[u8], path: &str) -> Result<Option<Str>, String> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let ty = schema.ty(ty);
    let Some(field) = ty.field(name) else { return Ok(None) };
    let mut message = Some(message);
    let mut inline = 0;
    let mut wire = None;
    while let Some(bytes) = message.take() {
        let mut fields = Fields::new(bytes);
        let mut targets = Targets::new(ty, inline);
        while let Some((number, value)) = fields.next()? {
            match targets.find(number) {
                Target::Field(_, found) if std::ptr::eq(found, field) => wire = Some(value),
                Target::Embed(inner) if is_outer(inner, field.inline) => {
                    message = Some(value.bytes());
                    inline = inner;
                }
                _ => {}
            }
        }
    }
    Ok(match (&field.shape, wire, rest) {
        (Shape::Object(id), wire, Some(rest)) => {
            return extract_field(schema, *id, wire.map_or(&[][..], Wire::bytes), rest);
        }
        (Shape::String, wire, None) => Some(wire.map(|w| text_of(w.bytes()).into()).unwrap_or_default()),
        (Shape::Bool, Some(Wire::Varint(n)), None) => Some(if n != 0 { "true" } else { "false" }.into()),
        (Shape::Bool, None, None) => Some("false".into()),
        (Shape::Int32 | Shape::Int64, Some(Wire::Varint(n)), None) => Some(Str::from((n as i64).to_string())),
        (Shape::Int32 | Shape::Int64, None, None) => Some("0".into()),
        _ => None,
    })
}

/// Whether the embed at `inner` holds, directly or not, fields at `inline`.
fn is_outer(inner: u32, inline: u32) -> bool {
    inline == inner || (inner >> 16 == 0 && inline & 0xffff == inner)
}

/// The part of an object's message that is its metadata: the message of its PartialObjectMetadata.
pub fn partial_message(message: &[u8]) -> &[u8] {
    let mut fields = Fields::new(message);
    match fields.next() {
        Ok(Some((METADATA, _))) => message.get(..message.len() - fields.rest().len()).unwrap_or(&[]),
        _ => &[],
    }
}

/// An object's message as it reads with a resourceVersion, in pieces of the stored one. The message's metadata comes first, as
/// encoders write it.
#[derive(Clone, Copy, Debug)]
pub struct Versioned<'a> {
    /// What is before and behind the resourceVersion in the metadata.
    before: &'a [u8],
    after: &'a [u8],
    version: &'a str,
    /// What is behind the metadata.
    rest: &'a [u8],
}

impl<'a> Versioned<'a> {
    /// An error for metadata that is not well formed.
    pub fn new(message: &'a [u8], version: &'a str) -> Result<Versioned<'a>, String> {
        let mut fields = Fields::new(message);
        let (metadata, rest) = match fields.next()? {
            Some((METADATA, Wire::Bytes(metadata))) => (metadata, fields.rest()),
            _ => (&[][..], message),
        };
        let (before, after) = around(metadata, RESOURCE_VERSION)?;
        Ok(Versioned { before, after, version, rest })
    }

    /// Of the metadata.
    pub fn without_rest(self) -> Versioned<'a> {
        Versioned { rest: &[], ..self }
    }

    fn metadata_len(&self) -> usize {
        self.before.len() + field_len(self.version.len()) + self.after.len()
    }

    /// The length of the message.
    pub fn message_len(&self) -> usize {
        field_len(self.metadata_len()) + self.rest.len()
    }

    /// The length as an item of a list.
    pub fn item_len(&self) -> usize {
        field_len(self.message_len())
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        open_field(METADATA, self.metadata_len(), out);
        out.extend_from_slice(self.before);
        open_field(RESOURCE_VERSION, self.version.len(), out);
        out.extend_from_slice(self.version.as_bytes());
        out.extend_from_slice(self.after);
        out.extend_from_slice(self.rest);
    }

    /// Appends the message as an item of a list.
    pub fn write_item(&self, out: &mut Vec<u8>) {
        open_field(ITEMS, self.message_len(), out);
        self.write(out);
    }

    /// The object in an envelope.
    pub fn in_envelope(&self, gvk: &Gvk) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.message_len() + 128);
        open_envelope(gvk, self.message_len(), &mut out);
        self.write(&mut out);
        out.extend_from_slice(ENVELOPE_END);
        out
    }
}

/// What comes before and after a field, or before and after where it would be.
fn around(message: &[u8], wanted: u32) -> Result<(&[u8], &[u8]), Malformed> {
    let mut fields = Fields::new(message);
    loop {
        let rest = fields.rest();
        let before = message.len() - rest.len();
        let next = fields.next()?;
        let after = match next {
            Some((number, _)) if number < wanted => continue,
            Some((number, _)) if number == wanted => fields.rest(),
            _ => rest,
        };
        return Ok((message.get(..before).unwrap_or(&[]), after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = r#"{"metadata":{"name":"web","namespace":"shop","uid":"u1","generation":3,"labels":{"b":"2","a":"1"},
        "annotations":{"x":"y"}},"spec":{"nodeName":"n1","hostNetwork":true},"status":{"phase":"Running"}}"#;

    #[test]
    fn metadata_and_fields_are_read_from_bytes() {
        let schema = schema::builtin();
        let ty = schema.kind(&Gvk::new("", "v1", "Pod")).expect("Pod");
        let pod = crate::decode_json(&schema, ty, POD.as_bytes()).expect("well formed").value;
        let message = crate::encode_message(&schema, ty, &pod);
        let metadata = extract_metadata(&message).expect("well formed");
        assert_eq!((metadata.name.as_str(), metadata.namespace.as_str(), metadata.uid.as_str()), ("web", "shop", "u1"));
        assert_eq!((metadata.generation, metadata.deleting), (3, false));
        assert_eq!(metadata.labels, [("a".into(), "1".into()), ("b".into(), "2".into())]);
        for (path, want) in [
            ("spec.nodeName", Some("n1")),
            ("spec.hostNetwork", Some("true")),
            ("status.phase", Some("Running")),
            ("spec.schedulerName", Some("")),
            ("spec.nope", None),
            ("spec", None),
        ] {
            assert_eq!(extract_field(&schema, ty, &message, path), Ok(want.map(Str::from)), "{path}");
        }
    }

    #[test]
    fn resource_version_is_set_and_set_again() {
        let schema = schema::builtin();
        let ty = schema.kind(&Gvk::new("", "v1", "Pod")).expect("Pod");
        let mut pod = crate::decode_json(&schema, ty, POD.as_bytes()).expect("well formed").value;
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        let message = crate::encode_message(&schema, ty, &pod);
        Versioned::new(&message, "41").expect("well formed").write(&mut once);
        let again = Versioned::new(&once, "1234567").expect("well formed");
        again.write(&mut twice);
        assert_eq!(again.message_len(), twice.len());
        pod.entry("metadata").set("resourceVersion", "1234567");
        assert_eq!(twice, crate::encode_message(&schema, ty, &pod));
        let mut bare = Vec::new();
        Versioned::new(&[], "7").expect("well formed").write(&mut bare);
        assert_eq!(extract_metadata(&bare).map(|m| m.resource_version), Ok("7".into()));
    }
}
