//! What can be wrong with a strategic merge patch, and how upstream answers.

use crate::go;
use meta::{Reason, Status, Value};

#[derive(Debug)]
pub(super) enum Fault {
    BadRetainKeys,
    BadSetOrder,
    BadPrimitiveList,
    ListOfLists,
    /// What upstream does not classify.
    Other(String),
    /// Upstream's server panics.
    Panic,
}

impl Fault {
    pub fn directive(directive: &Value, map: &Value) -> Fault {
        let directive = match directive {
            Value::String(s) => s.to_string(),
            other => format!("%!s({}={})", go::type_name(other), go::print(other)),
        };
        Fault::Other(format!("unknown patch type: {directive} in map: {}", go::print(map)))
    }

    pub fn no_merge_key(map: &Value, key: &str) -> Fault {
        Fault::Other(format!("map: {} does not contain declared merge key: {key}", go::print(map)))
    }

    pub fn wrong_type(expected: &str, found: &Value) -> Fault {
        let found = match found {
            Value::Null => "%!s(<nil>)",
            other => go::type_name(other),
        };
        Fault::Other(format!("expected a {expected}, but received a {found}"))
    }

    pub fn into_status(self) -> Status {
        match self {
            Fault::BadRetainKeys => Status::bad_request("invalid patch format of retainKeys"),
            Fault::BadSetOrder => Status::bad_request("invalid patch format of setElementOrder list"),
            Fault::BadPrimitiveList => Status::bad_request("invalid patch format of primitive list"),
            Fault::ListOfLists => crate::json::rejected(),
            Fault::Other(text) => Status::failure(500, Reason::Unknown, text),
            Fault::Panic => Status::internal("This request caused apiserver to panic. Look in the logs for details."),
        }
    }
}
