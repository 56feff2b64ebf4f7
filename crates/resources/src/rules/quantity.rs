//! Resource quantities in objects.

use meta::Value;
use meta::field::{ErrorList, Path};
use meta::quantity::Quantity;

/// The quantity in a field; zero when it is absent. Decoding has refused what is none.
pub fn parse(value: &Value) -> Quantity {
    Quantity::parse(value.as_str().unwrap_or("0")).unwrap_or_default()
}

/// `must be greater than or equal to 0`
pub fn validate_not_negative(value: &Value, path: &Path, errs: &mut ErrorList) {
    if parse(value).sign() < 0 {
        errs.invalid(path, value, NOT_NEGATIVE);
    }
}

pub const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
