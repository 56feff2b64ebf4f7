//! Names of finalizers (upstream: validateFinalizerName in pkg/apis/core/validation).

use meta::field::{ErrorList, Path};
use meta::name;
use resource::rules::validate_standard_finalizer;

/// A qualified name; without a domain only the standard ones.
pub fn validate(finalizer: &str, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, finalizer, name::qualified_name(finalizer));
    validate_standard_finalizer(finalizer, path, errs);
}
