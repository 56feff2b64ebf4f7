//! Quantities; versions share the names of comparisons.

use super::semver::Semver;
use super::{Opaque, Run};
use crate::eval::{Call, Failed};
use crate::value::Value;
use meta::quantity::{Format, Quantity};
use std::cmp::Ordering;

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "quantity" => |call| match call.args {
            [Value::String(text)] => match Quantity::parse(text) {
                Ok(quantity) => Ok(Value::opaque(Opaque::Quantity(quantity))),
                Err(error) => Err(Failed::new(error.to_string())),
            },
            _ => Err(call.no_overload()),
        },
        "isQuantity" => |call| match call.args {
            [Value::String(text)] => Ok(Value::Bool(Quantity::parse(text).is_ok())),
            _ => Err(call.no_overload()),
        },
        "sign" => |call| Ok(Value::Int(i64::from(only(call)?.sign()))),
        "asApproximateFloat" => |call| Ok(Value::Double(approximate(&only(call)?))),
        "asInteger" => |call| {
            let quantity = only(call)?;
            if !quantity.is_integer() {
                return Err(Failed::new("cannot convert value to integer"));
            }
            Ok(Value::Int(quantity.value()))
        },
        "isInteger" => |call| Ok(Value::Bool(only(call)?.is_integer())),
        "isGreaterThan" => |call| compare(call, |order| Value::Bool(order == Ordering::Greater)),
        "isLessThan" => |call| compare(call, |order| Value::Bool(order == Ordering::Less)),
        "compareTo" => |call| compare(call, |order| Value::Int(order as i64)),
        "add" => |call| combine(call, |a, b| &a + &b),
        "sub" => |call| combine(call, |a, b| &a - &b),
        _ => return None,
    })
}

fn quantity(value: Option<&Value>) -> Option<Quantity> {
    match value {
        Some(Value::Opaque(of)) => match &**of {
            Opaque::Quantity(quantity) => Some(quantity.clone()),
            _ => None,
        },
        Some(Value::Int(n)) => Some(Quantity::new(*n, Format::DecimalSI)),
        _ => None,
    }
}

fn only(call: &Call) -> Result<Quantity, Failed> {
    match call.args {
        [Value::Opaque(_)] => quantity(call.args.first()).ok_or_else(|| call.no_overload()),
        _ => Err(call.no_overload()),
    }
}

fn approximate(quantity: &Quantity) -> f64 {
    // Billionths, exact up to 2^53 of them and rounded beyond, as "approximate" says.
    quantity.scaled(-9) as f64 / 1e9
}

fn version<'c>(value: Option<&'c Value>) -> Option<&'c Semver> {
    match value {
        Some(Value::Opaque(of)) => match &**of {
            Opaque::Semver(version) => Some(version),
            _ => None,
        },
        _ => None,
    }
}

fn compare<'a>(call: &mut Call<'a, '_>, of: fn(Ordering) -> Value<'static>) -> Made<'a> {
    let [first @ Value::Opaque(_), second @ Value::Opaque(_)] = call.args else { return Err(call.no_overload()) };
    let order = match (version(Some(first)), version(Some(second))) {
        (Some(a), Some(b)) => a.cmp(b),
        _ => match (quantity(Some(first)), quantity(Some(second))) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => return Err(call.no_overload()),
        },
    };
    Ok(match of(order) {
        Value::Int(n) => Value::Int(n),
        Value::Bool(b) => Value::Bool(b),
        _ => Value::Null,
    })
}

fn combine<'a>(call: &mut Call<'a, '_>, of: fn(Quantity, Quantity) -> Quantity) -> Made<'a> {
    let [first @ Value::Opaque(_), second] = call.args else { return Err(call.no_overload()) };
    match (quantity(Some(first)), quantity(Some(second))) {
        (Some(a), Some(b)) => Ok(Value::opaque(Opaque::Quantity(of(a, b)))),
        _ => Err(call.no_overload()),
    }
}
