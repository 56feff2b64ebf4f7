//! Event: what happened to an object. Stored once, served as core/v1 and as events.k8s.io/v1.

use crate::rules::{immutable, shown};
use crate::{cells, columns};
use meta::field::{ErrorList, Path, Shown};
use meta::{Str, Value, name};
use resource::{Context, DefaultGc, Descriptor, Hooks, MetadataRules, NameRule, SelectValue, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let mut descriptor = Descriptor::builtin(schema, "", "v1", "Event", "events")
        .short_names(&["ev"])
        .storage_version_hash("r2yiGXH7wu8=")
        .strategy(Strategy { metadata: MetadataRules::NONE, ..strategy() })
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

const NAME_LENGTH_MAX: usize = 128;
const MESSAGE_LENGTH_MAX: usize = 1024;

/// What an update through events.k8s.io may not change, in upstream's order; `reason` is checked twice there.
const IMMUTABLE: [&str; 14] = [
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "reason",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
];

impl Hooks for Event {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        self.validate_legacy(object, errs);
        if self.newer {
            resource::rules::validate_metadata(object, true, NameRule::Subdomain, errs);
            validate_series(object, errs);
            validate_newer(object, errs);
        }
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.validate_legacy(object, errs);
        if !self.newer {
            return;
        }
        if object["series"] != old["series"] {
            validate_series(object, errs);
        }
        for field in IMMUTABLE {
            let path = match field {
                "reportingComponent" => Path::new("reportingController"),
                other => Path::new(other),
            };
            if immutable::same(&object[field], &old[field]) {
                continue;
            }
            let shown = match field {
                "involvedObject" | "related" if !object[field].is_null() => {
                    shown::internal("io.k8s.api.core.v1.ObjectReference", &object[field])
                }
                "source" => shown::internal("io.k8s.api.core.v1.EventSource", &object[field]),
                "count" => Shown(object[field].int().to_string()),
                "eventTime" | "firstTimestamp" | "lastTimestamp" | "related" => Shown::from(&object[field]),
                _ => Shown::from(object[field].str()),
            };
            errs.invalid(&path, shown, immutable::MESSAGE);
        }
    }
}

impl Event {
    /// What holds for events of both groups.
    fn validate_legacy(&self, object: &Value, errs: &mut ErrorList) {
        let namespace = object["metadata"]["namespace"].str();
        let involved = object["involvedObject"]["namespace"].str();
        let path = Path::new("involvedObject").child("namespace");
        if object["eventTime"].is_null() {
            let agrees = match involved {
                "" => namespace.is_empty() || namespace == "default",
                _ => namespace == involved,
            };
            if !agrees {
                errs.invalid(&path, involved, "does not match event.namespace");
            }
        } else {
            if involved.is_empty() && namespace != "default" && namespace != "kube-system" {
                errs.invalid(&path, involved, "does not match event.namespace");
            }
            self.validate_reporter(object, errs);
        }
        errs.invalid_each(&Path::new("namespace"), namespace, name::dns1123_subdomain(namespace));
    }

    fn validate_reporter(&self, object: &Value, errs: &mut ErrorList) {
        let path = Path::new(if self.newer { "reportingController" } else { "reportingComponent" });
        let reporter = object["reportingComponent"].str();
        if reporter.is_empty() {
            errs.required(&path, "");
        }
        errs.invalid_each(&path, reporter, name::qualified_name(reporter));
        for (field, required, max) in [
            ("reportingInstance", true, NAME_LENGTH_MAX),
            ("action", true, NAME_LENGTH_MAX),
            ("reason", true, NAME_LENGTH_MAX),
            ("message", false, MESSAGE_LENGTH_MAX),
        ] {
            let text = object[field].str();
            if required && text.is_empty() {
                errs.required(&Path::new(field), "");
            }
            if text.len() > max {
                errs.invalid(&Path::new(field), "", &format!("can have at most {max} characters"));
            }
        }
    }
}

fn validate_series(object: &Value, errs: &mut ErrorList) {
    let series = &object["series"];
    if series.is_null() {
        return;
    }
    let path = Path::new("series");
    if series["count"].int() < 2 {
        errs.invalid(&path.child("count"), "", "should be at least 2");
    }
    if series["lastObservedTime"].is_null() {
        errs.required(&path.child("lastObservedTime"), "");
    }
}

/// What creation through events.k8s.io demands besides.
fn validate_newer(object: &Value, errs: &mut ErrorList) {
    if object["eventTime"].is_null() {
        errs.required(&Path::new("eventTime"), "");
    }
    let kind = object["type"].str();
    if kind != "Normal" && kind != "Warning" {
        errs.invalid(&Path::new("type"), "", &format!("has invalid value: {kind}"));
    }
    let source = &object["source"];
    for (field, set) in [
        ("firstTimestamp", !object["firstTimestamp"].is_null()),
        ("lastTimestamp", !object["lastTimestamp"].is_null()),
        ("count", object["count"].int() != 0),
        ("source", !source["component"].is_empty() || !source["host"].is_empty()),
    ] {
        if set {
            errs.invalid(&Path::new(field), "", "needs to be unset");
        }
    }
}
