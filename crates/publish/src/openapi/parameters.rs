//! Parameters of operations: mostly the fields of options types.

use crate::descriptions::Descriptions;
use schema::{Schema, Shape};
use std::rc::Rc;

/// A parameter in a path or query.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    /// "path" or "query".
    pub place: &'static str,
    /// "string", "integer" or "boolean".
    pub kind: &'static str,
    /// Shared: some are long, and every list takes them.
    pub description: Rc<str>,
}

impl Parameter {
    /// A required part of the path.
    pub fn path(name: &str, description: &str) -> Parameter {
        Parameter { name: name.into(), place: "path", kind: "string", description: description.into() }
    }

    pub fn same_place(&self, other: &Parameter) -> bool {
        self.name == other.name && self.place == other.place
    }

    pub fn required(&self) -> bool {
        self.place == "path"
    }
}

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// Of the namespace in a path.
pub fn namespace() -> Parameter {
    Parameter::path("namespace", "object name and auth scope, such as for teams and projects")
}

/// Taken by every operation on objects.
pub fn pretty() -> Parameter {
    let description = "If 'true', then the output is pretty printed. \
        Defaults to 'false' unless the user-agent indicates a browser or command-line HTTP tool (curl and wget).";
    Parameter { name: "pretty".into(), place: "query", kind: "string", description: description.into() }
}

/// The query parameters that are the simple fields of one of meta/v1's options types, e.g. "ListOptions".
pub fn options(schema: &Schema, descriptions: &Descriptions, name: &str) -> Vec<Parameter> {
    fields(schema, descriptions, &format!("{META}{name}"))
}

/// The query parameters that are the simple fields of a type.
pub fn fields(schema: &Schema, descriptions: &Descriptions, type_name: &str) -> Vec<Parameter> {
    let Some(id) = schema.named(type_name) else { return Vec::new() };
    let declared = schema.ty(id).fields.iter().filter(|f| f.name != "kind" && f.name != "apiVersion");
    declared
        .filter_map(|f| {
            let described = descriptions.field(type_name, &f.name);
            let description = described.or_else(|| newer(&f.name)).unwrap_or_default().into();
            Some(Parameter { name: f.name.to_string(), place: "query", kind: kind(&f.shape)?, description })
        })
        .collect()
}

/// Descriptions of fields that are newer than the comments this build has.
fn newer(field: &str) -> Option<&'static str> {
    let text = "shardSelector keeps only objects of a shard: ranges of hashes of a metadata field, in the form \
        shardRange(object.metadata.uid, '0x0', '0x8000000000000000'), joined by ||.";
    (field == "shardSelector").then_some(text)
}

/// A query value's type; a list may be given as a repeated value, anything structured is no query parameter.
fn kind(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::String => Some("string"),
        Shape::Bool => Some("boolean"),
        Shape::Int32 | Shape::Int64 => Some("integer"),
        Shape::List(item) => kind(item),
        _ => None,
    }
}

/// Sorts by name and drops what is named in `without`.
pub fn sorted(mut parameters: Vec<Parameter>, without: &[&str]) -> Vec<Parameter> {
    parameters.retain(|p| !without.contains(&p.name.as_str()));
    parameters.sort_by(|a, b| (&a.name, a.place).cmp(&(&b.name, b.place)));
    parameters.dedup_by(|later, earlier| later.same_place(earlier));
    parameters
}
