//! How much of a device's capacity one claim may take.

use super::names::validate_list;
use crate::rules::quantity;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::quantity::Quantity;
use std::collections::BTreeSet;

const VALID_VALUES_MAX: usize = 10;

/// A DeviceCapacity; only `shared` devices may have a policy.
pub fn validate(capacity: &Value, shared: bool, path: &Path, errs: &mut ErrorList) {
    let policy = &capacity["requestPolicy"];
    let path = path.child("requestPolicy");
    if policy.is_null() {
        return;
    }
    if !shared {
        errs.forbidden(&path, "allowMultipleAllocations must be true");
        return;
    }
    let whole = quantity::parse(&capacity["value"]);
    let (values, range) = (&policy["validValues"], &policy["validRange"]);
    let has_default = !policy["default"].is_null();
    let default = quantity::parse(&policy["default"]);
    match (!values.is_empty(), !range.is_null()) {
        (true, true) => errs.forbidden(
            &path,
            "exactly one policy can be specified, cannot specify \"validValues\" and \"validRange\" at the same time",
        ),
        (true, false) if !has_default => errs.required(&path.child("default"), "required when validValues is defined"),
        (false, true) if !has_default => errs.required(&path.child("default"), "required when validRange is defined"),
        (true, false) => validate_values(&default, &whole, values, &path.child("validValues"), errs),
        (false, true) => validate_range(&default, &whole, range, &path.child("validRange"), errs),
        (false, false) => {}
    }
}

fn validate_values(default: &Quantity, whole: &Quantity, values: &Value, path: &Path, errs: &mut ErrorList) {
    let quantities: Vec<Quantity> = values.items().iter().map(quantity::parse).collect();
    for (i, pair) in quantities.windows(2).enumerate() {
        if let [a, b] = pair
            && a > b
        {
            errs.invalid(&path.index(i + 1), b.to_string(), "values must be sorted in ascending order");
        }
    }
    let is_listed = validate_list(values, VALID_VALUES_MAX, path, errs, |value, at, errs| {
        let value = quantity::parse(value);
        if value > *whole {
            let message = format!("option is larger than capacity value: {whole}");
            errs.invalid(at, value.to_string(), &message);
        }
    });
    if is_listed {
        let mut seen = BTreeSet::new();
        for (i, value) in quantities.iter().enumerate() {
            if !seen.insert(value.value()) {
                errs.duplicate(&path.index(i), value.value().to_string());
            }
        }
    }
    if !is_listed || !quantities.contains(default) {
        errs.invalid(path, default.to_string(), "default value is not valid according to the requestPolicy");
    }
}

fn validate_range(default: &Quantity, whole: &Quantity, range: &Value, path: &Path, errs: &mut ErrorList) {
    let parse = |field: &str| (!range[field].is_null()).then(|| quantity::parse(&range[field]));
    let Some(min) = parse("min") else {
        errs.required(&path.child("min"), "required when validRange is defined");
        return;
    };
    let mut invalid = |field: &'static str, value: &Quantity, message: String| {
        errs.invalid(&path.child(field), value.to_string(), &message);
    };
    if min > *whole {
        invalid("min", &min, format!("min is larger than capacity value: {whole}"));
    }
    if *default < min {
        invalid("min", default, format!("default is less than min: {min}"));
    }
    let max = parse("max");
    if let Some(max) = &max {
        if min > *max {
            invalid("max", &min, format!("min is larger than max: {max}"));
        }
        if max > whole {
            invalid("max", max, format!("max is larger than capacity value: {whole}"));
        }
        if default > max {
            invalid("max", default, format!("default is more than max: {max}"));
        }
    }
    let Some(step) = parse("step") else { return };
    let first = &min + &step;
    if first > *whole {
        invalid("step", &step, format!("one step {first} is larger than capacity value: {whole}"));
    }
    for value in [Some(default), max.as_ref()].into_iter().flatten() {
        let steps = value.value().wrapping_sub(min.value()).checked_rem(step.value());
        if steps.is_some_and(|rest| rest != 0) {
            invalid("step", value, format!("value is not a multiple of a given step ({step}) from ({min})"));
        }
    }
}
