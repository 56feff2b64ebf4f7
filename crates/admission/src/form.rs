//! The forms in which the objects of a request may be seen.

use meta::{Gvk, Str};

/// A resource in one of its groups and versions, and the kind of the request's object there.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub group: Str,
    pub version: Str,
    /// The plural.
    pub resource: Str,
    /// The resource's, or the subresource's own.
    pub kind: Gvk,
}
