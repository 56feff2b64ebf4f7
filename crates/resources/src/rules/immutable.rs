//! Fields that an update may not change.

use meta::Value;
use meta::field::{ErrorList, Path};

/// What upstream says of a change (apimachinery pkg/api/validation).
pub const MESSAGE: &str = "field is immutable";

/// `Invalid value: NEW: field is immutable` when the values differ. Empty and absent are the same, as in upstream's
/// semantic equality.
pub fn validate(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    if !same(new, old) {
        errs.invalid(path, new, MESSAGE);
    }
}

/// As [`validate`] for a text without a pointer: what is absent is "".
pub fn validate_text(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    if new.str() != old.str() {
        errs.invalid(path, new.str(), MESSAGE);
    }
}

/// Null, [] or {}. An empty text that is there is one: what Go has no pointer for is not.
fn is_nothing(value: &Value) -> bool {
    value.is_empty() && value.as_str().is_none()
}

/// Equal, with null, [] and {} all the same.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let all = |x: &meta::Map, y: &meta::Map| x.iter().all(|(k, v)| same(v, y.get(k).unwrap_or(&Value::Null)));
            all(x, y) && all(y, x)
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        (Value::Raw(raw), other) | (other, Value::Raw(raw)) => raw.is_written_as(other),
        (a, b) => a == b || is_nothing(a) && is_nothing(b),
    }
}
