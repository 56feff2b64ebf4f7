//! events.k8s.io: the newer form of [`crate::core::event`], converted at the edge.

use crate::columns;
use crate::core::event;
use meta::{Gvk, Value};
use resource::{Convert, Descriptor, SelectValue};
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![descriptor(schema)]
}

fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let mut descriptor = Descriptor::builtin(schema, "events.k8s.io", "v1", "Event", "events")
        .short_names(&["ev"])
        .storage_version_hash("r2yiGXH7wu8=")
        .strategy(event::strategy())
        .stored_as(Gvk::new("", "v1", "Event"), Newer)
        .select_field("reason")
        .select_value("reportingController", SelectValue::Path("reportingComponent".into()))
        .select_field("type")
        .hooks(event::Event { newer: true });
    for field in event::REFERENCE_FIELDS {
        let value = SelectValue::Path(format!("involvedObject.{field}").into());
        descriptor = descriptor.select_value(&format!("regarding.{field}"), value);
    }
    columns::with_those_of(descriptor, "", event::event_cells)
}

/// Fields under both names: (stored core/v1, served events.k8s.io/v1).
const RENAMED: [(&str, &str); 7] = [
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("involvedObject", "regarding"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
];

/// Structs that core/v1 always writes and events.k8s.io/v1 only when set; likewise strings and times.
const STORED_STRUCTS: [&str; 2] = ["involvedObject", "source"];
const STORED_STRINGS: [&str; 2] = ["reportingComponent", "reportingInstance"];
const STORED_TIMES: [&str; 3] = ["eventTime", "firstTimestamp", "lastTimestamp"];

struct Newer;

impl Convert for Newer {
    fn to_storage(&self, mut object: Value) -> Value {
        for (stored, served) in RENAMED {
            if let Some(value) = object.remove(served) {
                object.set(stored, value);
            }
        }
        for key in STORED_STRUCTS {
            object.set_default(key, Value::object());
        }
        for key in STORED_STRINGS {
            object.set_default(key, "");
        }
        for key in STORED_TIMES {
            object.entry(key);
        }
        object.set("apiVersion", "v1");
        object
    }

    fn from_storage(&self, mut object: Value) -> Value {
        for (stored, served) in RENAMED {
            match object.remove(stored) {
                // both forms write an unset time as null, but the newer leaves out an unset string
                Some(Value::Null) => object.set(served, Value::Null),
                Some(value) if value.as_str() == Some("") => {}
                Some(value) => object.set(served, value),
                None => {}
            }
        }
        if object["reportingInstance"].is_empty() {
            object.remove("reportingInstance");
        }
        object.set("apiVersion", "events.k8s.io/v1");
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn conversion_there_and_back_keeps_everything() {
        let stored = value!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}, "message": "m", "count": 3,
            "involvedObject": {"kind": "Pod"}, "source": {"component": "c"}, "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": null, "eventTime": null, "reportingComponent": "x", "reportingInstance": ""
        });
        let served = Newer.from_storage(stored.clone());
        assert_eq!(served["note"].str(), "m");
        assert_eq!(served["regarding"]["kind"].str(), "Pod");
        assert!(served.get("message").is_none());
        assert_eq!(Newer.to_storage(served), stored);
    }
}
