//! Objects and events as bytes, in the format and form that a client accepts. What is stored is sent without
//! being decoded wherever the form allows that.

use crate::form;
use crate::route::Route;
use crate::watch::Change;
use crate::write::Outcome;
use bytes::Bytes;
use codec::negotiate::{self, Accepted, Format, Offer, Transform};
use codec::table::{IncludeObject, Tabler, partial, partial_gvk};
use codec::{Envelope, JsonList, ListMeta, Shown, Versioned};
use http::{HeaderMap, header};
use meta::time::Timestamp;
use meta::{Gvk, Reason, Result, Status, Value, json, value};
use resource::Descriptor;
use std::sync::Arc;
use store::Object;

/// Numbers under which an object's encodings are kept: see [`Object::encoded`].
/// JSON as an item of a list: without its kind.
pub(crate) const FORM_JSON_ITEM: usize = 0;
/// Whole frames of a watch begin here: see [`Event::form`].
const FORM_FRAMES: usize = 1;
/// How much larger JSON is than the stored protobuf, about.
pub(crate) const JSON_GROWTH: usize = 2;

/// What a watch tells of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Added,
    Modified,
    Deleted,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Event::Added => "ADDED",
            Event::Modified => "MODIFIED",
            Event::Deleted => "DELETED",
        }
    }

    /// Where an object's plain frame is kept.
    fn form(self, format: Format) -> usize {
        let formats = if format == Format::Protobuf { 3 } else { 0 };
        FORM_FRAMES + formats + self as usize
    }

    fn frame(self, format: Format, object: &[u8]) -> Bytes {
        framed(format, self.name(), object)
    }
}

fn framed(format: Format, kind: &str, object: &[u8]) -> Bytes {
    match format {
        Format::Protobuf => codec::watch_frame_protobuf(kind, object).into(),
        _ => codec::watch_frame_json(kind, object).into(),
    }
}

/// The form of a response.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub accepted: Accepted,
    pub pretty: bool,
    pub include: IncludeObject,
    pub no_headers: bool,
}

impl Form {
    /// What the client accepts of what a resource offers; 406 when that is nothing.
    pub fn negotiate(headers: &HeaderMap, query: &crate::query::Query, offer: Offer) -> Result<Form> {
        let text = |name| headers.get(name).and_then(|v: &http::HeaderValue| v.to_str().ok()).unwrap_or("");
        let accepted = negotiate::accept(text(header::ACCEPT), offer)?;
        let is_table = matches!(accepted.transform, Some((Transform::Table, _)));
        let include =
            if is_table { IncludeObject::parse(query.text("includeObject"))? } else { IncludeObject::default() };
        let pretty = accepted.pretty || negotiate::is_pretty(query.get("pretty"), text(header::USER_AGENT));
        Ok(Form { pretty, include, no_headers: query.flag("noHeaders"), accepted })
    }

    /// As [`Form::negotiate`], after the check that upstream's router makes of built-in kinds.
    pub fn negotiate_for(
        route: &Route,
        headers: &HeaderMap,
        query: &crate::query::Query,
        offer: Offer,
    ) -> Result<Form> {
        if !route.descriptor().stored_as_json {
            let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
            negotiate::check_route(accept, !route.info.is_named && route.info.subresource.is_empty())?;
        }
        Form::negotiate(headers, query, offer)
    }

    /// For errors that happen before or while the form is found out.
    pub fn of_status(headers: &HeaderMap, query: &crate::query::Query) -> Form {
        let offer = Offer { protobuf: true, table: true, watch: false };
        // Upstream writes what it cannot negotiate for with indentation.
        let fallback = Form { pretty: true, ..Form::default() };
        Form::negotiate(headers, query, offer).unwrap_or(fallback)
    }

    /// 406 when the metadata of one object is asked of a list, or of a list of one object.
    pub fn check_shape(&self, descriptor: &Descriptor, is_list: bool) -> Result<()> {
        let package = descriptor.group.split('.').next().filter(|first| !first.is_empty()).unwrap_or("core");
        let text = match (self.accepted.transform, is_list) {
            (Some((Transform::PartialObjectMetadata, _)), true) => {
                let kind = &descriptor.list_kind;
                format!("you requested PartialObjectMetadata, but the requested object is a list (*{package}.{kind})")
            }
            (Some((Transform::PartialObjectMetadataList, _)), false) => {
                let kind = &descriptor.kind;
                format!(
                    "you requested PartialObjectMetadataList, but the requested object is not a list (*{package}.{kind})"
                )
            }
            _ => return Ok(()),
        };
        Err(Status::failure(406, Reason::NotAcceptable, text))
    }

    pub(crate) fn partial_version(&self) -> Option<&'static str> {
        self.accepted.transform.filter(|(t, _)| *t != Transform::Table).map(|(_, version)| version)
    }

    /// A tree of a kind of the built-in schema: Status, Table, options, Scale.
    pub fn encode_tree(&self, gvk: &Gvk, tree: &Value) -> Vec<u8> {
        let schema = schema::builtin();
        let mut out = Vec::new();
        match (schema.kind(gvk), self.accepted.format) {
            (Some(ty), Format::Protobuf) => codec::encode_protobuf(&schema, ty, gvk, tree, &mut out),
            (_, Format::Yaml) => codec::encode_yaml(tree, &mut out),
            (Some(ty), _) => codec::encode_json(&schema, ty, tree, &mut out),
            (None, _) => json::write(tree, &mut out),
        }
        self.finish(out)
    }

    /// Indentation where wanted, else Go's newline.
    fn finish(&self, mut out: Vec<u8>) -> Vec<u8> {
        if self.accepted.format == Format::Json {
            if self.pretty {
                return codec::pretty(&out);
            }
            if !out.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        out
    }
}

/// Whether stored bytes are the served version's message.
pub(crate) fn is_direct(descriptor: &Descriptor) -> bool {
    descriptor.convert.is_none() && !descriptor.stored_as_json
}

/// What of an object is written as JSON.
pub(crate) enum Shape {
    /// The object in the served version, with its kind unless it is an item of a list.
    Whole(Option<Gvk>),
    Partial(Gvk),
    Row(Box<Tabler>),
}

impl Shape {
    pub(crate) fn of(form: &Form, descriptor: &Descriptor, is_item: bool) -> Shape {
        match form.accepted.transform {
            Some((Transform::Table, version)) => Shape::Row(Box::new(Tabler::new(descriptor, version, form.include))),
            Some((_, version)) => Shape::Partial(partial_gvk(version)),
            None if is_item && !descriptor.stored_as_json => Shape::Whole(None),
            None => Shape::Whole(Some(descriptor.gvk())),
        }
    }

    /// Appends a stored object as of a revision.
    pub(crate) fn write(
        &mut self,
        descriptor: &Descriptor,
        object: &Object,
        revision: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if !is_direct(descriptor) {
            return self.write_tree(descriptor, form::stored_value_at(descriptor, object, revision)?, out);
        }
        let bytes = object.bytes();
        let message = message_of(object, &bytes)?;
        let revision = revision.to_string();
        match self {
            Shape::Whole(gvk) => write_whole(descriptor, object, message, gvk.as_ref(), &revision, out),
            Shape::Partial(gvk) => write_partial(object, message, gvk, &revision, out),
            Shape::Row(tabler) => {
                let opened = tabler.open_stored_row(descriptor, message, Timestamp::now(), out);
                opened.map_err(|why| unreadable(object, &why))?;
                match tabler.include() {
                    IncludeObject::None => out.extend_from_slice(b"null"),
                    IncludeObject::Metadata => write_partial(object, message, &tabler.partial_gvk(), &revision, out)?,
                    IncludeObject::Object => {
                        write_whole(descriptor, object, message, Some(&descriptor.gvk()), &revision, out)?;
                    }
                }
                out.push(b'}');
                Ok(())
            }
        }
    }

    /// Appends an object in the storage version.
    fn write_tree(&self, descriptor: &Descriptor, object: Value, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Shape::Whole(gvk) => {
                let mut served = form::to_served(descriptor, object);
                match gvk {
                    Some(gvk) => {
                        served.set("apiVersion", gvk.api_version());
                        served.set("kind", &gvk.kind);
                    }
                    None => {
                        served.remove("apiVersion");
                        served.remove("kind");
                    }
                }
                form::encode_served_json(descriptor, &served, out);
            }
            Shape::Partial(gvk) => write_partial_tree(&object, gvk, out),
            Shape::Row(tabler) => {
                tabler.open_row(&object, Timestamp::now(), out);
                match tabler.include() {
                    IncludeObject::None => out.extend_from_slice(b"null"),
                    IncludeObject::Metadata => write_partial_tree(&object, &tabler.partial_gvk(), out),
                    IncludeObject::Object => {
                        form::encode_served_json(descriptor, &form::to_served(descriptor, object), out);
                    }
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// What is around one object: a table, or nothing.
    fn frame(&self, resource_version: String, headers: bool) -> JsonList {
        match self {
            Shape::Row(tabler) => tabler.frame(&ListMeta { resource_version, ..ListMeta::default() }, headers),
            _ => JsonList { head: Vec::new(), tail: b"\n".to_vec() },
        }
    }
}

fn unreadable(object: &Object, why: &str) -> Status {
    Status::internal(format!("{}: {why}", object.key))
}

/// The message in the bytes of an object that is stored in protobuf.
fn message_of<'a>(object: &Object, bytes: &'a [u8]) -> Result<&'a [u8]> {
    Envelope::open(bytes).map(|envelope| envelope.raw).map_err(|why| unreadable(object, &why))
}

/// The message in an object's bytes with a resourceVersion.
pub(crate) fn versioned<'a>(object: &Object, bytes: &'a [u8], resource_version: &'a str) -> Result<Versioned<'a>> {
    Versioned::new(message_of(object, bytes)?, resource_version).map_err(|why| unreadable(object, &why))
}

/// Appends the JSON of a stored message.
fn write_whole(
    descriptor: &Descriptor,
    object: &Object,
    message: &[u8],
    gvk: Option<&Gvk>,
    resource_version: &str,
    out: &mut Vec<u8>,
) -> Result<()> {
    let shown = Shown { gvk, resource_version, proven: object.is_proven() };
    let proven = codec::transcode_json(&descriptor.schema, descriptor.type_id, message, &shown, out);
    if proven.map_err(|why| unreadable(object, &why))? && !shown.proven {
        object.prove();
    }
    Ok(())
}

/// Appends the PartialObjectMetadata of a stored message, of which it is a part.
fn write_partial(object: &Object, message: &[u8], gvk: &Gvk, resource_version: &str, out: &mut Vec<u8>) -> Result<()> {
    let schema = schema::builtin();
    let ty = schema.kind(gvk).ok_or_else(|| unreadable(object, "the schema has no partial objects"))?;
    let shown = Shown { gvk: Some(gvk), resource_version, proven: object.is_proven() };
    let written = codec::transcode_json(&schema, ty, codec::partial_message(message), &shown, out);
    written.map(drop).map_err(|why| unreadable(object, &why))
}

fn write_partial_tree(object: &Value, gvk: &Gvk, out: &mut Vec<u8>) {
    let (schema, partial) = (schema::builtin(), partial(object, gvk));
    match schema.kind(gvk) {
        Some(ty) => codec::encode_json(&schema, ty, &partial, out),
        None => json::write(&partial, out),
    }
}

/// What a write left: the text that watches show where one has made it, else from the bytes that were stored, where these are
/// the served version's.
pub fn outcome(form: &Form, descriptor: &Arc<Descriptor>, outcome: Outcome) -> Result<Vec<u8>> {
    let Outcome { object: tree, written, deleted, .. } = outcome;
    let Some(written) = written else { return Ok(object(form, descriptor, tree)) };
    let encode = || match is_direct(descriptor) {
        true => stored(form, descriptor, &written),
        false => Ok(object(form, descriptor, tree)),
    };
    if form.accepted.format != Format::Json || form.accepted.transform.is_some() || form.pretty {
        return encode();
    }
    let event = match deleted {
        true => Event::Deleted,
        false if written.revision == written.create_revision => Event::Added,
        false => Event::Modified,
    };
    // Nothing is kept for watchers who may not exist.
    let frame = written.encoded_before(descriptor, event.form(Format::Json));
    match frame.as_deref().and_then(codec::object_in_frame) {
        Some(text) => Ok([text, b"\n"].concat()),
        None => encode(),
    }
}

/// An object in the storage version.
pub fn object(form: &Form, descriptor: &Descriptor, object: Value) -> Vec<u8> {
    match (form.accepted.format, form.partial_version()) {
        (Format::Json, _) => tree_json(form, descriptor, object, !form.no_headers),
        (Format::Protobuf, Some(version)) => {
            let gvk = partial_gvk(version);
            form.encode_tree(&gvk, &partial(&object, &gvk))
        }
        (Format::Protobuf, None) => {
            let served = form::to_served(descriptor, object);
            let mut out = Vec::new();
            codec::encode_protobuf(&descriptor.schema, descriptor.type_id, &descriptor.gvk(), &served, &mut out);
            out
        }
        (Format::Yaml, _) => yaml_of(&tree_json(form, descriptor, object, !form.no_headers)),
    }
}

fn tree_json(form: &Form, descriptor: &Descriptor, object: Value, headers: bool) -> Vec<u8> {
    let shape = Shape::of(form, descriptor, false);
    let frame = shape.frame(object["metadata"]["resourceVersion"].str().to_owned(), headers);
    let mut out = frame.head;
    // A tree is written whatever is in it.
    let _ = shape.write_tree(descriptor, object, &mut out);
    out.extend_from_slice(&frame.tail);
    form.finish(out)
}

/// YAML of what is JSON.
pub(crate) fn yaml_of(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if let Ok(parsed) = json::parse(text) {
        codec::encode_yaml(&parsed.value, &mut out);
    }
    out
}

/// An object from its stored bytes.
pub fn stored(form: &Form, descriptor: &Descriptor, object: &Object) -> Result<Vec<u8>> {
    stored_at(form, &mut Shape::of(form, descriptor, false), descriptor, object, object.revision)
}

/// A stored object as of a revision.
fn stored_at(
    form: &Form,
    shape: &mut Shape,
    descriptor: &Descriptor,
    stored: &Object,
    revision: u64,
) -> Result<Vec<u8>> {
    match form.accepted.format {
        Format::Json => {
            let frame = shape.frame(revision.to_string(), !form.no_headers);
            let mut out = frame.head;
            out.reserve(stored.bytes_len() * JSON_GROWTH);
            shape.write(descriptor, stored, revision, &mut out)?;
            out.extend_from_slice(&frame.tail);
            Ok(form.finish(out))
        }
        Format::Protobuf if is_direct(descriptor) => {
            let (bytes, revision) = (stored.bytes(), revision.to_string());
            let object = versioned(stored, &bytes, &revision)?;
            Ok(match form.partial_version() {
                Some(version) => object.without_rest().in_envelope(&partial_gvk(version)),
                None => object.in_envelope(&descriptor.gvk()),
            })
        }
        _ => Ok(object(form, descriptor, form::stored_value_at(descriptor, stored, revision)?)),
    }
}

/// Makes the frames of one watch.
pub struct Frames {
    /// A table's columns are sent with its first event only: then `no_headers` becomes true.
    form: Form,
    shape: Shape,
    descriptor: Arc<Descriptor>,
}

impl Frames {
    pub fn new(form: Form, descriptor: Arc<Descriptor>) -> Frames {
        let form = Form { pretty: false, ..form };
        Frames { shape: Shape::of(&form, &descriptor, false), form, descriptor }
    }

    /// The frame of an event; `None` for an object that cannot be read.
    pub fn frame(&mut self, change: &Change) -> Option<Bytes> {
        match change {
            Change::Added(object) => self.object(Event::Added, object, object.revision),
            Change::Modified(object) => self.object(Event::Modified, object, object.revision),
            Change::Deleted(object, revision) => self.object(Event::Deleted, object, *revision),
            Change::Bookmark { revision, ends_initial_events } => {
                let bookmark = self.bookmark(*revision, *ends_initial_events);
                Some(framed(self.form.accepted.format, "BOOKMARK", &bookmark))
            }
            Change::Error(status) => {
                let status = self.form.encode_tree(&Gvk::new("", "v1", "Status"), &status.to_value());
                Some(framed(self.form.accepted.format, "ERROR", &status))
            }
        }
    }

    /// An object as the watch shows it. Plain frames are made once and shared by all watches, and by the answer to the write.
    fn object(&mut self, event: Event, object: &Object, revision: u64) -> Option<Bytes> {
        let form = event.form(self.form.accepted.format);
        let frame = if self.form.accepted.transform.is_some() || revision != object.revision {
            self.own_frame(event, object, revision)
        } else if let Some(frame) = object.encoded_before(&self.descriptor, form) {
            frame
        } else {
            let owner = self.descriptor.clone();
            object.encoded(&owner, form, |object| self.own_frame(event, object, revision))
        };
        (!frame.is_empty()).then_some(frame)
    }

    /// Empty for an object that cannot be read.
    fn own_frame(&mut self, event: Event, object: &Object, revision: u64) -> Bytes {
        let bytes = stored_at(&self.form, &mut self.shape, &self.descriptor, object, revision);
        self.form.no_headers = true;
        bytes.map(|bytes| event.frame(self.form.accepted.format, &bytes)).unwrap_or_default()
    }

    fn value(&mut self, value: Value) -> Vec<u8> {
        let bytes = object(&self.form, &self.descriptor, value);
        self.form.no_headers = true;
        bytes
    }

    /// An object of the kind with nothing set but its resourceVersion.
    fn bookmark(&mut self, revision: u64, ends_initial_events: bool) -> Vec<u8> {
        let d = &self.descriptor;
        let mut metadata = value!({"resourceVersion": (revision.to_string())});
        if ends_initial_events {
            metadata.set("annotations", value!({"k8s.io/initial-events-end": "true"}));
        }
        let mut object =
            value!({"kind": (&d.storage.kind), "apiVersion": (d.storage.api_version()), "metadata": metadata});
        // in the form that an empty object of the kind prints; its type may refuse nothing here
        let _ = form::canonicalise_stored(d, &mut object);
        self.value(object)
    }
}
