//! Objects, lists and events as bytes, in the format and form that a client accepts. What is stored is sent without
//! being decoded wherever the form allows that.

use crate::form;
use crate::read::{Page, served_value};
use crate::route::Route;
use crate::watch::Change;
use bytes::Bytes;
use codec::negotiate::{self, Accepted, Format, Offer, Transform};
use codec::table::{IncludeObject, Tabler, partial, partial_gvk};
use codec::{Envelope, JsonList, ListMeta, Shown};
use http::{HeaderMap, header};
use meta::time::Timestamp;
use meta::{Gvk, Reason, Result, Status, Value, json, value};
use resource::Descriptor;
use store::Object;

/// Numbers under which an object's encodings are kept: see [`Object::encoded`].
/// JSON as an item of a list: without its kind.
const FORM_JSON_ITEM: usize = 0;
/// Whole frames of a watch: by format, then by kind of event.
const FORM_FRAMES: [[usize; 3]; 2] = [[1, 2, 3], [4, 5, 6]];
/// How much larger JSON is than the stored protobuf, about.
const JSON_GROWTH: usize = 2;

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
        Form::negotiate(headers, query, offer).unwrap_or_default()
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

    fn table_version(&self) -> Option<&'static str> {
        self.accepted.transform.filter(|(t, _)| *t == Transform::Table).map(|(_, version)| version)
    }

    fn partial_version(&self) -> Option<&'static str> {
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

    /// Go's newline, and indentation where wanted.
    fn finish(&self, mut out: Vec<u8>) -> Vec<u8> {
        if self.accepted.format == Format::Json {
            if self.pretty {
                out = codec::pretty(&out);
            }
            if !out.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        out
    }
}

fn list_meta(page: &Page) -> ListMeta {
    ListMeta {
        resource_version: page.revision.to_string(),
        continue_token: page.continue_token.clone(),
        remaining_item_count: page.remaining.and_then(|n| i64::try_from(n).ok()).unwrap_or(0),
    }
}

fn list_gvk(descriptor: &Descriptor) -> Gvk {
    Gvk { kind: descriptor.list_kind.clone(), ..descriptor.gvk() }
}

/// Whether stored bytes are the served version's message.
fn is_direct(descriptor: &Descriptor) -> bool {
    descriptor.convert.is_none() && !descriptor.stored_as_json
}

/// An object in the storage version.
pub fn object(form: &Form, descriptor: &Descriptor, object: Value) -> Vec<u8> {
    if let Some(version) = form.table_version() {
        let tabler = Tabler::new(descriptor, version, form.include);
        let metadata = &object["metadata"];
        let list = ListMeta { resource_version: metadata["resourceVersion"].str().to_owned(), ..ListMeta::default() };
        let row = tabler.row(&object, || form::to_served(descriptor, object.clone()), Timestamp::now());
        let table = tabler.table(&list, vec![row], !form.no_headers);
        return form.encode_tree(&Gvk::new("meta.k8s.io", version, "Table"), &table);
    }
    if let Some(version) = form.partial_version() {
        return form.encode_tree(&partial_gvk(version), &partial(&object, version));
    }
    let mut served = form::to_served(descriptor, object);
    served.set("apiVersion", descriptor.api_version());
    served.set("kind", &descriptor.kind);
    form.finish(served_bytes(form.accepted.format, descriptor, &served))
}

/// An object in the served version.
fn served_bytes(format: Format, descriptor: &Descriptor, served: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::Json => form::encode_served_json(descriptor, served, &mut out),
        Format::Yaml => codec::encode_yaml(served, &mut out),
        Format::Protobuf => {
            codec::encode_protobuf(&descriptor.schema, descriptor.type_id, &descriptor.gvk(), served, &mut out);
        }
    }
    out
}

/// An object from its stored bytes.
pub fn stored(form: &Form, descriptor: &Descriptor, stored: &Object) -> Result<Vec<u8>> {
    if form.accepted.transform.is_none() && is_direct(descriptor) && form.accepted.format != Format::Yaml {
        let bytes = direct_bytes(form.accepted.format, descriptor, stored, stored.revision)?;
        return Ok(form.finish(bytes));
    }
    Ok(object(form, descriptor, form::stored_value(descriptor, stored)?))
}

/// JSON or protobuf of stored protobuf, with a resourceVersion.
fn direct_bytes(format: Format, descriptor: &Descriptor, object: &Object, revision: u64) -> Result<Vec<u8>> {
    let (gvk, revision) = (descriptor.gvk(), revision.to_string());
    let unreadable = |why: String| Status::internal(format!("{}: {why}", object.key));
    if format == Format::Protobuf {
        return codec::protobuf_with_resource_version(&object.bytes, &gvk, &revision).map_err(unreadable);
    }
    let mut out = Vec::with_capacity(object.bytes.len() * JSON_GROWTH);
    let message = Envelope::open(&object.bytes).map_err(unreadable)?.raw;
    let shown = Shown { gvk: Some(&gvk), resource_version: &revision };
    codec::transcode_json(&descriptor.schema, descriptor.type_id, message, &shown, &mut out).map_err(unreadable)?;
    Ok(out)
}

/// Appends the JSON of stored protobuf as an item of a list.
fn write_item(descriptor: &Descriptor, object: &Object, out: &mut Vec<u8>) -> Result<()> {
    let unreadable = |why: String| Status::internal(format!("{}: {why}", object.key));
    let message = Envelope::open(&object.bytes).map_err(unreadable)?.raw;
    let revision = object.revision.to_string();
    let shown = Shown { gvk: None, resource_version: &revision };
    codec::transcode_json(&descriptor.schema, descriptor.type_id, message, &shown, out).map_err(unreadable)
}

/// A list. Items of built-in kinds say no kind of their own.
pub fn list(form: &Form, descriptor: &Descriptor, page: &Page) -> Result<Vec<u8>> {
    let metadata = list_meta(page);
    if let Some(version) = form.table_version() {
        let tabler = Tabler::new(descriptor, version, form.include);
        let now = Timestamp::now();
        let row = |object: &std::sync::Arc<Object>| {
            let value = form::stored_value(descriptor, object)?;
            Ok(tabler.row(&value, || form::to_served(descriptor, value.clone()), now))
        };
        let rows = page.objects.iter().map(row).collect::<Result<Vec<Value>>>()?;
        let table = tabler.table(&metadata, rows, !form.no_headers);
        return Ok(form.encode_tree(&Gvk::new("meta.k8s.io", version, "Table"), &table));
    }
    if let Some(version) = form.partial_version() {
        let item = |object: &std::sync::Arc<Object>| Ok(partial(&form::stored_value(descriptor, object)?, version));
        let items = page.objects.iter().map(item).collect::<Result<Vec<Value>>>()?;
        let gvk = Gvk { kind: "PartialObjectMetadataList".into(), ..partial_gvk(version) };
        let list = value!({
            "kind": (&gvk.kind), "apiVersion": (gvk.api_version()), "metadata": (metadata.to_value()), "items": items
        });
        return Ok(form.encode_tree(&gvk, &list));
    }
    match form.accepted.format {
        Format::Json => list_json(descriptor, page, &metadata).map(|out| form.finish(out)),
        Format::Protobuf => list_protobuf(descriptor, page, &metadata),
        Format::Yaml => {
            let text = list_json(descriptor, page, &metadata)?;
            let parsed = json::parse(&text).map_err(|why| Status::internal(why.0))?;
            let mut out = Vec::new();
            codec::encode_yaml(&parsed.value, &mut out);
            Ok(out)
        }
    }
}

fn list_json(descriptor: &Descriptor, page: &Page, metadata: &ListMeta) -> Result<Vec<u8>> {
    let gvk = list_gvk(descriptor);
    let custom = descriptor.stored_as_json;
    let mut list = if custom { JsonList::custom(&gvk, metadata) } else { JsonList::typed(&gvk, metadata) };
    let bytes: usize = page.objects.iter().map(|object| object.bytes.len() * JSON_GROWTH).sum();
    list.item_room(bytes);
    // A list that does not fit would only push out what watches share. JSON of realistic pods is 1.4 times its protobuf.
    let keeps = bytes * 3 / 4 <= store::ENCODED_BYTES_MAX;
    for object in &page.objects {
        if is_direct(descriptor) {
            match object.encoded_before(FORM_JSON_ITEM) {
                Some(item) => list.item().extend_from_slice(&item),
                None if keeps => {
                    let mut item = Vec::with_capacity(object.bytes.len() * JSON_GROWTH);
                    write_item(descriptor, object, &mut item)?;
                    item.shrink_to_fit();
                    list.item().extend_from_slice(&object.encoded(FORM_JSON_ITEM, |_| item.into()));
                }
                None => write_item(descriptor, object, list.item())?,
            }
            continue;
        }
        let mut item = served_value(descriptor, object)?;
        if !custom {
            item.remove("apiVersion");
            item.remove("kind");
        }
        form::encode_served_json(descriptor, &item, list.item());
    }
    Ok(list.finish())
}

fn list_protobuf(descriptor: &Descriptor, page: &Page, metadata: &ListMeta) -> Result<Vec<u8>> {
    let mut messages: Vec<(Bytes, String)> = Vec::with_capacity(page.objects.len());
    for object in &page.objects {
        let message = if is_direct(descriptor) {
            let raw = Envelope::open(&object.bytes).map_err(Status::internal)?.raw;
            object.bytes.slice_ref(raw)
        } else {
            let served = served_value(descriptor, object)?;
            codec::encode_message(&descriptor.schema, descriptor.type_id, &served).into()
        };
        messages.push((message, object.revision.to_string()));
    }
    let items = messages.iter().map(|(message, revision)| (&message[..], revision.as_str()));
    codec::list_protobuf(&list_gvk(descriptor), metadata, items).map_err(Status::internal)
}

/// Makes the frames of one watch.
pub struct Frames {
    form: Form,
    descriptor: std::sync::Arc<Descriptor>,
    /// A table's columns are sent with its first event only.
    headers: bool,
}

impl Frames {
    pub fn new(form: Form, descriptor: std::sync::Arc<Descriptor>) -> Frames {
        let headers = !form.no_headers;
        Frames { form, descriptor, headers }
    }

    /// The frame of an event; `None` for an object that cannot be read.
    pub fn frame(&mut self, change: &Change) -> Option<Bytes> {
        match change {
            Change::Added(object) => self.object(0, "ADDED", object, object.revision),
            Change::Modified(object) => self.object(1, "MODIFIED", object, object.revision),
            Change::Deleted(object, revision) => self.object(2, "DELETED", object, *revision),
            Change::Bookmark { revision, ends_initial_events } => {
                let bookmark = self.bookmark(*revision, *ends_initial_events);
                Some(self.framed("BOOKMARK", &bookmark))
            }
            Change::Error(status) => {
                let form = Form { pretty: false, ..self.form.clone() };
                let status = form.encode_tree(&Gvk::new("", "v1", "Status"), &status.to_value());
                Some(self.framed("ERROR", &status))
            }
        }
    }

    fn framed(&self, kind: &str, object: &[u8]) -> Bytes {
        match self.form.accepted.format {
            Format::Protobuf => codec::watch_frame_protobuf(kind, object).into(),
            _ => codec::watch_frame_json(kind, object).into(),
        }
    }

    /// An object as the watch shows it. Plain frames are made once and shared by all watches.
    fn object(&mut self, number: usize, kind: &str, object: &Object, revision: u64) -> Option<Bytes> {
        let descriptor = self.descriptor.clone();
        let format = self.form.accepted.format;
        if self.form.accepted.transform.is_none() && is_direct(&descriptor) {
            let forms = FORM_FRAMES[usize::from(format == Format::Protobuf)];
            let encode = || {
                let bytes = direct_bytes(format, &descriptor, object, revision);
                bytes.map(|bytes| self.framed(kind, &bytes)).unwrap_or_default()
            };
            let frame = match revision == object.revision {
                true => object.encoded(forms[number], |_| encode()),
                false => encode(),
            };
            return (!frame.is_empty()).then_some(frame);
        }
        let mut value = form::stored_value(&descriptor, object).ok()?;
        value.entry("metadata").set("resourceVersion", revision.to_string());
        let bytes = self.value(value);
        Some(self.framed(kind, &bytes))
    }

    fn value(&mut self, value: Value) -> Vec<u8> {
        let form = Form { pretty: false, no_headers: !std::mem::take(&mut self.headers), ..self.form.clone() };
        object(&form, &self.descriptor, value)
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
