//! JSON text that is mostly only passed on: `fieldsV1` is a third of an object, and few requests look into it.

use crate::{Value, json};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A value as its compact JSON text. Clones share it; what it stands for is found out when somebody asks.
#[derive(Clone)]
pub struct Raw(Arc<Held>);

struct Held {
    text: Box<str>,
    tree: OnceLock<Value>,
}

impl Raw {
    /// Of text whose grammar the caller has checked, since it is passed on as it is. Text that is no JSON, and does not
    /// begin as an object, stands for null.
    pub fn new(text: impl Into<Box<str>>) -> Raw {
        Raw(Arc::new(Held { text: text.into(), tree: OnceLock::new() }))
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether it is the text of an object, as all but odd ones are.
    pub fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// Whether a value's JSON is the very text, the order of its keys included.
    pub fn is_written_as(&self, value: &Value) -> bool {
        match value {
            Value::Raw(other) => self.text() == other.text(),
            other => self.text() == json::to_string(other),
        }
    }

    /// What it stands for; never raw itself.
    pub fn tree(&self) -> &Value {
        self.0.tree.get_or_init(|| json::parse(self.text().as_bytes()).map(|parsed| parsed.value).unwrap_or_default())
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Raw {
    /// Texts may differ in the order of their keys when another program wrote one of them.
    fn eq(&self, other: &Raw) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text() || self.tree() == other.tree()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => a == b,
            (Value::Object(a), Value::Object(b)) => a == b,
            (Value::Raw(a), Value::Raw(b)) => a == b,
            (Value::Raw(raw), other) | (other, Value::Raw(raw)) => raw.tree() == other,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn a_raw_text_is_what_it_stands_for() {
        let tree = value!({"f:a": {".": {}, "f:b": {}}});
        let mut raw = Value::Raw(Raw::new(json::to_string(&tree)));
        assert_eq!(raw, tree);
        assert_eq!(tree, raw);
        assert_eq!(raw, Value::Raw(Raw::new(" { \"f:a\" : {\"f:b\":{}, \".\":{}}}")));
        assert_eq!(json::to_string(&raw), json::to_string(&tree));
        assert!(raw["f:a"]["f:b"].as_object().is_some() && !raw.is_empty() && !raw.is_null());
        assert_eq!(raw.entries().len(), 1);
        raw.entry("f:a").remove("f:b");
        assert_eq!(raw, value!({"f:a": {".": {}}}));
        assert_ne!(raw, tree);
        let mut holder = value!({"list": [(Value::Raw(Raw::new("{\"a\":1}")))]});
        holder.unfold();
        assert!(matches!(holder["list"][0], Value::Object(_)));
        assert!(Value::Raw(Raw::new("x")).is_null(), "no JSON");
    }
}
