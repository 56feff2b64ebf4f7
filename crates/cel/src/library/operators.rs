//! Arithmetic, comparison and equality.

use super::Run;
use crate::eval::{Call, Failed};
use crate::value::compare::item_key;
use crate::value::{Key, List, ListKind, Moment, Value};
use std::cmp::Ordering;
use std::collections::HashMap;

/// Strings and bytes an expression may make (bytes); upstream leaves that to its memory.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "_+_" => add,
        "_-_" => subtract,
        "_*_" => |call| arithmetic(call, i64::checked_mul, u64::checked_mul, |a, b| a * b),
        "_/_" => divide,
        "_%_" => modulo,
        "-_" => negate,
        "!_" => |call| match call.args {
            [Value::Bool(b)] => Ok(Value::Bool(!b)),
            _ => Err(Failed::no_overload()),
        },
        "_==_" => |call| equal(call, true),
        "_!=_" => |call| equal(call, false),
        "_<_" => |call| compare(call, |order| order == Ordering::Less),
        "_<=_" => |call| compare(call, |order| order != Ordering::Greater),
        "_>_" => |call| compare(call, |order| order == Ordering::Greater),
        "_>=_" => |call| compare(call, |order| order != Ordering::Less),
        "@in" => contained,
        _ => return None,
    })
}

fn overflow(of: &str) -> Failed {
    Failed::new(format!("{of} overflow"))
}

fn arithmetic<'a>(
    call: &mut Call<'a, '_>,
    ints: fn(i64, i64) -> Option<i64>,
    uints: fn(u64, u64) -> Option<u64>,
    doubles: fn(f64, f64) -> f64,
) -> Made<'a> {
    match call.args {
        [Value::Int(a), Value::Int(b)] => ints(*a, *b).map(Value::Int).ok_or_else(|| overflow("integer")),
        [Value::Uint(a), Value::Uint(b)] => uints(*a, *b).map(Value::Uint).ok_or_else(|| overflow("unsigned integer")),
        [Value::Double(a), Value::Double(b)] => Ok(Value::Double(doubles(*a, *b))),
        _ => Err(Failed::no_overload()),
    }
}

fn add<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::String(a), Value::String(b)] => {
            check_size(a.len().saturating_add(b.len()))?;
            let mut text = String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            Ok(Value::string(text))
        }
        [Value::Bytes(a), Value::Bytes(b)] => {
            check_size(a.len().saturating_add(b.len()))?;
            Ok(Value::Bytes([&**a, &**b].concat().into()))
        }
        [Value::List(a), Value::List(b)] => {
            call.tracker.work(a.len() as u64 + b.len() as u64)?;
            Ok(Value::List(joined(a, b)))
        }
        [Value::Timestamp(moment), Value::Duration(nanos)] | [Value::Duration(nanos), Value::Timestamp(moment)] => {
            moved(*moment, i128::from(*nanos))
        }
        [Value::Duration(a), Value::Duration(b)] => {
            a.checked_add(*b).map(Value::Duration).ok_or_else(|| overflow("duration"))
        }
        _ => arithmetic(call, i64::checked_add, u64::checked_add, |a, b| a + b),
    }
}

pub fn check_size(bytes: usize) -> Result<(), Failed> {
    if bytes > TEXT_BYTES_MAX { Err(Failed::over()) } else { Ok(()) }
}

/// Lists one after the other; of sets the union, of maps by key those with the second's items in the places of the first's.
fn joined<'a>(a: &List<'a>, b: &List<'a>) -> List<'a> {
    let mut items: Vec<Value> = a.iter().collect();
    match a.kind {
        ListKind::Atomic => items.extend(b.iter()),
        ListKind::Set => {
            let mut keys: std::collections::HashSet<Option<Key>> = items.iter().map(Key::of).collect();
            items.extend(b.iter().filter(|item| keys.insert(Key::of(item))));
        }
        ListKind::Map(keys) => {
            let places: HashMap<_, usize> =
                items.iter().enumerate().map(|(at, item)| (item_key(item, keys), at)).collect();
            for item in b.iter() {
                match places.get(&item_key(&item, keys)).and_then(|at| items.get_mut(*at)) {
                    Some(slot) => *slot = item,
                    None => items.push(item),
                }
            }
        }
    }
    List::of_kind(items, a.kind)
}

const NANOS: i128 = 1_000_000_000;
/// The first and last second of the years 1 to 9999.
pub const SECONDS_MIN: i64 = -62_135_596_800;
pub const SECONDS_MAX: i64 = 253_402_300_799;

fn moved<'a>(moment: Moment, nanos: i128) -> Made<'a> {
    let total = i128::from(moment.seconds) * NANOS + i128::from(moment.nanos) + nanos;
    let seconds = i64::try_from(total.div_euclid(NANOS)).ok();
    match seconds.filter(|seconds| (SECONDS_MIN..=SECONDS_MAX).contains(seconds)) {
        // The remainder is below a billion.
        Some(seconds) => Ok(Value::Timestamp(Moment { seconds, nanos: total.rem_euclid(NANOS) as u32 })),
        None => Err(overflow("timestamp")),
    }
}

fn subtract<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Timestamp(a), Value::Timestamp(b)] => {
            let nanos =
                (i128::from(a.seconds) - i128::from(b.seconds)) * NANOS + i128::from(a.nanos) - i128::from(b.nanos);
            i64::try_from(nanos).map(Value::Duration).map_err(|_| overflow("duration"))
        }
        [Value::Timestamp(moment), Value::Duration(nanos)] => moved(*moment, -i128::from(*nanos)),
        [Value::Duration(a), Value::Duration(b)] => {
            a.checked_sub(*b).map(Value::Duration).ok_or_else(|| overflow("duration"))
        }
        _ => arithmetic(call, i64::checked_sub, u64::checked_sub, |a, b| a - b),
    }
}

fn divide<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(Failed::new("division by zero")),
        _ => arithmetic(call, i64::checked_div, u64::checked_div, |a, b| a / b),
    }
}

fn modulo<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(Failed::new("modulus by zero")),
        [Value::Double(_), Value::Double(_)] => Err(Failed::no_overload()),
        _ => arithmetic(call, i64::checked_rem, u64::checked_rem, |a, b| a % b),
    }
}

fn negate<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Int(n)] => n.checked_neg().map(Value::Int).ok_or_else(|| overflow("integer")),
        [Value::Double(n)] => Ok(Value::Double(-n)),
        [Value::Duration(n)] => n.checked_neg().map(Value::Duration).ok_or_else(|| overflow("duration")),
        _ => Err(Failed::no_overload()),
    }
}

fn equal<'a>(call: &mut Call<'a, '_>, wanted: bool) -> Made<'a> {
    match call.args {
        [a, b] => Ok(Value::Bool(a.equals(b, call.tracker)? == wanted)),
        _ => Err(Failed::no_overload()),
    }
}

fn compare<'a>(call: &mut Call<'a, '_>, holds: fn(Ordering) -> bool) -> Made<'a> {
    match call.args {
        [a, b] if a.has_order(b) => match a.order(b) {
            Some(order) => Ok(Value::Bool(holds(order))),
            None => Err(Failed::new("NaN values cannot be ordered")),
        },
        _ => Err(Failed::no_overload()),
    }
}

fn contained<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [item, Value::List(list)] => {
            for other in list.iter() {
                if other.equals(item, call.tracker)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        [key, Value::Map(map)] => Ok(Value::Bool(map.get(key).is_some())),
        _ => Err(Failed::no_overload()),
    }
}
