//! Parameters of storage and volume attributes classes (upstream: validateParameters in pkg/apis/storage/validation).

use meta::field::{ErrorList, Path};
use meta::{Value, name};

const ENTRIES_MAX: usize = 512;
const BYTES_MAX: usize = 256 * 1024;

/// The name of a provisioner or driver: a qualified name in any case; upstream shows it in lower case.
pub fn validate_provisioner(provisioner: &str, path: &Path, errs: &mut ErrorList) {
    if provisioner.is_empty() {
        errs.required(path, "");
        return;
    }
    let lower = provisioner.to_lowercase();
    errs.invalid_each(path, &lower, name::qualified_name(&lower));
}

pub fn validate(parameters: &Value, may_be_empty: bool, errs: &mut ErrorList) {
    let path = Path::new("parameters");
    let entries = parameters.entries();
    if entries.len() > ENTRIES_MAX {
        errs.too_long(&path, ENTRIES_MAX);
        return;
    }
    let mut total = 0;
    for (key, value) in entries {
        if key.is_empty() {
            errs.invalid(&path, key, "field can not be empty.");
        }
        total += key.len() + value.str().len();
    }
    if total > BYTES_MAX {
        errs.too_long(&path, BYTES_MAX);
    }
    if !may_be_empty && parameters.is_empty() {
        errs.required(&path, "must contain at least one key/value pair");
    }
}
