//! Reading: one object, or a list as of one revision.

use crate::form;
use crate::options::ListOptions;
use crate::page::Continue;
use crate::query::{Query, parse_revision};
use crate::registry::Endpoint;
use crate::route::Route;
use crate::server::Server;
use meta::selector::{FieldSelector, LabelSelector, Operator};
use meta::{Reason, Result, Status, Str, Value};
use resource::Descriptor;
use std::sync::Arc;
use store::{Object, OutOfRange, Snapshot, Term};

const EXPIRED_PAGE: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
const EXPIRED_REVISION: &str = "The resourceVersion for the provided list is too old.";

/// Labels with more values than this are looked for in all objects when any value will do.
const LABEL_VALUES_MAX: usize = 64;

/// One object; 404 when it is not there.
pub async fn get(server: &Server, route: &Route, query: &Query) -> Result<Arc<Object>> {
    let text = query.text("resourceVersion");
    let revision =
        parse_revision(text).map_err(|why| Status::failure(500, Reason::Unknown, revision_text(text, &why)))?;
    if text.is_empty() {
        newest(server).await?;
    }
    wait_for(server, revision).await?;
    let key = route.endpoint.key(&route.info.namespace, &route.info.name);
    let d = route.descriptor();
    server.store.get(&key).ok_or_else(|| Status::not_found(&d.group, &d.plural, &route.info.name))
}

pub fn revision_text(text: &str, why: &str) -> String {
    format!("resourceVersion: Invalid value: {}: {why}", meta::field::quote(text))
}

/// Waits until everything acknowledged before is there, by whatever server.
pub async fn newest(server: &Server) -> Result<()> {
    server.store.read_barrier().await.map(drop).map_err(|why| crate::write::store_failure(&why, ""))
}

/// Waits a little for a revision of the future; 504 when it does not come.
pub async fn wait_for(server: &Server, revision: u64) -> Result<()> {
    if revision <= server.store.revision() {
        return Ok(());
    }
    match tokio::time::timeout(server.settings.revision_wait, server.store.wait_for(revision)).await {
        Ok(waited) => waited.map_err(|why| crate::write::store_failure(&why, "")),
        Err(_) => Err(too_large(revision, server.store.revision())),
    }
}

fn too_large(revision: u64, current: u64) -> Status {
    Status::timeout(format!("Timeout: Too large resource version: {revision}, current: {current}"))
        .with_cause("ResourceVersionTooLarge", "Too large resource version", "")
        .with_retry_after(1)
}

/// What selectors select, prepared for one resource.
pub struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    /// The place of each field term in the store's index.
    places: Vec<FieldPlace>,
}

enum FieldPlace {
    Name,
    Namespace,
    Index(usize),
}

impl Selection {
    /// 400 for a field that cannot be selected by.
    pub fn new(endpoint: &Endpoint, labels: LabelSelector, fields: FieldSelector) -> Result<Selection> {
        let place = |term: &meta::selector::FieldTerm| match term.field.as_str() {
            "metadata.name" => Ok(FieldPlace::Name),
            "metadata.namespace" => Ok(FieldPlace::Namespace),
            other => match endpoint.field_index(other) {
                Some(index) => Ok(FieldPlace::Index(index)),
                None => Err(unknown_field(&endpoint.descriptor, other)),
            },
        };
        let places = fields.terms.iter().map(place).collect::<Result<Vec<_>>>()?;
        Ok(Selection { labels, fields, places })
    }

    pub fn selects(&self, object: &Object) -> bool {
        let meta = &object.meta;
        let field = |place: &FieldPlace| match place {
            FieldPlace::Name => meta.name.as_str(),
            FieldPlace::Namespace => meta.namespace.as_str(),
            FieldPlace::Index(index) => meta.fields.get(*index).map_or("", Str::as_str),
        };
        let fields_match = self.fields.terms.iter().zip(&self.places).all(|(t, p)| (field(p) == t.value) == t.equal);
        fields_match && self.labels.matches(|key| meta.label(key).map(Str::as_str))
    }

    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.terms.is_empty()
    }

    /// The one name that is selected, when a term says so.
    pub fn exact_name(&self) -> Option<&Str> {
        self.fields.exact("metadata.name")
    }

    pub fn exact_namespace(&self) -> Option<&Str> {
        self.fields.exact("metadata.namespace")
    }

    /// The index of a field that must have a value.
    pub fn exact_field(&self) -> Option<(usize, &Str)> {
        self.fields.terms.iter().zip(&self.places).find_map(|(term, place)| match place {
            FieldPlace::Index(index) if term.equal => Some((*index, &term.value)),
            _ => None,
        })
    }

    /// What the store's indexes can answer; the rest is for [`Selection::selects`].
    fn conditions(&self, snapshot: &Snapshot) -> Vec<Vec<Term>> {
        let field = self.exact_field().map(|(index, value)| vec![Term::Field { index, value: value.clone() }]);
        let labels = self.labels.requirements.iter().filter_map(|r| {
            let label = |value: &Str| Term::Label { key: r.key.clone(), value: value.clone() };
            match r.operator {
                Operator::Equals | Operator::DoubleEquals | Operator::In => Some(r.values.iter().map(label).collect()),
                Operator::Exists => {
                    let values = snapshot.label_values(&r.key).map(|(value, _)| label(value));
                    let values: Vec<Term> = values.take(LABEL_VALUES_MAX + 1).collect();
                    (values.len() <= LABEL_VALUES_MAX).then_some(values)
                }
                _ => None,
            }
        });
        field.into_iter().chain(labels).collect()
    }
}

/// Resources without selectable fields of their own answer with the generic text.
fn unknown_field(descriptor: &Descriptor, field: &str) -> Status {
    if descriptor.select_fields.is_empty() && !descriptor.stored_as_json {
        let quoted = meta::field::quote(field);
        let text = format!("{quoted} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
        return Status::bad_request(text);
    }
    if descriptor.unknown_field_names_kind {
        let quoted = meta::field::quote(field);
        return Status::bad_request(format!("field label {quoted} not supported for {}", descriptor.kind));
    }
    Status::bad_request(format!("field label not supported: {field}"))
}

/// A page of a list, or all of it.
pub struct Page {
    pub revision: u64,
    pub objects: Vec<Arc<Object>>,
    /// "" at the end.
    pub continue_token: String,
    pub remaining: Option<usize>,
    /// Of all objects of the resource.
    pub resource_bytes: u64,
}

/// The objects that a list returns.
pub async fn list(server: &Server, route: &Route, options: &ListOptions) -> Result<Page> {
    let endpoint = &route.endpoint;
    let selection = Selection::new(endpoint, options.labels.clone(), options.fields.clone())?;
    let mut namespace = route.info.namespace.as_str();
    if let Some(wanted) = selection.exact_namespace()
        && endpoint.descriptor.namespaced
        && namespace.is_empty()
    {
        namespace = wanted;
    }
    let prefix = endpoint.namespace_prefix(namespace);
    let place = place(server, &prefix, options).await?;
    let limit = if options.resource_version == "0" { 0 } else { options.limit };
    if let Some(name) = selection.exact_name()
        && (!namespace.is_empty() || !endpoint.descriptor.namespaced)
    {
        let found = place.snapshot.get(&endpoint.key(namespace, name)).filter(|object| selection.selects(object));
        let objects = found.into_iter().cloned().collect();
        return Ok(Page {
            revision: place.snapshot.revision(),
            objects,
            continue_token: String::new(),
            remaining: None,
            resource_bytes: place.snapshot.resource_bytes(),
        });
    }
    Ok(page(&place, &prefix, &selection, limit))
}

/// Where a list begins, and in which state.
struct Place {
    snapshot: Snapshot,
    start: String,
}

fn page(place: &Place, prefix: &str, selection: &Selection, limit: usize) -> Page {
    let snapshot = &place.snapshot;
    let mut objects: Vec<Arc<Object>> = Vec::new();
    let mut candidates = snapshot.select(&selection.conditions(snapshot), &place.start);
    let is_full = |objects: &Vec<_>| limit > 0 && objects.len() >= limit;
    for object in &mut candidates {
        if selection.selects(object) {
            objects.push(object.clone());
        }
        if is_full(&objects) {
            break;
        }
    }
    let (mut continue_token, mut remaining) = (String::new(), None);
    if let Some(last) = objects.last().filter(|_| is_full(&objects)) {
        // the smallest key after the last one
        let next = format!("{}\0", last.key);
        let left = snapshot.count_from(&next);
        if left > 0 {
            continue_token = Continue { revision: Some(snapshot.revision()), start: next }.encode(prefix);
            remaining = selection.is_everything().then_some(left);
        }
    }
    let resource_bytes = snapshot.resource_bytes();
    Page { revision: snapshot.revision(), objects, continue_token, remaining, resource_bytes }
}

/// The state that a list's options ask for.
async fn place(server: &Server, prefix: &str, options: &ListOptions) -> Result<Place> {
    let text = options.resource_version.as_str();
    let bad = |why: String| Status::bad_request(format!("invalid resource version: {}", revision_text(text, &why)));
    let from_start = |snapshot| Place { snapshot, start: prefix.to_owned() };
    if !options.continue_token.is_empty() {
        return continued(server, prefix, options).await;
    }
    let revision = parse_revision(text).map_err(bad)?;
    let exact = options.resource_version_match == "Exact"
        || (options.resource_version_match.is_empty() && options.limit > 0 && revision > 0);
    if revision == 0 {
        if text.is_empty() {
            newest(server).await?;
        }
        return Ok(from_start(server.store.snapshot(prefix)));
    }
    wait_for(server, revision).await?;
    if !exact {
        return Ok(from_start(server.store.snapshot(prefix)));
    }
    match server.store.snapshot_at(prefix, revision) {
        Ok(snapshot) => Ok(from_start(snapshot)),
        Err(OutOfRange::Compacted { .. }) => Err(Status::expired(EXPIRED_REVISION)),
        Err(OutOfRange::Future { newest }) => Err(too_large(revision, newest)),
    }
}

async fn continued(server: &Server, prefix: &str, options: &ListOptions) -> Result<Place> {
    if !matches!(options.resource_version.as_str(), "" | "0") {
        return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
    }
    let invalid = |why: String| Status::bad_request(format!("invalid continue token: {why}"));
    let place = Continue::decode(&options.continue_token, prefix).map_err(invalid)?;
    let Some(revision) = place.revision else {
        newest(server).await?;
        return Ok(Place { snapshot: server.store.snapshot(prefix), start: place.start });
    };
    if revision > server.store.revision() {
        // The page before came from another server.
        newest(server).await?;
    }
    match server.store.snapshot_at(prefix, revision) {
        Ok(snapshot) => Ok(Place { snapshot, start: place.start }),
        Err(_) => {
            let mut status = Status::expired(EXPIRED_PAGE);
            status.continue_token = Continue { revision: None, start: place.start }.encode(prefix).into();
            Err(status)
        }
    }
}

/// An object's tree in the served version.
pub fn served_value(descriptor: &Descriptor, object: &Object) -> Result<Value> {
    Ok(form::to_served(descriptor, form::stored_value(descriptor, object)?))
}
