//! An operation on a path, before it is written down in either version of OpenAPI.

use super::parameters::Parameter;
use meta::Gvk;

/// A URL path with its operations.
#[derive(Debug)]
pub struct Path {
    pub path: String,
    pub operations: Vec<Operation>,
    /// What all operations take; not repeated in them. In order of name.
    pub parameters: Vec<Parameter>,
}

/// One method of a path.
#[derive(Debug)]
pub struct Operation {
    /// In lower case: "get".
    pub method: &'static str,
    pub tag: String,
    pub id: String,
    pub description: String,
    /// Media types of the request body.
    pub consumes: &'static [&'static str],
    pub produces: Vec<&'static str>,
    /// Without the body, in order of name.
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    /// What success gives.
    pub response: Content,
    /// Codes of success; 401 comes with every operation.
    pub codes: &'static [u16],
    /// `x-kubernetes-action` and `x-kubernetes-group-version-kind`.
    pub action: Option<(&'static str, Gvk)>,
}

/// A request body.
#[derive(Debug)]
pub struct Body {
    /// The name of a definition.
    pub definition: String,
    pub required: bool,
}

/// The content of a response.
#[derive(Clone, Debug)]
pub enum Content {
    /// The name of a definition.
    Definition(String),
    Text,
}

/// Media types of objects.
pub const OBJECT_TYPES: &[&str] = &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
/// Media types of custom objects, which have no protobuf form.
pub const CUSTOM_TYPES: &[&str] = &["application/json", "application/yaml"];
/// What lists may be followed by when they are watched.
pub const WATCH_TYPES: &[&str] = &["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
/// Media types of patches.
pub const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
/// Custom objects have no strategic merge patch.
pub const CUSTOM_PATCH_TYPES: &[&str] =
    &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
pub const ANY_TYPE: &[&str] = &["*/*"];

impl Operation {
    /// A GET of a fixed document.
    pub fn document(
        tag: &str,
        id: &str,
        description: &str,
        types: &'static [&'static str],
        response: Content,
    ) -> Operation {
        Operation {
            method: "get",
            tag: tag.into(),
            id: id.into(),
            description: description.into(),
            consumes: types,
            produces: types.to_vec(),
            parameters: Vec::new(),
            body: None,
            response,
            codes: &[200],
            action: None,
        }
    }
}

impl Path {
    /// A path whose operations share what they have in common: the parameters that each of them takes, by name and place.
    pub fn new(path: String, mut operations: Vec<Operation>) -> Path {
        let mut shared = Vec::new();
        if let Some((first, others)) = operations.split_first() {
            let everywhere = |p: &&Parameter| others.iter().all(|o| o.parameters.iter().any(|q| q.same_place(p)));
            shared = first.parameters.iter().filter(everywhere).cloned().collect();
        }
        for operation in &mut operations {
            operation.parameters.retain(|p| !shared.iter().any(|q| q.same_place(p)));
        }
        Path { path, operations, parameters: shared }
    }
}

impl Path {
    /// The names of definitions that the operations use.
    pub fn references(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for operation in &self.operations {
            names.extend(operation.body.as_ref().map(|b| b.definition.as_str()));
            if let Content::Definition(name) = &operation.response {
                names.push(name);
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The reason phrase upstream writes for a code.
pub fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        _ => "Unauthorized",
    }
}
