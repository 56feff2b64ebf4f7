//! The envelope: `k8s\0` and a `runtime.Unknown` with the kind and the object's message.

use super::read;
use super::wire::{Backwards, Fields, Wire, field_len, open_field};
use super::write::{Kept, message};
use crate::decode::{DecodeError, Decoded};
use crate::empties::Empties;
use meta::json::text_of;
use meta::{Gvk, Str, Value};
use schema::{Field, Schema, Shape, Type, TypeId};

/// What protobuf bodies and stored objects begin with.
pub(crate) const MAGIC: &[u8; 4] = b"k8s\0";

/// What an envelope holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub api_version: Str,
    pub kind: Str,
    /// The object's message.
    pub raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Opens an envelope. The error is upstream's text.
    pub fn open(body: &'a [u8]) -> Result<Envelope<'a>, String> {
        if body.is_empty() {
            return Err("empty data".to_string());
        }
        let Some(unknown) = body.strip_prefix(MAGIC) else {
            return Err(
                "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]".to_string()
            );
        };
        if unknown.is_empty() {
            return Err("empty body".to_string());
        }
        let mut envelope = Envelope { api_version: Str::default(), kind: Str::default(), raw: &[] };
        let mut fields = Fields::new(unknown);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => {
                    let mut type_meta = Fields::new(bytes);
                    while let Some((number, value)) = type_meta.next()? {
                        match number {
                            1 => envelope.api_version = text_of(value.bytes()).into(),
                            2 => envelope.kind = text_of(value.bytes()).into(),
                            _ => {}
                        }
                    }
                }
                (2, Wire::Bytes(bytes)) => envelope.raw = bytes,
                _ => {}
            }
        }
        Ok(envelope)
    }
}

/// `apiVersion` and `kind` of a protobuf body; "" where they are missing.
pub fn kind_of_protobuf(body: &[u8]) -> Result<(Str, Str), DecodeError> {
    Envelope::open(body).map(|e| (e.api_version, e.kind)).map_err(DecodeError::kind)
}

/// Decodes a protobuf body as an object of a type; `apiVersion` and `kind` are the envelope's.
pub fn decode_protobuf(schema: &Schema, ty: TypeId, body: &[u8]) -> Result<Decoded, DecodeError> {
    let envelope = Envelope::open(body).map_err(DecodeError::kind)?;
    let mut value = read::decode_message(schema, ty, envelope.raw).map_err(DecodeError::body)?;
    for (name, text) in [("apiVersion", envelope.api_version), ("kind", envelope.kind)] {
        if !text.is_empty() {
            value.set(name, Value::String(text));
        }
    }
    Ok(Decoded { value, strict: Vec::new(), empties: Empties::default() })
}

/// Appends an object in its envelope, byte for byte as upstream stores and sends it.
pub fn encode_protobuf(schema: &Schema, ty: TypeId, gvk: &Gvk, value: &Value, out: &mut Vec<u8>) {
    let mut backwards = Backwards::with_capacity(2048);
    seal(gvk, &mut backwards, |out| message(schema, schema.ty(ty), value, &[], out));
    out.extend_from_slice(backwards.written());
}

/// As [`encode_protobuf`], for a new state of an object: members that are equal in `old` are copied from its bytes, which
/// must be what an encoder made of it.
pub fn encode_protobuf_over(
    schema: &Schema,
    ty: TypeId,
    gvk: &Gvk,
    value: &Value,
    old: (&Value, &[u8]),
    out: &mut Vec<u8>,
) {
    let (old_value, bytes) = old;
    let same_kind = |envelope: &Envelope| envelope.api_version == gvk.api_version() && envelope.kind == gvk.kind;
    let kept = match Envelope::open(bytes).ok().filter(same_kind) {
        Some(envelope) => kept_members(schema.ty(ty), value, old_value, envelope.raw),
        None => Vec::new(),
    };
    let mut backwards = Backwards::with_capacity(bytes.len() + 512);
    seal(gvk, &mut backwards, |out| message(schema, schema.ty(ty), value, &kept, out));
    out.extend_from_slice(backwards.written());
}

/// The structs in an object's message that are equal in both states, as they are encoded.
fn kept_members<'a>(ty: &Type, value: &Value, old: &Value, message: &'a [u8]) -> Vec<Kept<'a>> {
    let mut found: Vec<(u32, &[u8])> = Vec::new();
    let mut fields = Fields::new(message);
    while let Ok(Some((number, wire))) = fields.next() {
        if let Wire::Bytes(bytes) = wire {
            found.push((number, bytes));
        }
    }
    let is_equal = |field: &&Field| {
        let is_struct = matches!(field.shape, Shape::Object(_)) && field.number != 0 && field.inline == 0;
        is_struct && value.get(&field.name).is_some_and(|value| !value.is_null() && Some(value) == old.get(&field.name))
    };
    let mut kept = Vec::new();
    for field in ty.fields.iter().filter(is_equal) {
        let mut own = found.iter().filter(|(number, _)| *number == field.number);
        if let (Some((number, bytes)), None) = (own.next(), own.next()) {
            kept.push(Kept { number: *number, bytes });
        }
    }
    kept
}

/// Appends a message that is already encoded in its envelope.
pub fn wrap_protobuf(gvk: &Gvk, raw: &[u8], out: &mut Vec<u8>) {
    let mut backwards = Backwards::with_capacity(raw.len() + 128);
    seal(gvk, &mut backwards, |out| out.bytes(raw));
    out.extend_from_slice(backwards.written());
}

/// What follows the message in an envelope: no encoding, no media type.
pub(crate) const ENVELOPE_END: &[u8] = b"\x1a\0\x22\0";

/// Appends an envelope up to where its message of `bytes` is to follow, and then [`ENVELOPE_END`].
pub(crate) fn open_envelope(gvk: &Gvk, bytes: usize, out: &mut Vec<u8>) {
    let api_version = gvk.api_version();
    out.extend_from_slice(MAGIC);
    open_field(1, field_len(api_version.len()) + field_len(gvk.kind.len()), out);
    for (number, text) in [(1, api_version.as_str()), (2, &gvk.kind)] {
        open_field(number, text.len(), out);
        out.extend_from_slice(text.as_bytes());
    }
    open_field(2, bytes, out);
}

/// Writes the envelope around what `raw` writes.
pub(crate) fn seal<T>(gvk: &Gvk, out: &mut Backwards, raw: impl FnOnce(&mut Backwards) -> T) -> T {
    out.field(4, b"");
    out.field(3, b"");
    let before = out.len();
    let result = raw(out);
    out.close(2, before);
    let before = out.len();
    out.field(2, gvk.kind.as_bytes());
    out.field(1, gvk.api_version().as_bytes());
    out.close(1, before);
    out.bytes(MAGIC);
    result
}
