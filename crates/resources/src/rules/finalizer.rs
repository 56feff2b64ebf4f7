//! Names of finalizers (upstream: validateFinalizerName in pkg/apis/core/validation).

use meta::field::{ErrorList, Path};
use meta::{Value, name};

/// Finalizers that need no domain.
const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Those of metadata, which the generic rules have found to be qualified names (upstream: ValidateObjectMeta of the
/// built-in kinds).
pub fn validate_standard(object: &Value, errs: &mut ErrorList) {
    let path = Path::new("metadata").child("finalizers");
    for (i, finalizer) in object["metadata"]["finalizers"].items().iter().enumerate() {
        validate_domain(finalizer.str(), &path.index(i), errs);
    }
}

/// A qualified name; without a domain only the standard ones.
pub fn validate(finalizer: &str, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, finalizer, name::qualified_name(finalizer));
    validate_domain(finalizer, path, errs);
}

fn validate_domain(finalizer: &str, path: &Path, errs: &mut ErrorList) {
    if !finalizer.contains('/') && !STANDARD.contains(&finalizer) {
        errs.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
    }
}
