//! Where the rules of one schema node (`x-kubernetes-validations`) are judged as expressions.

use meta::Value;
use meta::field::{ErrorList, Path};

/// What is known about the place of a node whose rules are judged.
#[derive(Clone, Debug)]
pub struct Place {
    /// The node above which nothing tells which old value belongs to a new one; rules at or below may not use `oldSelf`.
    pub uncorrelatable: Option<Path>,
    /// The schema was stored as it is, so that what its rules may cost is not held against it.
    pub cost_accepted: bool,
}

/// Judges the rules of `node`, the schema below which is sound. Errors belong to
/// `path.child("x-kubernetes-validations").index(i)` and its fields.
pub fn validate_expressions(_node: &Value, _place: &Place, _path: &Path, _errs: &mut ErrorList) {}
