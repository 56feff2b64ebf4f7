//! Protobuf to JSON without a tree: what reads answer from stored bytes.
//!
//! JSON's field order is not protobuf's. Each struct's message is scanned once to find where its fields are, then the fields are
//! written in their declared order from there.

use super::read::{bytes_field, timestamp, varint_field};
use super::target::{Target, Targets, nested_kind};
use super::wire::{Fields, Malformed, Wire};
use crate::base64;
use meta::json::{DEPTH_MAX, text_of, write_escaped, write_float, write_int};
use meta::time::format_duration;
use meta::{Gvk, json};
use schema::{Field, Presence, Schema, SchemaOther, Shape, Type, TypeId};

/// What an answer shows that is not in the object's message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// Written as `kind` and `apiVersion`; items of a list have neither.
    pub gvk: Option<&'a Gvk>,
    /// Written as `metadata.resourceVersion`; "" writes what the message has.
    pub resource_version: &'a str,
}

/// Appends the JSON of an object's message (without envelope), as [`crate::encode_json`] writes the decoded object. On an error,
/// `out` holds part of the text.
pub fn transcode_json(
    schema: &Schema,
    ty: TypeId,
    message: &[u8],
    shown: &Shown,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let mut transcoder = Transcoder { schema, out, depth: 0 };
    transcoder.object(schema.ty(ty), message, Some(shown), "").map_err(str::to_string)
}

/// Structs of more fields have no protobuf form.
const FIELDS_MAX: usize = 64;

/// Where a field's value is in its message: the value of a single field, or all from the first to behind the last of a repeated one.
#[derive(Clone, Copy)]
struct Span<'a> {
    wire: Wire<'a>,
    /// From the first occurrence's tag to the end of the message.
    from: &'a [u8],
    /// How much of `from` comes after the last occurrence.
    behind: usize,
}

impl<'a> Span<'a> {
    /// All occurrences, and what is between them.
    fn run(&self) -> &'a [u8] {
        self.from.get(..self.from.len().saturating_sub(self.behind)).unwrap_or(&[])
    }
}

struct Transcoder<'s, 'o> {
    schema: &'s Schema,
    out: &'o mut Vec<u8>,
    depth: u32,
}

type Spans<'a> = [Option<Span<'a>>; FIELDS_MAX];

fn scan<'a>(ty: &Type, inline: u32, message: &'a [u8], spans: &mut Spans<'a>) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    let mut targets = Targets::new(ty, inline);
    loop {
        let before = fields.rest();
        let Some((number, wire)) = fields.next()? else { return Ok(()) };
        match targets.find(number) {
            Target::Field(index, field) => {
                let Some(slot) = spans.get_mut(index) else { continue };
                let behind = fields.rest().len();
                let from = match slot {
                    // A field of an embed that comes twice begins anew.
                    Some(span) if field.number == number && span.from.len() >= before.len() => span.from,
                    _ => before,
                };
                *slot = Some(Span { wire, from, behind });
            }
            Target::Embed(inner) => scan(ty, inner, wire.bytes(), spans)?,
            Target::Unknown => {}
        }
    }
}

impl Transcoder<'_, '_> {
    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        if text.is_ascii() {
            write_escaped(text, self.out);
        } else {
            write_escaped(text_of(text).as_bytes(), self.out);
        }
        self.out.push(b'"');
    }

    fn key(&mut self, name: &str, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A struct. `top` is set for the whole object, `resource_version` for its metadata.
    fn object(
        &mut self,
        ty: &Type,
        message: &[u8],
        top: Option<&Shown>,
        resource_version: &str,
    ) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("proto: message nested too deep");
        }
        let mut spans: Spans = [None; FIELDS_MAX];
        scan(ty, 0, message, &mut spans)?;
        self.out.push(b'{');
        let mut first = true;
        for (index, field) in ty.fields.iter().enumerate() {
            let span = spans.get(index).copied().flatten();
            match (top, field.name.as_str()) {
                (Some(Shown { gvk: Some(gvk), .. }), "kind") => {
                    self.key("kind", &mut first);
                    self.text(gvk.kind.as_bytes());
                }
                (Some(Shown { gvk: Some(gvk), .. }), "apiVersion") => {
                    self.key("apiVersion", &mut first);
                    self.text(gvk.api_version().as_bytes());
                }
                (Some(shown), "metadata") if !shown.resource_version.is_empty() => {
                    self.key("metadata", &mut first);
                    let metadata = span.map_or(&[][..], |s| s.wire.bytes());
                    match &field.shape {
                        Shape::Object(id) => {
                            self.object(self.schema.ty(*id), metadata, None, shown.resource_version)?;
                        }
                        _ => self.out.extend_from_slice(b"null"),
                    }
                }
                (None, "resourceVersion") if !resource_version.is_empty() => {
                    self.key("resourceVersion", &mut first);
                    self.text(resource_version.as_bytes());
                }
                _ => self.member(field, span, &mut first)?,
            }
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    /// A field by its presence rule, its key included.
    fn member(&mut self, field: &Field, span: Option<Span>, first: &mut bool) -> Result<(), Malformed> {
        let Some(span) = span else {
            if matches!(field.presence, Presence::Always | Presence::Nullable) {
                self.key(&field.name, first);
                return self.unset(field);
            }
            return Ok(());
        };
        let before = (self.out.len(), *first);
        self.key(&field.name, first);
        let start = self.out.len();
        match &field.shape {
            Shape::List(item) if field.wrapped => self.list(field, item, 1, span.wire.bytes())?,
            Shape::List(item) => self.list(field, item, field.number, span.run())?,
            Shape::Map(item) => self.map(field, item, span.run())?,
            shape => self.single(field, shape, span.wire)?,
        }
        if field.presence == Presence::OmitEmpty && self.is_zero(field, start)? {
            self.out.truncate(before.0);
            *first = before.1;
        }
        Ok(())
    }

    /// Whether what was written from `start` on is a zero value, which omitempty leaves out.
    fn is_zero(&mut self, field: &Field, start: usize) -> Result<bool, Malformed> {
        let written = self.out.get(start..).unwrap_or(&[]);
        Ok(match &field.shape {
            Shape::IntOrString => false,
            Shape::Object(id) => {
                // Only omitzero structs: zero when they read as one that has no bytes.
                let end = self.out.len();
                self.object(self.schema.ty(*id), &[], None, "")?;
                let zero = self.out.split_off(end);
                self.out.get(start..) == Some(zero.as_slice())
            }
            _ => matches!(written, b"\"\"" | b"0" | b"false" | b"null" | b"[]" | b"{}"),
        })
    }

    /// The zero value of a field that is always written.
    fn unset(&mut self, field: &Field) -> Result<(), Malformed> {
        let text: &[u8] = match (&field.shape, field.presence) {
            (_, Presence::Nullable) => b"null",
            (Shape::Object(id), _) => return self.object(self.schema.ty(*id), &[], None, ""),
            (Shape::Bool, _) => b"false",
            (Shape::Int32 | Shape::Int64 | Shape::Float64 | Shape::IntOrString, _) => b"0",
            (Shape::String, _) => b"\"\"",
            (Shape::Duration, _) => b"\"0s\"",
            (Shape::Quantity, _) => b"\"0\"",
            _ => b"null",
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// The occurrences of `number` in `run`; the fields between and behind them are others'.
    fn list(&mut self, field: &Field, item: &Shape, number: u32, run: &[u8]) -> Result<(), Malformed> {
        self.out.push(b'[');
        let mut first = true;
        let mut fields = Fields::new(run);
        while let Some((found, wire)) = fields.next()? {
            if found == number {
                if !std::mem::take(&mut first) {
                    self.out.push(b',');
                }
                self.single(field, item, wire)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, field: &Field, item: &Shape, run: &[u8]) -> Result<(), Malformed> {
        let mut entries: Vec<(&[u8], Option<Wire>)> = Vec::new();
        let mut fields = Fields::new(run);
        while let Some((found, wire)) = fields.next()? {
            if found == field.number {
                entries.push(map_entry(wire.bytes())?);
            }
        }
        if !entries.windows(2).all(|w| w[0].0 < w[1].0) {
            entries.sort_by(|a, b| a.0.cmp(b.0));
            entries.reverse(); // of equal keys the last one stays
            entries.dedup_by(|a, b| a.0 == b.0);
            entries.reverse();
        }
        self.out.push(b'{');
        for (i, (key, value)) in entries.into_iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.text(key);
            self.out.push(b':');
            match (item, value) {
                (Shape::List(item), wire) => self.list(field, item, 1, wire.map_or(&[][..], Wire::bytes))?,
                (item, Some(wire)) => self.single(field, item, wire)?,
                (item, None) => {
                    let zero = Field { shape: item.clone(), presence: Presence::Always, ..Field::default() };
                    self.unset(&zero)?;
                }
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn single(&mut self, field: &Field, shape: &Shape, wire: Wire) -> Result<(), Malformed> {
        match (shape, wire) {
            (Shape::Bool, Wire::Varint(n)) => self.out.extend_from_slice(if n != 0 { b"true" } else { b"false" }),
            (Shape::Int32, Wire::Varint(n)) => write_int(i64::from(n as i32), self.out),
            (Shape::Int64, Wire::Varint(n)) => write_int(n as i64, self.out),
            (Shape::Float64, Wire::Fixed64(n)) => write_float(f64::from_bits(n), self.out),
            (Shape::String, Wire::Bytes(bytes)) => self.text(bytes),
            (Shape::Bytes, Wire::Bytes(bytes)) => {
                self.out.push(b'"');
                base64::encode(bytes, self.out);
                self.out.push(b'"');
            }
            (_, Wire::Bytes(bytes)) => self.compound(field, shape, bytes)?,
            _ => return Err("proto: wrong wireType"),
        }
        Ok(())
    }

    fn compound(&mut self, field: &Field, shape: &Shape, bytes: &[u8]) -> Result<(), Malformed> {
        match shape {
            Shape::Object(id) => {
                let ty = self.schema.ty(*id);
                let nested = nested_kind(field, ty).map(|gvk| Shown { gvk: Some(gvk), resource_version: "" });
                self.object(ty, bytes, nested.as_ref(), "")?;
            }
            Shape::Time | Shape::MicroTime => match timestamp(bytes)? {
                None => self.out.extend_from_slice(b"null"),
                Some(at) if *shape == Shape::Time => self.text(at.to_rfc3339().as_bytes()),
                Some(at) => self.text(at.to_rfc3339_micro().as_bytes()),
            },
            Shape::Duration => {
                let nanos = varint_field(bytes, 1)?.unwrap_or(0);
                self.text(format_duration(nanos as i64).as_bytes());
            }
            Shape::Quantity => {
                let text = bytes_field(bytes, 1)?.unwrap_or(b"");
                self.text(if text.is_empty() { b"0" } else { text });
            }
            Shape::IntOrString if varint_field(bytes, 1)? == Some(1) => {
                self.text(bytes_field(bytes, 3)?.unwrap_or(b""))
            }
            Shape::IntOrString => write_int(i64::from(varint_field(bytes, 2)?.unwrap_or(0) as i32), self.out),
            Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::Any => self.raw(bytes_field(bytes, 1)?),
            Shape::SchemaOr { object, other } => self.schema_or(field, *object, *other, bytes)?,
            _ => return Err("proto: a list of lists"),
        }
        Ok(())
    }

    /// Raw JSON, which is stored compact; what is no JSON shows as null rather than breaking the answer.
    fn raw(&mut self, raw: Option<&[u8]>) {
        let before = self.out.len();
        let raw = raw.unwrap_or(b"");
        let plain = !raw.iter().any(|b| matches!(b, b'<' | b'>' | b'&' | 0x80..));
        let mut lexer = std::str::from_utf8(raw).ok().map(json::Lexer::new);
        let whole = lexer.as_mut().is_some_and(|l| l.skip().is_ok() && l.end().is_ok());
        match (whole, plain) {
            (true, true) => self.out.extend_from_slice(raw),
            (true, false) => match json::parse(raw) {
                Ok(parsed) => json::write(&parsed.value, self.out),
                Err(_) => self.out.truncate(before),
            },
            _ => {}
        }
        if self.out.len() == before {
            self.out.extend_from_slice(b"null");
        }
    }

    fn schema_or(&mut self, field: &Field, object: TypeId, other: SchemaOther, bytes: &[u8]) -> Result<(), Malformed> {
        let single = if other == SchemaOther::Bool { 2 } else { 1 };
        let item = if other == SchemaOther::StringArray { Shape::String } else { Shape::Object(object) };
        if other != SchemaOther::Bool && bytes_field(bytes, 2)?.is_some() {
            return self.list(field, &item, 2, bytes);
        }
        match bytes_field(bytes, single)? {
            Some(message) => self.object(self.schema.ty(object), message, None, ""),
            None => {
                let allows = varint_field(bytes, 1)?.unwrap_or(0) != 0;
                self.out.extend_from_slice(match (other, allows) {
                    (SchemaOther::Bool, true) => b"true",
                    (SchemaOther::Bool, false) => b"false",
                    _ => b"null",
                });
                Ok(())
            }
        }
    }
}

/// Key and value of a map's entry.
fn map_entry(bytes: &[u8]) -> Result<(&[u8], Option<Wire<'_>>), Malformed> {
    let (mut key, mut value) = (&[][..], None);
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => key = wire.bytes(),
            2 => value = Some(wire),
            _ => {}
        }
    }
    Ok((key, value))
}
