//! Lists, made item by item from what is stored.

use crate::encode::{FORM_JSON_ITEM, Form, JSON_GROWTH, Shape, is_direct, versioned, yaml_of};
use crate::form;
use crate::pieces::{Indented, Source};
use crate::read::Page;
use codec::negotiate::Format;
use codec::table::partial_gvk;
use codec::{JsonList, ListMeta, ProtobufList, Versioned};
use meta::{Gvk, Result, Status};
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
        Format::Protobuf => made_messages(form, &descriptor, &objects, &metadata).map(whole),
        Format::Yaml => {
            let mut items = JsonItems::new(form, descriptor, objects, &metadata, fits);
            let mut text = Vec::new();
            while items.append(&mut text)? {}
            Ok(whole(yaml_of(&text)))
        }
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

impl Source for JsonItems {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let head = self.head.take();
        let is_first = head.is_some();
        out.extend_from_slice(&head.unwrap_or_default());
        let Some(object) = self.objects.next() else {
            out.append(&mut self.tail);
            return Ok(false);
        };
        if !is_first {
            out.push(b',');
        }
        if !self.keeps || !is_direct(&self.descriptor) {
            self.shape.write(&self.descriptor, &object, object.revision, out)?;
            return Ok(true);
        }
        match object.encoded_before(FORM_JSON_ITEM) {
            Some(item) => out.extend_from_slice(&item),
            None => {
                let mut item = Vec::with_capacity(object.bytes.len() * JSON_GROWTH);
                self.shape.write(&self.descriptor, &object, object.revision, &mut item)?;
                item.shrink_to_fit();
                out.extend_from_slice(&object.encoded(FORM_JSON_ITEM, |_| item.into()));
            }
        }
        Ok(true)
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
    let revision = object.revision.to_string();
    let message = versioned(object, &revision)?;
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

/// A protobuf list of messages that are not stored as they are served.
fn made_messages(
    form: &Form,
    descriptor: &Descriptor,
    objects: &[Arc<Object>],
    metadata: &ListMeta,
) -> Result<Vec<u8>> {
    let partial = form.partial_version().map(partial_gvk);
    let mut messages = Vec::with_capacity(objects.len());
    for object in objects {
        let value = form::stored_value(descriptor, object)?;
        messages.push(match &partial {
            Some(gvk) => {
                let schema = schema::builtin();
                let ty = schema.kind(gvk).ok_or_else(|| Status::internal("the schema has no partial objects"))?;
                codec::encode_message(&schema, ty, &codec::table::partial(&value, gvk))
            }
            None => codec::encode_message(&descriptor.schema, descriptor.type_id, &form::to_served(descriptor, value)),
        });
    }
    let revisions: Vec<String> = objects.iter().map(|object| object.revision.to_string()).collect();
    let items = messages.iter().zip(&revisions).map(|(message, revision)| Versioned::new(message, revision));
    let items = items.collect::<std::result::Result<Vec<_>, _>>().map_err(Status::internal)?;
    let list = ProtobufList::new(&list_gvk(form, descriptor), metadata, items.iter().map(Versioned::item_len).sum());
    let mut out = list.head;
    items.iter().for_each(|item| item.write_item(&mut out));
    out.extend_from_slice(list.tail);
    Ok(out)
}

/// What is made already.
struct Whole(Vec<u8>);

fn whole(bytes: Vec<u8>) -> Box<dyn Source> {
    Box::new(Whole(bytes))
}

impl Source for Whole {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        out.append(&mut self.0);
        Ok(false)
    }
}
