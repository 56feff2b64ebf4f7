//! Lists and sets.

use super::{Run, operators};
use crate::eval::{Call, Failed, Tracker};
use crate::value::{List, Value};
use std::cmp::Ordering;

/// The longest list that `lists.range` makes; upstream leaves that to its memory.
const RANGE_MAX: i64 = 1_000_000;

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "isSorted" => is_sorted,
        "sum" => sum,
        "max" => |call| extreme(call, "max", Ordering::Less),
        "min" => |call| extreme(call, "min", Ordering::Greater),
        "slice" => slice,
        "flatten" => flatten,
        "sort" => |call| match call.args {
            [Value::List(list)] => sorted(list, list),
            _ => Err(call.no_overload()),
        },
        "@sortByAssociatedKeys" => |call| match call.args {
            [Value::List(list), Value::List(keys)] => sorted(list, keys),
            _ => Err(call.no_overload()),
        },
        "lists.range" => range,
        "reverse" => |call| match call.args {
            [Value::List(list)] => Ok(Value::list(list.iter().rev().collect())),
            _ => Err(call.no_overload()),
        },
        "distinct" => distinct,
        "sets.contains" => |call| sets(call, |a, b, tracker| contains_all(a, b, tracker)),
        "sets.equivalent" => {
            |call| sets(call, |a, b, tracker| Ok(contains_all(a, b, tracker)? && contains_all(b, a, tracker)?))
        }
        "sets.intersects" => |call| sets(call, intersects),
        _ => return None,
    })
}

/// The list of a call that has no other arguments.
fn only_list<'a>(call: &Call<'a, '_>) -> Result<List<'a>, Failed> {
    match call.args {
        [Value::List(list)] => Ok(list.clone()),
        _ => Err(call.no_overload()),
    }
}

fn order<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<Option<Ordering>, Failed> {
    if a.has_order(b) { Ok(a.order(b)) } else { Err(Failed::no_overload()) }
}

fn is_sorted<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let list = only_list(call)?;
    for (a, b) in list.iter().zip(list.iter().skip(1)) {
        if order(&a, &b)? == Some(Ordering::Greater) {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn sum<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let list = only_list(call)?;
    let zero = match call.overload {
        Some("list_uint_sum_uint") => Value::Uint(0),
        Some("list_double_sum_double") => Value::Double(0.0),
        Some("list_duration_sum_duration") => Value::Duration(0),
        _ => match list.get(0) {
            Some(Value::Uint(_)) => Value::Uint(0),
            Some(Value::Double(_)) => Value::Double(0.0),
            Some(Value::Duration(_)) => Value::Duration(0),
            _ => Value::Int(0),
        },
    };
    let Some(add) = operators::implementation("_+_") else { return Err(Failed::no_overload()) };
    let mut total = zero;
    for item in list.iter() {
        let args = [total, item];
        total = add(&mut Call { function: "_+_", overload: None, args: &args, tracker: call.tracker })?;
    }
    Ok(total)
}

/// The first item that no other is beyond.
fn extreme<'a>(call: &mut Call<'a, '_>, name: &str, replaced_when: Ordering) -> Made<'a> {
    let list = only_list(call)?;
    let mut found: Option<Value> = None;
    for item in list.iter() {
        let replaces = match &found {
            None => true,
            Some(found) => order(found, &item)? == Some(replaced_when),
        };
        if replaces {
            found = Some(item);
        }
    }
    found.ok_or_else(|| Failed::new(format!("{name} called on empty list")))
}

fn slice<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let [Value::List(list), Value::Int(start), Value::Int(end)] = call.args else {
        return Err(call.no_overload());
    };
    if *start < 0 || *end < 0 {
        return Err(Failed::new(format!("cannot slice({start}, {end}), negative indexes not supported")));
    }
    if start > end {
        return Err(Failed::new(format!(
            "cannot slice({start}, {end}), start index must be less than or equal to end index"
        )));
    }
    let (from, to) = (usize::try_from(*start).unwrap_or(0), usize::try_from(*end).unwrap_or(usize::MAX));
    if to > list.len() {
        return Err(Failed::new(format!("cannot slice({start}, {end}), list is length {}", list.len())));
    }
    Ok(Value::list(list.iter().take(to).skip(from).collect()))
}

fn flatten<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let (list, depth) = match call.args {
        [Value::List(list)] => (list, 1),
        [Value::List(list), Value::Int(depth)] if *depth >= 0 => (list, *depth),
        [Value::List(_), Value::Int(_)] => return Err(Failed::new("level must be non-negative")),
        _ => return Err(call.no_overload()),
    };
    let mut flat = Vec::new();
    flatten_into(list, depth, &mut flat, call.tracker)?;
    Ok(Value::list(flat))
}

fn flatten_into<'a>(
    list: &List<'a>,
    depth: i64,
    flat: &mut Vec<Value<'a>>,
    tracker: &mut Tracker,
) -> Result<(), Failed> {
    for item in list.iter() {
        tracker.work(1)?;
        match item {
            // Values nest only as deep as data and expressions do.
            Value::List(inner) if depth > 0 => flatten_into(&inner, depth - 1, flat, tracker)?,
            other => flat.push(other),
        }
    }
    Ok(())
}

/// The items of `list` in the order of `keys`, which are as many; a stable sort.
fn sorted<'a>(list: &List<'a>, keys: &List<'a>) -> Made<'a> {
    if list.len() != keys.len() {
        let message = format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} elements respectively",
            list.len(),
            keys.len()
        );
        return Err(Failed::new(message));
    }
    let mut pairs: Vec<(Value, Value)> = keys.iter().zip(list.iter()).collect();
    let same = pairs.iter().zip(pairs.iter().skip(1)).all(|((a, _), (b, _))| a.type_of() == b.type_of());
    let ordered = pairs.first().is_none_or(|(key, _)| key.has_order(key));
    if !ordered {
        return Err(Failed::new("list elements must be comparable"));
    }
    if !same {
        return Err(Failed::new("list elements must have the same type"));
    }
    // NaN has no order, not even with itself; it comes last, since a sort may panic over a circle.
    let is_nan = |key: &Value| key.order(key).is_none();
    pairs.sort_by(|(a, _), (b, _)| is_nan(a).cmp(&is_nan(b)).then(a.order(b).unwrap_or(Ordering::Equal)));
    Ok(Value::list(pairs.into_iter().map(|(_, item)| item).collect()))
}

fn range<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Int(n)] if *n > RANGE_MAX => Err(Failed::over()),
        [Value::Int(n)] => Ok(Value::list((0..*n).map(Value::Int).collect())),
        _ => Err(call.no_overload()),
    }
}

fn contains<'a>(list: &[Value<'a>], item: &Value<'a>, tracker: &mut Tracker) -> Result<bool, Failed> {
    for other in list {
        if other.equals(item, tracker)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn distinct<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let list = only_list(call)?;
    let mut found: Vec<Value> = Vec::new();
    for item in list.iter() {
        if !contains(&found, &item, call.tracker)? {
            found.push(item);
        }
    }
    Ok(Value::list(found))
}

fn sets<'a>(
    call: &mut Call<'a, '_>,
    holds: impl Fn(&[Value<'a>], &[Value<'a>], &mut Tracker) -> Result<bool, Failed>,
) -> Made<'a> {
    let [Value::List(a), Value::List(b)] = call.args else { return Err(call.no_overload()) };
    let (a, b): (Vec<Value>, Vec<Value>) = (a.iter().collect(), b.iter().collect());
    Ok(Value::Bool(holds(&a, &b, call.tracker)?))
}

fn contains_all<'a>(a: &[Value<'a>], b: &[Value<'a>], tracker: &mut Tracker) -> Result<bool, Failed> {
    for item in b {
        if !contains(a, item, tracker)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn intersects<'a>(a: &[Value<'a>], b: &[Value<'a>], tracker: &mut Tracker) -> Result<bool, Failed> {
    for item in b {
        if contains(a, item, tracker)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `list.indexOf(item)` and `list.lastIndexOf(item)`, which share their names with functions of strings.
pub fn index_of<'a>(list: &List<'a>, item: &Value<'a>, last: bool, tracker: &mut Tracker) -> Made<'a> {
    let mut found = -1;
    for (at, other) in list.iter().enumerate() {
        if other.equals(item, tracker)? {
            found = i64::try_from(at).unwrap_or(i64::MAX);
            if !last {
                break;
            }
        }
    }
    Ok(Value::Int(found))
}
