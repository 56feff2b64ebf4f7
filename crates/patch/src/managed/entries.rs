//! The entries of managedFields, decoded and encoded.

use super::owned::Owned;
use crate::fields::Set;
use meta::time::Timestamp;
use meta::{Map, Str, Value};

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// One manager's fields.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub manager: Str,
    pub operation: Operation,
    pub api_version: Str,
    pub subresource: Str,
    /// When it last changed something; "" for never.
    pub time: Str,
    pub fields: Owned,
}

impl Entry {
    /// Whether the two are the same manager. One that applies keeps its entry when it changes versions.
    pub fn same_manager(&self, other: &Entry) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn into_value(self) -> Value {
        let mut map = Map::new();
        let mut set = |key: &str, text: Str| {
            if !text.is_empty() {
                map.insert(key, text);
            }
        };
        set("apiVersion", self.api_version);
        set("manager", self.manager);
        set("subresource", self.subresource);
        set("time", self.time);
        map.insert("fieldsType", "FieldsV1");
        map.insert("operation", self.operation.as_str());
        map.insert("fieldsV1", self.fields.into_value());
        Value::Object(map)
    }
}

/// The managers of an object.
pub(super) type Entries = Vec<Entry>;

/// The entries of a client.
///
/// # Errors
/// Upstream's text of what is wrong with the first bad one.
pub(super) fn decode(list: &Value) -> Result<Entries, String> {
    let mut out = Entries::new();
    for (i, item) in list.items().iter().enumerate() {
        let operation = match item["operation"].str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err("operation must be `Apply` or `Update`".to_string()),
        };
        if item["apiVersion"].str().is_empty() {
            return Err("apiVersion must not be empty".to_string());
        }
        match item["fieldsType"].str() {
            "FieldsV1" => {}
            "" => return Err(format!("missing fieldsType in managed fields entry {i}")),
            other => {
                return Err(format!("invalid fieldsType {} in managed fields entry {i}", meta::field::quote(other)));
            }
        }
        let fields = Set::decode(&item["fieldsV1"]).map_err(|e| format!("error decoding set: {e}"))?;
        let entry = entry(item, operation, fields.into());
        match out.iter_mut().find(|other| other.same_manager(&entry)) {
            Some(other) => *other = entry,
            None => out.push(entry),
        }
    }
    Ok(out)
}

/// The entries of a stored object, which were checked when they were written.
pub(super) fn of_stored(object: Option<&Value>) -> Entries {
    let list = object.map_or(&[][..], |o| o["metadata"]["managedFields"].items());
    let entries = list.iter().map(|item| {
        let operation = if item["operation"].str() == "Apply" { Operation::Apply } else { Operation::Update };
        entry(item, operation, Owned::of_stored(&item["fieldsV1"]))
    });
    entries.collect()
}

fn entry(item: &Value, operation: Operation, fields: Owned) -> Entry {
    let text = |key: &str| Str::from(item[key].str());
    Entry {
        manager: text("manager"),
        operation,
        api_version: text("apiVersion"),
        subresource: text("subresource"),
        time: text("time"),
        fields,
    }
}

/// Sets an object's managedFields, in upstream's order; none at all when there is no entry.
pub(super) fn write(object: &mut Value, mut entries: Entries) {
    if entries.is_empty() {
        if let Some(metadata) = object.get_mut("metadata") {
            metadata.remove("managedFields");
        }
        return;
    }
    entries.sort_by(|a, b| {
        let key = |e: &Entry| (e.operation, e.time.clone(), e.manager.clone(), e.api_version.clone());
        key(a).cmp(&key(b)).then_with(|| a.subresource.cmp(&b.subresource))
    });
    let list: Vec<Value> = entries.into_iter().map(Entry::into_value).collect();
    object.entry("metadata").set("managedFields", list);
}

/// Whether an object as sent (before it is made canonical) asks to forget all managers: an empty list, or one empty entry.
pub fn clears(object: &Value) -> bool {
    match &object["metadata"]["managedFields"] {
        Value::Array(items) => match items.as_slice() {
            [] => true,
            [one] => one.as_object().is_some_and(Map::is_empty),
            _ => false,
        },
        _ => false,
    }
}

/// Whether an applied configuration brings managers along. A list that is not even readable counts as none: what is wrong with
/// it is found later.
pub(super) fn brought(applied: &Value) -> bool {
    let text = |v: &Value| matches!(v, Value::Null | Value::String(_));
    let readable = |item: &Value| {
        let texts = ["manager", "operation", "apiVersion", "fieldsType", "subresource"];
        let time = &item["time"];
        item.as_object().is_some()
            && texts.iter().all(|k| text(&item[*k]))
            && (time.is_null() || time.as_str().is_some_and(|t| Timestamp::parse(t).is_ok()))
    };
    match &applied["metadata"]["managedFields"] {
        Value::Array(items) => items.iter().all(readable),
        _ => false,
    }
}

/// Checks an object's managedFields after others could change them (admission).
///
/// # Errors
/// Upstream's text, for its warning.
pub fn validate_entries(object: &Value) -> Result<(), String> {
    decode(&object["metadata"]["managedFields"]).map(drop)
}
