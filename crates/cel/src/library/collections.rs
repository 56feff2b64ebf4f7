//! Sizes, optionals and maps.

use super::Run;
use crate::eval::{Call, Failed, insert_entry};
use crate::value::Value;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "size" => size,
        "cel.@mapInsert" => map_insert,
        "optional.of" => |call| match call.args {
            [of] => Ok(Value::optional(Some(of.clone()))),
            _ => Err(call.no_overload()),
        },
        "optional.ofNonZeroValue" => |call| match call.args {
            [of] => Ok(Value::optional((!of.is_zero()).then(|| of.clone()))),
            _ => Err(call.no_overload()),
        },
        "optional.none" => |_| Ok(Value::Optional(None)),
        "optional.unwrap" | "unwrapOpt" => unwrap,
        "value" => |call| match call.args {
            [Value::Optional(Some(of))] => Ok(Value::clone(of)),
            [Value::Optional(None)] => Err(Failed::new("optional.none() dereference")),
            _ => Err(call.no_overload()),
        },
        "hasValue" => |call| match call.args {
            [Value::Optional(of)] => Ok(Value::Bool(of.is_some())),
            _ => Err(call.no_overload()),
        },
        "first" => |call| match call.args {
            [Value::List(list)] => Ok(Value::optional(list.get(0))),
            _ => Err(call.no_overload()),
        },
        "last" => |call| match call.args {
            [Value::List(list)] => Ok(Value::optional(list.len().checked_sub(1).and_then(|at| list.get(at)))),
            _ => Err(call.no_overload()),
        },
        _ => return None,
    })
}

fn size<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Failed> {
    let size = match call.args {
        [of @ (Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_))] => of.size(),
        _ => return Err(call.no_overload()),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn unwrap<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Failed> {
    let [Value::List(list)] = call.args else { return Err(call.no_overload()) };
    let mut found = Vec::new();
    for item in list.iter() {
        match item {
            Value::Optional(of) => found.extend(of.map(|of| Value::clone(&of))),
            _ => return Err(call.no_overload()),
        }
    }
    Ok(Value::list(found))
}

fn map_insert<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Failed> {
    let Some((Value::Map(map), rest)) = call.args.split_first() else { return Err(call.no_overload()) };
    let mut map = map.clone();
    match rest {
        [key, value] => insert_entry(map.make_owned(), key.clone(), value.clone())?,
        [Value::Map(more)] => {
            for (key, value) in more.iter() {
                insert_entry(map.make_owned(), key, value)?;
            }
        }
        _ => return Err(call.no_overload()),
    }
    Ok(Value::Map(map))
}
