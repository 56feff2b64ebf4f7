//! What calls cost when they run, in upstream's units.

use crate::library::Opaque;
use crate::value::Value;

/// A unit for every so many characters, and for every so many of a regular expression.
const STRING_FACTOR: f64 = 0.1;
const REGEX_FACTOR: f64 = 0.25;
/// Two of these are all an expression can pay for.
const AUTHORIZATION_COST: u64 = 350_000;
const LIST_CREATE_COST: u64 = 10;
const STRUCT_CREATE_COST: f64 = 40.0;

fn times(size: u64, factor: f64) -> u64 {
    // Sizes are those of things in memory.
    (size as f64 * factor).ceil() as u64
}

fn traversal(size: u64) -> u64 {
    times(size, STRING_FACTOR)
}

/// What a call costs, as far as its arguments say.
pub fn before(function: &str, overload: Option<&str>, args: &[Value]) -> u64 {
    let size = |at: usize| args.get(at).map_or(0, Value::size);
    match function {
        "check" => AUTHORIZATION_COST,
        "fieldSelector" | "labelSelector" => {
            let length = size(1);
            let requirements = times(length, 0.5);
            LIST_CREATE_COST + traversal(length) + times(requirements, LIST_CREATE_COST as f64 + STRUCT_CREATE_COST)
        }
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => args.first().map_or(0, tree),
        "url"
        | "lowerAscii"
        | "upperAscii"
        | "substring"
        | "trim"
        | "jsonpatch.escapeKey"
        | "cidr"
        | "isIP"
        | "isCIDR"
        | "quantity"
        | "isQuantity"
        | "semver"
        | "isSemver" => traversal(size(0)),
        "ip" if overload == Some("cidr_ip") => 1,
        "ip" => traversal(size(0)),
        "replace" | "split" | "ip.isCanonical" => times(size(0), 2.0 * STRING_FACTOR),
        // By its result.
        "join" => 0,
        "find" | "findAll" | "matches" => {
            let text = traversal(size(0).saturating_add(1));
            text.saturating_mul(times(size(1), REGEX_FACTOR))
        }
        "containsIP" => {
            let text = if overload == Some("cidr_contains_ip_string") { traversal(size(1)) } else { 0 };
            times(size(0), 2.0 * STRING_FACTOR) + text
        }
        "containsCIDR" => {
            let text = if overload == Some("cidr_contains_cidr_string") { traversal(size(1)) } else { 0 };
            times(size(0), 2.0 * STRING_FACTOR) + traversal(size(0)) + 1 + text
        }
        "validate" => match args.first() {
            Some(Value::Opaque(of)) if matches!(&**of, Opaque::Format(_)) => {
                let pattern = if let Opaque::Format(format) = &**of { format.regex_size } else { 0 };
                traversal(size(1).saturating_add(1)).saturating_mul(times(pattern, REGEX_FACTOR))
            }
            _ => 1,
        },
        _ => standard(function, overload, args),
    }
}

/// The operators and functions of cel-go itself.
fn standard(function: &str, overload: Option<&str>, args: &[Value]) -> u64 {
    let size = |at: usize| args.get(at).map_or(0, Value::size);
    match function {
        "_==_" | "_!=_" if matches!(args.first(), Some(Value::Opaque(_))) => 1,
        "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_" => traversal(size(0).min(size(1))),
        "_+_" if matches!(args.first(), Some(Value::String(_) | Value::Bytes(_))) => {
            traversal(size(0).saturating_add(size(1)))
        }
        "@in" if matches!(args.get(1), Some(Value::List(_))) => size(1),
        "startsWith" | "endsWith" | "strings.quote" | "format" => traversal(size(0)),
        "bytes" | "string" if matches!(args.first(), Some(Value::String(_) | Value::Bytes(_))) => {
            if overload == Some("string_to_string") || overload == Some("bytes_to_bytes") {
                1
            } else {
                traversal(size(0))
            }
        }
        "contains" => traversal(size(0)).saturating_mul(traversal(size(1))),
        "sets.contains" | "sets.intersects" => size(0).saturating_mul(size(1)).saturating_add(1),
        "sets.equivalent" => size(0).saturating_mul(size(1)).saturating_mul(2).saturating_add(1),
        "slice" | "lists.range" | "reverse" => 1 + LIST_CREATE_COST,
        "flatten" => {
            let depth = args.get(1).and_then(Value::as_int).map_or(1, |depth| u64::try_from(depth).unwrap_or(0));
            size(0).saturating_mul(depth).saturating_add(1 + LIST_CREATE_COST)
        }
        "distinct" | "sort" => compared(args.first()),
        "@sortByAssociatedKeys" => compared(args.get(1)),
        _ => 1,
    }
}

/// What a call costs beside that, as its value says.
pub fn after(function: &str, value: &Value) -> u64 {
    match function {
        "join" => times(value.size(), 2.0 * STRING_FACTOR),
        "slice" | "lists.range" | "reverse" => value.size(),
        _ => 0,
    }
}

/// Every element of a list compared with every other.
fn compared(list: Option<&Value>) -> u64 {
    let Some(Value::List(list)) = list else { return 1 };
    let factor = match list.get(0) {
        Some(Value::String(_) | Value::Bytes(_)) => 2.0 + STRING_FACTOR,
        _ => 2.0,
    };
    let size = list.len() as f64;
    (size * size * factor) as u64 + 1 + LIST_CREATE_COST
}

/// Looking at a value with all that is in it.
fn tree(value: &Value) -> u64 {
    match value {
        Value::String(text) => (text.len() as f64 * STRING_FACTOR) as u64,
        Value::Bytes(bytes) => (bytes.len() as f64 * STRING_FACTOR) as u64,
        Value::List(list) => list.iter().map(|item| tree(&item)).fold(0, u64::saturating_add),
        Value::Map(map) => map.iter().map(|(key, value)| tree(&key) + tree(&value)).fold(0, u64::saturating_add),
        _ => 1,
    }
}
