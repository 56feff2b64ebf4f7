//! Creates that make no object: they act on another one.

use crate::rules::DeleteOptions;
use crate::{Context, SideWrite};
use meta::{Gvk, Result, Str, Value};

/// A create that acts on one stored object and answers with a Status (binding, eviction).
pub trait Action: Send + Sync {
    /// Group and plural of what is acted on.
    fn target(&self) -> (&'static str, &'static str);

    /// The kind of the body.
    fn kind(&self) -> Gvk;

    /// Versions of the body's kind that are taken besides, with the same fields.
    fn other_versions(&self) -> &'static [&'static str] {
        &[]
    }

    /// The name of the object that the body is about; `name` is the path's, "" when it has none.
    fn object_name(&self, name: &str, body: &Value) -> Result<Str>;

    /// Decides on one state of the object. Runs again when that has changed before the decision was written.
    fn act(&self, ctx: &Context, object: &Value, body: &Value) -> Result<Acted>;
}

/// What an action does.
#[derive(Clone, Debug, PartialEq)]
pub enum Acted {
    /// The object is written.
    Update(Value),
    /// These are written, then the object is deleted as a client would.
    Delete { first: Vec<SideWrite>, options: DeleteOptions },
    /// Nothing: a dry run that the body asks for.
    Nothing,
}
