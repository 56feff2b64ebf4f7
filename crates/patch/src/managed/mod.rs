//! `metadata.managedFields`: who set which field, recorded on every write, and server-side apply, which lives off it
//! (upstream: apimachinery/pkg/util/managedfields). An update can always be recorded; only an apply can fail.

mod apply;
mod cap;
mod conflict;
mod entries;
mod last_applied;
mod owned;
mod reset;
mod scale;
mod update;

pub use apply::{apply, check_configuration, check_readable, unreadable};
pub use entries::{clears, validate_entries};
pub use reset::ResetFields;
pub use scale::{entries_of_parent, entries_of_scale};
pub use update::{keep_times_of_no_change, record_update};

use crate::typed::Typed;
use meta::{Gvk, Str, Value};
use schema::{Schema, TypeId};

/// What is written, and as what. Objects that go in and out are of this kind and version, canonical.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub schema: &'a Schema,
    pub type_id: TypeId,
    /// The kind and version of the request.
    pub gvk: &'a Gvk,
    /// "" for the main resource.
    pub subresource: &'a str,
    /// What the resource (or subresource) never tracks.
    pub reset: &'a ResetFields,
    /// Now, as `time` of an entry: `2026-01-02T15:04:05Z`.
    pub now: &'a str,
    pub versions: &'a dyn Versions,
}

/// The other versions of a kind, for entries that were written in one.
pub trait Versions {
    /// An object of the request's version in another one; `None` when the kind has no such version: its entries are dropped.
    fn convert(&self, object: &Value, api_version: &str) -> Option<Converted<'_>>;

    /// An object of `api_version` back in the request's version.
    fn convert_back(&self, object: Value, api_version: &str) -> Option<Value>;
}

/// An object in another version with its type.
pub struct Converted<'a> {
    pub object: Value,
    pub schema: &'a Schema,
    pub type_id: TypeId,
}

/// For kinds with one version.
pub struct OneVersion;

impl Versions for OneVersion {
    fn convert(&self, _object: &Value, _api_version: &str) -> Option<Converted<'_>> {
        None
    }

    fn convert_back(&self, _object: Value, _api_version: &str) -> Option<Value> {
        None
    }
}

impl<'a> Target<'a> {
    fn typed(&self) -> Typed<'a> {
        Typed::new(self.schema, self.type_id)
    }

    fn api_version(&self) -> Str {
        self.gvk.api_version()
    }
}
