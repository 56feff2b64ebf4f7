//! Names of finalizers (upstream: validateFinalizerName in pkg/apis/core/validation).

use meta::field::{ErrorList, Path};
use meta::name;

/// Finalizers that need no domain.
const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// A qualified name; without a domain only the standard ones.
pub fn validate(finalizer: &str, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, finalizer, name::qualified_name(finalizer));
    if !finalizer.contains('/') && !STANDARD.contains(&finalizer) {
        errs.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
    }
}
