//! Lists, made item by item from what is stored.

use crate::encode::{FORM_JSON_ITEM, Form, JSON_GROWTH, Shape, is_direct, versioned, yaml_of};
use crate::form;
use crate::pieces::{Indented, Source};
use crate::read::Page;
use codec::negotiate::Format;
use codec::table::partial_gvk;
use codec::{JsonList, ListMeta, ProtobufList, Versioned};
use meta::{Gvk, Result, Status, Value, json};
use resource::Descriptor;
use std::sync::Arc;
use store::Object;

/// What makes a list in the form that the client wants.
pub fn source(form: &Form, descriptor: &Arc<Descriptor>, page: Page) -> Result<Box<dyn Source>> {
    let metadata = ListMeta {
        resource_version: page.revision.to_string(),
        continue_token: page.continue_token,
        remaining_item_count: page.remaining.and_then(|n| i64::try_from(n).ok()).unwrap_or(0),
    };
    // What is made of all objects together must fit, or lists of parts push out one another's. JSON of realistic pods is 1.4
    // times its protobuf.
    let fits = page.resource_bytes / 2 * 3 <= store::ENCODED_BYTES_MAX as u64;
    let (descriptor, objects) = (descriptor.clone(), page.objects);
    match form.accepted.format {
        Format::Json if form.pretty => {
            Ok(Box::new(Indented::new(JsonItems::new(form, descriptor, objects, &metadata, fits))))
        }
        Format::Json => Ok(Box::new(JsonItems::new(form, descriptor, objects, &metadata, fits))),
        Format::Protobuf if is_direct(&descriptor) => {
            Ok(Box::new(StoredMessages::new(form, &descriptor, objects, &metadata)?))
        }
        Format::Protobuf => Ok(Box::new(MadeMessages::new(form, descriptor, objects, &metadata)?)),
        Format::Yaml => Ok(Box::new(YamlItems::new(JsonItems::new(form, descriptor, objects, &metadata, fits)))),
    }
}

/// The kind of the list.
fn list_gvk(form: &Form, descriptor: &Descriptor) -> Gvk {
    match form.partial_version() {
        Some(version) => Gvk { kind: "PartialObjectMetadataList".into(), ..partial_gvk(version) },
        None => Gvk { kind: descriptor.list_kind.clone(), ..descriptor.gvk() },
    }
}

/// A JSON list, or a table of rows.
struct JsonItems {
    descriptor: Arc<Descriptor>,
    shape: Shape,
    objects: std::vec::IntoIter<Arc<Object>>,
    /// Until it is written.
    head: Option<Vec<u8>>,
    tail: Vec<u8>,
    /// Items are kept for the next list.
    keeps: bool,
}

impl JsonItems {
    fn new(
        form: &Form,
        descriptor: Arc<Descriptor>,
        objects: Vec<Arc<Object>>,
        metadata: &ListMeta,
        fits: bool,
    ) -> JsonItems {
        let shape = Shape::of(form, &descriptor, true);
        let gvk = list_gvk(form, &descriptor);
        let JsonList { head, tail } = match &shape {
            Shape::Row(tabler) => tabler.frame(metadata, !form.no_headers),
            Shape::Whole(_) if descriptor.stored_as_json => JsonList::custom(&gvk, metadata),
            _ => JsonList::typed(&gvk, metadata),
        };
        let keeps = fits && matches!(shape, Shape::Whole(_));
        JsonItems { descriptor, shape, objects: objects.into_iter(), head: Some(head), tail, keeps }
    }
}

impl JsonItems {
    /// Appends the next item; false when there is none.
    fn append_item(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let Some(object) = self.objects.next() else { return Ok(false) };
        if !self.keeps {
            self.shape.write(&self.descriptor, &object, object.revision, out)?;
            return Ok(true);
        }
        match object.encoded_before(&self.descriptor, FORM_JSON_ITEM) {
            Some(item) => out.extend_from_slice(&item),
            None => {
                let mut item = Vec::with_capacity(object.bytes_len() * JSON_GROWTH);
                self.shape.write(&self.descriptor, &object, object.revision, &mut item)?;
                item.shrink_to_fit();
                out.extend_from_slice(&object.encoded(&self.descriptor, FORM_JSON_ITEM, |_| item.into()));
            }
        }
        Ok(true)
    }
}

impl Source for JsonItems {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        match self.head.take() {
            Some(head) => out.extend_from_slice(&head),
            None if self.objects.len() > 0 => out.push(b','),
            None => {}
        }
        if self.append_item(out)? {
            return Ok(true);
        }
        out.append(&mut self.tail);
        Ok(false)
    }
}

/// A protobuf list of messages as they are stored.
struct StoredMessages {
    head: Vec<u8>,
    objects: std::vec::IntoIter<Arc<Object>>,
    tail: &'static [u8],
    /// Only their metadata.
    partial: bool,
}

impl StoredMessages {
    fn new(
        form: &Form,
        descriptor: &Descriptor,
        objects: Vec<Arc<Object>>,
        metadata: &ListMeta,
    ) -> Result<StoredMessages> {
        let partial = form.partial_version().is_some();
        let mut bytes = 0_usize;
        for object in &objects {
            bytes = bytes.saturating_add(with_message(object, partial, |item| item.item_len())?);
        }
        let ProtobufList { head, tail } = ProtobufList::new(&list_gvk(form, descriptor), metadata, bytes);
        Ok(StoredMessages { head, objects: objects.into_iter(), tail, partial })
    }
}

fn with_message<T>(object: &Object, partial: bool, f: impl FnOnce(Versioned) -> T) -> Result<T> {
    let (bytes, revision) = (object.bytes(), object.revision.to_string());
    let message = versioned(object, &bytes, &revision)?;
    Ok(f(if partial { message.without_rest() } else { message }))
}

impl Source for StoredMessages {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        out.append(&mut self.head);
        match self.objects.next() {
            Some(object) => {
                with_message(&object, self.partial, |item| item.write_item(out))?;
                Ok(true)
            }
            None => {
                out.extend_from_slice(self.tail);
                Ok(false)
            }
        }
    }
}

/// A protobuf list of messages that are not stored as they are served. The length of all comes first, so all are made
/// before the first one is sent; those that exceed a bound are not kept, and made again.
struct MadeMessages {
    descriptor: Arc<Descriptor>,
    /// Only their metadata, as this kind.
    partial: Option<Gvk>,
    head: Vec<u8>,
    objects: std::vec::IntoIter<Arc<Object>>,
    /// Of the first objects.
    made: std::vec::IntoIter<Vec<u8>>,
    tail: &'static [u8],
}

/// Messages that one list keeps.
const MADE_BYTES_MAX: usize = 8 << 20;

impl MadeMessages {
    fn new(
        form: &Form,
        descriptor: Arc<Descriptor>,
        objects: Vec<Arc<Object>>,
        metadata: &ListMeta,
    ) -> Result<MadeMessages> {
        let partial = form.partial_version().map(partial_gvk);
        let (mut made, mut made_bytes, mut bytes) = (Vec::new(), 0_usize, 0_usize);
        for object in &objects {
            let message = made_message(&descriptor, partial.as_ref(), object)?;
            bytes = bytes.saturating_add(with_revision(object, &message, |item| item.item_len())?);
            made_bytes = made_bytes.saturating_add(message.len());
            if made_bytes <= MADE_BYTES_MAX {
                made.push(message);
            }
        }
        let ProtobufList { head, tail } = ProtobufList::new(&list_gvk(form, &descriptor), metadata, bytes);
        Ok(MadeMessages { descriptor, partial, head, objects: objects.into_iter(), made: made.into_iter(), tail })
    }
}

fn made_message(descriptor: &Descriptor, partial: Option<&Gvk>, object: &Object) -> Result<Vec<u8>> {
    let value = form::stored_value(descriptor, object)?;
    Ok(match partial {
        Some(gvk) => {
            let schema = schema::builtin();
            let ty = schema.kind(gvk).ok_or_else(|| Status::internal("the schema has no partial objects"))?;
            codec::encode_message(&schema, ty, &codec::table::partial(&value, gvk))
        }
        None => codec::encode_message(&descriptor.schema, descriptor.type_id, &form::to_served(descriptor, value)),
    })
}

fn with_revision<T>(object: &Object, message: &[u8], f: impl FnOnce(Versioned) -> T) -> Result<T> {
    let revision = object.revision.to_string();
    Ok(f(Versioned::new(message, &revision).map_err(Status::internal)?))
}

impl Source for MadeMessages {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        out.append(&mut self.head);
        let Some(object) = self.objects.next() else {
            out.extend_from_slice(self.tail);
            return Ok(false);
        };
        let message = match self.made.next() {
            Some(message) => message,
            None => made_message(&self.descriptor, self.partial.as_ref(), &object)?,
        };
        with_revision(&object, &message, |item| item.write_item(out))?;
        Ok(true)
    }
}

/// A list, or a table, in YAML: what is around the items, and each of them as an item of a sequence.
struct YamlItems {
    items: JsonItems,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// An item's JSON.
    text: Vec<u8>,
}

impl YamlItems {
    fn new(mut items: JsonItems) -> YamlItems {
        let mut text = items.head.take().unwrap_or_default();
        text.append(&mut items.tail);
        let mut head = yaml_of(&text);
        let mark = [&b"\nitems: []\n"[..], b"\nrows: []\n"].into_iter().find_map(|mark| {
            let at = head.windows(mark.len()).position(|part| part == mark)?;
            Some(at + mark.len())
        });
        let mut tail = Vec::new();
        if let Some(end) = mark.filter(|_| items.objects.len() > 0) {
            tail = head.split_off(end);
            head.truncate(end - b" []\n".len());
            head.push(b'\n');
        }
        YamlItems { items, head, tail, text: Vec::new() }
    }
}

impl Source for YamlItems {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        out.append(&mut self.head);
        self.text.clear();
        if !self.items.append_item(&mut self.text)? {
            out.append(&mut self.tail);
            return Ok(false);
        }
        let item = json::parse(&self.text).map_err(|why| Status::internal(why.to_string()))?.value;
        // Sequences are not indented within mappings, so this is an item of the list as it stands.
        codec::encode_yaml(&Value::Array(vec![item]), out);
        Ok(true)
    }
}
