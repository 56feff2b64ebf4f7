//! OpenAPI documents. What is said is one [`operation::Path`] per URL path and one schema per type; [`v2`] and [`v3`] are two
//! ways to write that down, [`gnostic`] turns either into its protobuf form.

mod custom;
mod definitions;
mod gnostic;
mod names;
mod operation;
mod parameters;
mod paths;
pub(crate) mod v2;
pub(crate) mod v3;

pub(crate) use paths::keys;

use crate::descriptions::Descriptions;
use crate::groups::Group;
use parameters::Parameter;
use resource::Descriptor;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// What the documents are made from.
pub(crate) struct Source<'a> {
    pub descriptors: &'a [Arc<Descriptor>],
    pub groups: &'a [Group],
    pub descriptions: Descriptions,
    /// Made once: nearly every operation takes them.
    options: RefCell<HashMap<&'static str, Vec<Parameter>>>,
}

impl<'a> Source<'a> {
    pub fn new(descriptors: &'a [Arc<Descriptor>], groups: &'a [Group]) -> Source<'a> {
        Source { descriptors, groups, descriptions: Descriptions::load(), options: RefCell::default() }
    }

    /// The query parameters that are the simple fields of one of meta/v1's options types, e.g. "ListOptions"; none for "".
    fn options(&self, name: &'static str) -> Vec<Parameter> {
        let mut known = self.options.borrow_mut();
        known.entry(name).or_insert_with(|| parameters::options(&schema::builtin(), &self.descriptions, name)).clone()
    }
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    /// Gnostic's messages.
    Protobuf,
}

impl Form {
    /// Appends one part of a document to its section: a JSON member, or a map entry in field `number`. Parts are written
    /// as they come, so that no tree of the whole is ever built.
    fn add(self, number: u32, key: &str, value: &meta::Value, encode: gnostic::Encode, out: &mut Vec<u8>) {
        match self {
            Form::Protobuf => gnostic::named(number, key, value, encode, out),
            Form::Json => {
                if !out.is_empty() {
                    out.push(b',');
                }
                meta::json::write_string(key, out);
                out.push(b':');
                meta::json::write(value, out);
            }
        }
    }
}

/// Upstream's `info`: the version without patch.
fn info() -> meta::Value {
    meta::value!({"title": "Kubernetes", "version": "1.36"})
}

/// How a client shows who it is.
fn bearer_token() -> meta::Value {
    meta::value!({"description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey"})
}
