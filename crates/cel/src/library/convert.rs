//! Conversions between types.

use super::Run;
use super::operators::{SECONDS_MAX, SECONDS_MIN};
use super::time::{format_duration, format_timestamp, parse_duration, parse_timestamp};
use crate::eval::{Call, Failed};
use crate::types::Type;
use crate::value::{Moment, Text, Value};

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "type" => |call| match call.args {
            [of] => Ok(Value::Type(of.type_of())),
            _ => Err(call.no_overload()),
        },
        "dyn" => |call| match call.args {
            [of] => Ok(of.clone()),
            _ => Err(call.no_overload()),
        },
        "bool" => to_bool,
        "bytes" => to_bytes,
        "double" => to_double,
        "duration" => to_duration,
        "int" => to_int,
        "string" => to_string,
        "timestamp" => to_timestamp,
        "uint" => to_uint,
        _ => return None,
    })
}

fn unconvertible(from: &Value, to: &str) -> Failed {
    Failed::new(format!("type conversion error from '{}' to '{to}'", from.type_of().runtime_name()))
}

/// What Go's `strconv` says of text that it cannot read.
fn unreadable(function: &str, text: &str, reason: &str) -> Failed {
    Failed::new(format!("strconv.{function}: parsing {text:?}: {reason}"))
}

fn to_bool<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Bool(b)] => Ok(Value::Bool(*b)),
        [of @ Value::String(text)] => match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(unconvertible(of, "bool")),
        },
        _ => Err(call.no_overload()),
    }
}

fn to_bytes<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [of @ Value::Bytes(_)] => Ok(of.clone()),
        [Value::String(text)] => Ok(Value::Bytes(text.as_bytes().into())),
        _ => Err(call.no_overload()),
    }
}

fn to_double<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Double(n)] => Ok(Value::Double(*n)),
        // As Go converts, rounding to the nearest double.
        [Value::Int(n)] => Ok(Value::Double(*n as f64)),
        [Value::Uint(n)] => Ok(Value::Double(*n as f64)),
        [Value::String(text)] => match text.parse() {
            Ok(n) if !text.starts_with("+i") => Ok(Value::Double(n)),
            _ => Err(unreadable("ParseFloat", text, "invalid syntax")),
        },
        _ => Err(call.no_overload()),
    }
}

fn to_duration<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Duration(nanos)] => Ok(Value::Duration(*nanos)),
        [Value::Int(nanos)] => Ok(Value::Duration(*nanos)),
        [Value::String(text)] => match parse_duration(text) {
            Some(nanos) => Ok(Value::Duration(nanos)),
            None => Err(Failed::new(format!("time: invalid duration {:?}", &**text))),
        },
        _ => Err(call.no_overload()),
    }
}

fn to_int<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let overflow = || Failed::new("integer overflow");
    match call.args {
        [Value::Int(n)] => Ok(Value::Int(*n)),
        [Value::Uint(n)] => i64::try_from(*n).map(Value::Int).map_err(|_| overflow()),
        // The limits themselves are refused, as upstream does.
        [Value::Double(n)] if *n > i64::MIN as f64 && *n < i64::MAX as f64 => Ok(Value::Int(*n as i64)),
        [Value::Double(_)] => Err(overflow()),
        [Value::Duration(nanos)] => Ok(Value::Int(*nanos)),
        [Value::Timestamp(moment)] => Ok(Value::Int(moment.seconds)),
        [Value::String(text)] => text.parse().map(Value::Int).map_err(|_| {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            unreadable("ParseInt", text, if number { "value out of range" } else { "invalid syntax" })
        }),
        _ => Err(call.no_overload()),
    }
}

fn to_uint<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let overflow = || Failed::new("unsigned integer overflow");
    match call.args {
        [Value::Uint(n)] => Ok(Value::Uint(*n)),
        [Value::Int(n)] => u64::try_from(*n).map(Value::Uint).map_err(|_| overflow()),
        [Value::Double(n)] if *n >= 0.0 && *n < u64::MAX as f64 => Ok(Value::Uint(*n as u64)),
        [Value::Double(_)] => Err(overflow()),
        [Value::String(text)] => text.parse().map(Value::Uint).map_err(|_| {
            let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            unreadable("ParseUint", text, if number { "value out of range" } else { "invalid syntax" })
        }),
        _ => Err(call.no_overload()),
    }
}

fn to_timestamp<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [Value::Timestamp(moment)] => Ok(Value::Timestamp(*moment)),
        [Value::Int(seconds)] if (SECONDS_MIN..=SECONDS_MAX).contains(seconds) => {
            Ok(Value::Timestamp(Moment { seconds: *seconds, nanos: 0 }))
        }
        [Value::Int(_)] => Err(Failed::new("timestamp overflow")),
        [Value::String(text)] => match parse_timestamp(text) {
            Some(moment) => Ok(Value::Timestamp(moment)),
            None => {
                let text = &**text;
                let layout = "2006-01-02T15:04:05Z07:00";
                Err(Failed::new(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"")))
            }
        },
        _ => Err(call.no_overload()),
    }
}

fn to_string<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    match call.args {
        [of] => match text_of(of)? {
            Some(text) => Ok(Value::String(text)),
            None => Err(call.no_overload()),
        },
        _ => Err(call.no_overload()),
    }
}

/// A value as `string(value)` writes it; `None` for what is not converted.
pub fn text_of<'a>(value: &Value<'a>) -> Result<Option<Text<'a>>, Failed> {
    use super::Opaque;
    Ok(Some(match value {
        Value::String(text) => text.clone(),
        Value::Bool(b) => owned(b.to_string()),
        Value::Int(n) => owned(n.to_string()),
        Value::Uint(n) => owned(n.to_string()),
        Value::Double(n) => owned(double(*n)),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => owned(text.to_owned()),
            Err(_) => return Err(Failed::new("invalid UTF-8 in bytes, cannot convert to string")),
        },
        Value::Timestamp(moment) => owned(format_timestamp(*moment)),
        Value::Duration(nanos) => owned(format_duration(*nanos)),
        Value::Type(of) => owned(type_name(of)),
        Value::Opaque(of) => match &**of {
            Opaque::Ip(ip) => owned(ip.to_string()),
            Opaque::Cidr(cidr) => owned(cidr.to_string()),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

fn type_name(of: &Type) -> String {
    of.runtime_name()
}

fn owned<'a>(text: String) -> Text<'a> {
    Text::Owned(text.into())
}

/// The shortest digits that read as the same number, with an exponent for large and small ones: Go's `%g`.
pub fn double(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{n:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return format!("{n}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
