//! Protobuf to JSON without a tree: what reads answer from stored bytes.
//!
//! JSON's field order is not protobuf's. The fields of a message are noted first and put in the order in which the type declares
//! them, which they mostly have already; then their values are written. Every member is written with a comma behind it, and the
//! last comma becomes the closing bracket: nothing asks who is first.

use super::plain::{self, Days};
use super::read::{bytes_field, timestamp, varint_field};
use super::wire::{Fields, Malformed, Wire};
use crate::base64;
use meta::json::{DEPTH_MAX, text_of, write_escaped, write_float, write_int};
use meta::time::format_duration;
use meta::{Gvk, json};
use schema::layout::{FieldLayout, Form, Item, Layout, Meaning};
use schema::{Presence, Schema, SchemaOther, TypeId};

/// What an answer shows that is not in the object's message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// Written as `kind` and `apiVersion`; items of a list have neither.
    pub gvk: Option<&'a Gvk>,
    /// Written as `metadata.resourceVersion`; "" writes what the message has.
    pub resource_version: &'a str,
    /// Raw JSON in the message is taken as it is: [`transcode_json`] said so of this message before.
    pub proven: bool,
}

/// Appends the JSON of an object's message (without envelope), as [`crate::encode_json`] writes the decoded object. On an error,
/// `out` holds part of the text. Also: whether all raw JSON in the message may be taken as it is.
pub fn transcode_json(
    schema: &Schema,
    ty: TypeId,
    message: &[u8],
    shown: &Shown,
    out: &mut Vec<u8>,
) -> Result<bool, String> {
    let api_version = shown.gvk.map(Gvk::api_version);
    let found = Vec::with_capacity(64);
    let (proven, all_proven) = (shown.proven, true);
    let mut transcoder = Transcoder { schema, out, depth: 0, found, days: Days::default(), proven, all_proven };
    let layout = schema.layout(ty);
    let kind = shown.gvk.zip(api_version.as_deref()).map(|(gvk, api_version)| (gvk.kind.as_str(), api_version));
    transcoder.whole(layout, message, kind, shown.resource_version)?;
    Ok(transcoder.all_proven)
}

/// A field's value, or one of several.
#[derive(Clone, Copy)]
struct Found<'a> {
    /// In [`Layout::fields`].
    index: u16,
    wire: Wire<'a>,
}

struct Transcoder<'a, 'o> {
    schema: &'a Schema,
    out: &'o mut Vec<u8>,
    depth: u32,
    /// The fields of the messages that are being written, the innermost message's last.
    found: Vec<Found<'a>>,
    days: Days,
    /// Raw JSON is not looked at.
    proven: bool,
    /// No raw JSON needed more than to be looked at.
    all_proven: bool,
}

impl<'a> Transcoder<'a, '_> {
    /// A whole object: with its kind and apiVersion where given, and with another resourceVersion in its metadata unless that is "".
    fn whole(
        &mut self,
        layout: &'a Layout,
        message: &'a [u8],
        kind: Option<(&'a str, &'a str)>,
        resource_version: &'a str,
    ) -> Result<(), Malformed> {
        self.note(layout, message)?;
        if let Some((kind, api_version)) = kind {
            self.give(layout, b"\"kind\":", kind);
            self.give(layout, b"\"apiVersion\":", api_version);
        }
        let mut metadata = None;
        if !resource_version.is_empty()
            && let Some(index) = layout.fields.iter().position(|field| &*field.key == b"\"metadata\":")
        {
            let index = index as u16;
            if !self.found.iter().any(|found| found.index == index) {
                self.found.push(Found { index, wire: Wire::Bytes(&[]) });
            }
            metadata = Some((index, resource_version));
        }
        self.put_in_order(0);
        self.noted(layout, 0, metadata)
    }

    /// The metadata of a whole object with another resourceVersion.
    fn metadata(&mut self, layout: &'a Layout, message: &'a [u8], resource_version: &'a str) -> Result<(), Malformed> {
        let begin = self.found.len();
        self.note(layout, message)?;
        self.give(layout, b"\"resourceVersion\":", resource_version);
        self.put_in_order(begin);
        self.noted(layout, begin, None)
    }

    /// An object inside another one, which says its kind.
    fn nested(&mut self, layout: &'a Layout, kind: (&'a str, &'a str), message: &'a [u8]) -> Result<(), Malformed> {
        let begin = self.found.len();
        self.note(layout, message)?;
        self.give(layout, b"\"kind\":", kind.0);
        self.give(layout, b"\"apiVersion\":", kind.1);
        self.put_in_order(begin);
        self.noted(layout, begin, None)
    }

    /// A struct.
    fn object(&mut self, layout: &'a Layout, message: &'a [u8]) -> Result<(), Malformed> {
        let begin = self.found.len();
        if !self.note(layout, message)? {
            self.put_in_order(begin);
        }
        self.noted(layout, begin, None)
    }

    /// Notes a text as the value of the field with a key, whatever the message says.
    fn give(&mut self, layout: &Layout, key: &[u8], text: &'a str) {
        if let Some(index) = layout.fields.iter().position(|field| &*field.key == key) {
            self.found.push(Found { index: index as u16, wire: Wire::Bytes(text.as_bytes()) });
        }
    }

    /// Values of the same field keep their order: those of lists count all, of others the last.
    fn put_in_order(&mut self, begin: usize) {
        if let Some(found) = self.found.get_mut(begin..) {
            found.sort_by_key(|found| found.index);
        }
    }

    /// Notes the fields of a message. Whether they are in declared order.
    fn note(&mut self, layout: &Layout, message: &'a [u8]) -> Result<bool, Malformed> {
        let mut last = 0;
        self.note_in(layout, 0, message, &mut last)
    }

    fn note_in(&mut self, layout: &Layout, scope: usize, message: &'a [u8], last: &mut u16) -> Result<bool, Malformed> {
        let mut in_order = true;
        let mut fields = Fields::new(message);
        while let Some((number, wire)) = fields.next()? {
            match layout.meaning(scope, number) {
                Meaning::Field(index) => {
                    in_order &= *last <= index;
                    *last = index;
                    self.found.push(Found { index, wire });
                }
                Meaning::Embed(inner) => in_order &= self.note_in(layout, inner, wire.bytes(), last)?,
                Meaning::Unknown => {}
            }
        }
        Ok(in_order)
    }

    /// The struct whose fields were noted from `begin` on. `metadata` is the field whose resourceVersion is another.
    fn noted(&mut self, layout: &'a Layout, begin: usize, metadata: Option<(u16, &'a str)>) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("proto: message nested too deep");
        }
        self.out.push(b'{');
        let mut always = layout.always.iter().copied().peekable();
        let (mut at, end) = (begin, self.found.len());
        while let Some(Found { index, wire }) = self.found.get(at).copied().filter(|_| at < end) {
            let (mut last, mut next) = (wire, at + 1);
            while let Some(more) = self.found.get(next).filter(|more| next < end && more.index == index) {
                last = more.wire;
                next += 1;
            }
            while let Some(unset) = always.next_if(|unset| *unset <= index) {
                if unset < index {
                    self.unset_member(layout, unset)?;
                }
            }
            let Some(field) = layout.fields.get(usize::from(index)) else { break };
            match (metadata, field.form) {
                (Some((own, resource_version)), Form::One(Item::Object(id))) if own == index => {
                    self.key(field);
                    self.metadata(self.schema.layout(id), last.bytes(), resource_version)?;
                    self.out.push(b',');
                }
                _ => self.member(field, at..next, last)?,
            }
            at = next;
        }
        for unset in always {
            self.unset_member(layout, unset)?;
        }
        self.close(b'}');
        self.found.truncate(begin);
        self.depth -= 1;
        Ok(())
    }

    /// The comma behind the last member becomes the closing bracket.
    #[inline]
    fn close(&mut self, bracket: u8) {
        match self.out.last_mut() {
            Some(comma) if *comma == b',' => *comma = bracket,
            _ => self.out.push(bracket),
        }
    }

    #[inline]
    fn key(&mut self, field: &FieldLayout) {
        if field.short_key_len == 0 {
            return self.out.extend_from_slice(&field.key);
        }
        // A copy of a known length is a few instructions, one of a short unknown length a call.
        let end = self.out.len() + usize::from(field.short_key_len);
        self.out.extend_from_slice(&field.short_key);
        self.out.truncate(end);
    }

    /// A field by its presence rule, with its key and a comma; `values` are the places of its values.
    #[inline]
    fn member(&mut self, field: &FieldLayout, values: std::ops::Range<usize>, last: Wire<'a>) -> Result<(), Malformed> {
        let before = self.out.len();
        self.key(field);
        let start = self.out.len();
        match field.form {
            Form::One(item) => self.single(item, last)?,
            Form::List(item) => {
                self.out.push(b'[');
                for at in values {
                    let Some(found) = self.found.get(at).copied() else { break };
                    self.item(field, item, found.wire)?;
                }
                self.close(b']');
            }
            Form::Wrapped(item) => self.items(field, item, 1, last.bytes())?,
            Form::Map(_) | Form::MapOfLists(_) => self.map(field, values)?,
        }
        if field.presence == Presence::OmitEmpty && self.is_zero(field, start)? {
            self.out.truncate(before);
        } else {
            self.out.push(b',');
        }
        Ok(())
    }

    /// Whether what was written from `start` on is a zero value, which omitempty leaves out.
    #[inline]
    fn is_zero(&mut self, field: &FieldLayout, start: usize) -> Result<bool, Malformed> {
        Ok(match field.form {
            Form::One(Item::IntOrString) => false,
            Form::One(Item::Object(id)) => {
                // Only omitzero structs: zero when they read as one that has no bytes.
                let end = self.out.len();
                self.object(self.schema.layout(id), &[])?;
                let zero = self.out.split_off(end);
                self.out.get(start..) == Some(zero.as_slice())
            }
            _ => {
                let written = self.out.get(start..).unwrap_or(&[]);
                matches!(written, b"\"\"" | b"0" | b"false" | b"null" | b"[]" | b"{}")
            }
        })
    }

    fn unset_member(&mut self, layout: &'a Layout, index: u16) -> Result<(), Malformed> {
        let Some(field) = layout.fields.get(usize::from(index)) else { return Ok(()) };
        self.key(field);
        match (field.form, field.presence) {
            (Form::One(item), Presence::Always) => self.zero(item)?,
            _ => self.out.extend_from_slice(b"null"),
        }
        self.out.push(b',');
        Ok(())
    }

    /// The zero value of what is always written.
    fn zero(&mut self, item: Item) -> Result<(), Malformed> {
        let text: &[u8] = match item {
            Item::Object(id) => return self.object(self.schema.layout(id), &[]),
            Item::Bool => b"false",
            Item::Int32 | Item::Int64 | Item::Float64 | Item::IntOrString => b"0",
            Item::String => b"\"\"",
            Item::Duration => b"\"0s\"",
            Item::Quantity => b"\"0\"",
            _ => b"null",
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// The list of all that has `number` in a message.
    fn items(&mut self, field: &FieldLayout, item: Item, number: u32, message: &'a [u8]) -> Result<(), Malformed> {
        self.out.push(b'[');
        let mut fields = Fields::new(message);
        while let Some((found, wire)) = fields.next()? {
            if found == number {
                self.item(field, item, wire)?;
            }
        }
        self.close(b']');
        Ok(())
    }

    /// A list's item and a comma.
    #[inline]
    fn item(&mut self, field: &FieldLayout, item: Item, wire: Wire<'a>) -> Result<(), Malformed> {
        match (item, wire) {
            (Item::Object(id), Wire::Bytes(message)) => {
                let layout = self.schema.layout(id);
                match &layout.kind {
                    // Messages do not hold it; upstream's defaults put it back on every read (a StatefulSet's claims).
                    Some((kind, api_version)) if !field.is_items => {
                        self.nested(layout, (kind, api_version), message)?
                    }
                    _ => self.object(layout, message)?,
                }
            }
            _ => self.single(item, wire)?,
        }
        self.out.push(b',');
        Ok(())
    }

    fn map(&mut self, field: &FieldLayout, values: std::ops::Range<usize>) -> Result<(), Malformed> {
        let begin = self.out.len();
        self.out.push(b'{');
        let mut before: Option<&[u8]> = None;
        for at in values.clone() {
            let Some(found) = self.found.get(at).copied() else { break };
            let (key, value) = map_entry(found.wire.bytes())?;
            if before.is_some_and(|before| before >= key) {
                self.out.truncate(begin);
                return self.unordered_map(field, values);
            }
            before = Some(key);
            self.entry(field, key, value)?;
        }
        self.close(b'}');
        Ok(())
    }

    /// A map whose keys did not come in order. Of equal keys the last one counts.
    #[cold]
    fn unordered_map(&mut self, field: &FieldLayout, values: std::ops::Range<usize>) -> Result<(), Malformed> {
        let found = self.found.get(values).unwrap_or(&[]);
        let mut entries = found.iter().map(|found| map_entry(found.wire.bytes())).collect::<Result<Vec<_>, _>>()?;
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        entries.dedup_by(|a, b| a.0 == b.0);
        self.out.push(b'{');
        for (key, value) in entries {
            self.entry(field, key, value)?;
        }
        self.close(b'}');
        Ok(())
    }

    /// A map's entry and a comma.
    fn entry(&mut self, field: &FieldLayout, key: &[u8], value: Option<Wire<'a>>) -> Result<(), Malformed> {
        self.text(key);
        self.out.push(b':');
        match (field.form, value) {
            (Form::MapOfLists(item), value) => self.items(field, item, 1, value.map_or(&[][..], Wire::bytes))?,
            (Form::Map(item), Some(wire)) => self.single(item, wire)?,
            (Form::Map(item), None) => self.zero(item)?,
            _ => {}
        }
        self.out.push(b',');
        Ok(())
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        if plain::is_plain(text) {
            self.out.extend_from_slice(text);
        } else {
            write_escaped(text_of(text).as_bytes(), self.out);
        }
        self.out.push(b'"');
    }

    #[inline]
    fn single(&mut self, item: Item, wire: Wire<'a>) -> Result<(), Malformed> {
        match (item, wire) {
            (Item::String, Wire::Bytes(bytes)) => self.text(bytes),
            (Item::Object(id), Wire::Bytes(message)) => self.object(self.schema.layout(id), message)?,
            (Item::Bool, Wire::Varint(n)) => self.out.extend_from_slice(if n != 0 { b"true" } else { b"false" }),
            (Item::Int32, Wire::Varint(n)) => write_int(i64::from(n as i32), self.out),
            (Item::Int64, Wire::Varint(n)) => write_int(n as i64, self.out),
            (Item::Float64, Wire::Fixed64(n)) => write_float(f64::from_bits(n), self.out),
            (Item::Bytes, Wire::Bytes(bytes)) => {
                self.out.push(b'"');
                base64::encode(bytes, self.out);
                self.out.push(b'"');
            }
            (_, Wire::Bytes(bytes)) => self.compound(item, bytes)?,
            _ => return Err("proto: wrong wireType"),
        }
        Ok(())
    }

    fn compound(&mut self, item: Item, bytes: &'a [u8]) -> Result<(), Malformed> {
        match item {
            Item::Time | Item::MicroTime => match timestamp(bytes)? {
                None => self.out.extend_from_slice(b"null"),
                Some(at) if item == Item::Time => self.days.write(at, self.out),
                Some(at) => self.text(at.to_rfc3339_micro().as_bytes()),
            },
            Item::Duration => {
                let nanos = varint_field(bytes, 1)?.unwrap_or(0);
                self.text(format_duration(nanos as i64).as_bytes());
            }
            Item::Quantity => {
                let text = bytes_field(bytes, 1)?.unwrap_or(b"");
                self.text(if text.is_empty() { b"0" } else { text });
            }
            Item::IntOrString if varint_field(bytes, 1)? == Some(1) => self.text(bytes_field(bytes, 3)?.unwrap_or(b"")),
            Item::IntOrString => write_int(i64::from(varint_field(bytes, 2)?.unwrap_or(0) as i32), self.out),
            Item::Raw => self.raw(bytes_field(bytes, 1)?),
            Item::SchemaOr(object, other) => self.schema_or(object, other, bytes)?,
            _ => return Err("proto: a list of lists"),
        }
        Ok(())
    }

    /// Raw JSON, which other servers store as it was sent; what is no JSON shows as null rather than breaking the answer.
    fn raw(&mut self, raw: Option<&[u8]>) {
        let raw = raw.unwrap_or(b"");
        if self.proven && !raw.is_empty() {
            return self.out.extend_from_slice(raw);
        }
        let plain = plain::is_unescaped(raw);
        if plain && plain::is_tree_of_keys(raw) {
            return self.out.extend_from_slice(raw);
        }
        let mut lexer = std::str::from_utf8(raw).ok().map(json::Lexer::new);
        let whole = lexer.as_mut().is_some_and(|l| l.skip().is_ok() && l.end().is_ok());
        if !whole {
            self.all_proven &= raw.is_empty();
            return self.out.extend_from_slice(b"null");
        }
        let before = self.out.len();
        json::compact(raw, self.out);
        self.all_proven &= plain && self.out.len() - before == raw.len();
    }

    fn schema_or(&mut self, object: TypeId, other: SchemaOther, bytes: &'a [u8]) -> Result<(), Malformed> {
        let single = if other == SchemaOther::Bool { 2 } else { 1 };
        if other != SchemaOther::Bool && bytes_field(bytes, 2)?.is_some() {
            let item = if other == SchemaOther::StringArray { Item::String } else { Item::Object(object) };
            self.out.push(b'[');
            let mut fields = Fields::new(bytes);
            while let Some((found, wire)) = fields.next()? {
                if found == 2 {
                    self.single(item, wire)?;
                    self.out.push(b',');
                }
            }
            self.close(b']');
            return Ok(());
        }
        match bytes_field(bytes, single)? {
            Some(message) => self.object(self.schema.layout(object), message),
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
#[inline]
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
