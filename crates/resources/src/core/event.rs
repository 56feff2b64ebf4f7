//! Event: what happened to an object. Stored once, served as core/v1 and as events.k8s.io/v1.

use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Str, Value};
use resource::{Context, DefaultGc, Descriptor, Hooks, NameRule, SelectValue, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let mut descriptor = Descriptor::builtin(schema, "", "v1", "Event", "events")
        .short_names(&["ev"])
        .storage_version_hash("r2yiGXH7wu8=")
        .strategy(strategy())
        .select_field("reason")
        .select_field("reportingComponent")
        .select_value("source", SelectValue::Function(source))
        .select_field("type")
        .hooks(Event { newer: false });
    for field in REFERENCE_FIELDS {
        descriptor = descriptor.select_field(&format!("involvedObject.{field}"));
    }
    columns::with(descriptor, event_cells)
}

/// The parts of an object reference that field selectors may name.
pub const REFERENCE_FIELDS: [&str; 7] =
    ["apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid"];

pub fn strategy() -> Strategy {
    Strategy {
        create_on_update: true,
        default_gc: DefaultGc::Unsupported,
        name: NameRule::Hooks,
        expires: true,
        ..Strategy::default()
    }
}

/// The component of the older field, else of the newer.
fn source(object: &Value) -> Str {
    match object["source"]["component"].str() {
        "" => object["reportingComponent"].str().into(),
        component => component.into(),
    }
}

pub fn event_cells(object: &Value, now: i64) -> Vec<Value> {
    let first_set = |a: &Value, b: &Value| if a.is_empty() { cells::since(b, now) } else { cells::since(a, now) };
    let first_seen = first_set(&object["firstTimestamp"], &object["eventTime"]);
    let series = &object["series"];
    let (last_seen, count) = match (series.is_null(), object["lastTimestamp"].is_empty()) {
        (false, _) => (cells::since(&series["lastObservedTime"], now), series["count"].int()),
        (true, true) => (first_seen.clone(), object["count"].int().max(1)),
        (true, false) => (cells::since(&object["lastTimestamp"], now), object["count"].int().max(1)),
    };
    let involved = &object["involvedObject"];
    let kind = involved["kind"].str().to_lowercase();
    let target = match involved["name"].str() {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let either = |a: &Value, b: &Value| if a.is_empty() { b.str().to_string() } else { a.str().to_string() };
    let component = either(&object["source"]["component"], &object["reportingComponent"]);
    let source = match either(&object["source"]["host"], &object["reportingInstance"]).as_str() {
        "" => component,
        instance => format!("{component}, {instance}"),
    };
    vec![
        last_seen.into(),
        object["type"].str().into(),
        object["reason"].str().into(),
        target.into(),
        involved["fieldPath"].str().into(),
        source.into(),
        object["message"].str().trim().into(),
        first_seen.into(),
        count.into(),
        cells::name(object),
    ]
}

/// The rules; `newer` when the request came through events.k8s.io.
pub struct Event {
    pub newer: bool,
}

impl Hooks for Event {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let time = Path::new("eventTime");
        if self.newer && object["eventTime"].is_null() {
            errs.required(&time, "");
        }
    }
}
