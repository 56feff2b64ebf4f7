//! `string.format(list)`.

use super::convert::{double, text_of};
use super::operators::check_size;
use crate::eval::Failed;
use crate::value::{List, Value};

/// Digits after the point when none are asked for, and at most.
const PRECISION: usize = 6;
const PRECISION_MAX: usize = 1000;

/// The text with its clauses (`%s`, `%.2f`, …) replaced by the arguments.
pub fn format(text: &str, args: &List) -> Result<String, Failed> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut index = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            out.push('%');
            continue;
        }
        let Some(arg) = args.get(index) else {
            return Err(Failed::new(format!("index {index} out of range")));
        };
        index += 1;
        let precision = precision(&mut chars)?;
        let Some(clause) = chars.next() else {
            return Err(Failed::new("unexpected end of string"));
        };
        out.push_str(&formatted(clause, precision, &arg)?);
        check_size(out.len())?;
    }
    Ok(out)
}

fn precision(chars: &mut std::iter::Peekable<std::str::Chars>) -> Result<Option<usize>, Failed> {
    if chars.peek() != Some(&'.') {
        return Ok(None);
    }
    chars.next();
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if chars.peek().is_none() {
        return Err(Failed::new("error while parsing precision: could not find end of precision specifier"));
    }
    match digits.parse() {
        Ok(precision) if precision <= PRECISION_MAX => Ok(Some(precision)),
        _ => Err(Failed::new("error while parsing precision: error while converting precision to integer")),
    }
}

fn formatted(clause: char, precision: Option<usize>, arg: &Value) -> Result<String, Failed> {
    match clause {
        's' => shown(arg),
        'd' => match arg {
            Value::Int(n) => Ok(n.to_string()),
            Value::Uint(n) => Ok(n.to_string()),
            other => Err(unformattable("decimal clause can only be used on integers", other)),
        },
        'f' => {
            let digits = precision.unwrap_or(PRECISION);
            float(arg, |n| format!("{n:.digits$}"), "fixed-point clause can only be used on doubles")
        }
        'e' => {
            let digits = precision.unwrap_or(PRECISION);
            float(arg, |n| scientific(n, digits), "scientific clause can only be used on doubles")
        }
        'b' => match arg {
            Value::Int(n) => Ok(signed(*n, |n| format!("{n:b}"))),
            Value::Uint(n) => Ok(format!("{n:b}")),
            Value::Bool(b) => Ok(u8::from(*b).to_string()),
            other => Err(unformattable("only integers and bools can be formatted as binary", other)),
        },
        'o' => match arg {
            Value::Int(n) => Ok(signed(*n, |n| format!("{n:o}"))),
            Value::Uint(n) => Ok(format!("{n:o}")),
            other => Err(unformattable("octal clause can only be used on integers", other)),
        },
        'x' | 'X' => {
            let text = hexadecimal(arg)?;
            Ok(if clause == 'X' { text.to_uppercase() } else { text })
        }
        other => {
            Err(Failed::new(format!("could not parse formatting clause: unrecognized formatting clause \"{other}\"")))
        }
    }
}

fn unformattable(what: &str, value: &Value) -> Failed {
    Failed::new(format!("{what}, was given {}", value.type_of().runtime_name()))
}

fn signed(n: i64, digits: impl Fn(u64) -> String) -> String {
    format!("{}{}", if n < 0 { "-" } else { "" }, digits(n.unsigned_abs()))
}

fn float(arg: &Value, write: impl Fn(f64) -> String, what: &str) -> Result<String, Failed> {
    let n = match arg {
        Value::Double(n) => *n,
        Value::String(text) => match &**text {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return Err(unformattable(what, arg)),
        },
        other => return Err(unformattable(what, other)),
    };
    Ok(match n {
        n if n.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "-∞".to_owned(),
        n => write(n),
    })
}

/// Upstream writes powers of ten as its locale does.
fn scientific(n: f64, digits: usize) -> String {
    let text = format!("{n:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { "-" } else { "" };
    format!("{mantissa}\u{202f}×\u{202f}10{}", superscript(&format!("{sign}{:02}", exponent.unsigned_abs())))
}

fn superscript(digits: &str) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' => '⁰',
        digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
    };
    digits.chars().map(raised).collect()
}

fn hexadecimal(arg: &Value) -> Result<String, Failed> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match arg {
        Value::Int(n) => Ok(signed(*n, |n| format!("{n:x}"))),
        Value::Uint(n) => Ok(format!("{n:x}")),
        Value::String(text) => Ok(hex(text.as_bytes())),
        Value::Bytes(bytes) => Ok(hex(bytes)),
        other => Err(unformattable("only integers, byte buffers, and strings can be formatted as hex", other)),
    }
}

fn shown(arg: &Value) -> Result<String, Failed> {
    Ok(match arg {
        Value::Null => "null".to_owned(),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| nested(&item)).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entry = |(key, value): (Value, Value)| Ok(format!("{}:{}", nested(&key)?, nested(&value)?));
            let mut entries: Vec<String> = map.iter().map(entry).collect::<Result<_, Failed>>()?;
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Opaque(_) | Value::Fields(_) | Value::Struct(_) | Value::Optional(_) | Value::Preserved(_) => {
            let what = "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps";
            return Err(unformattable(what, arg));
        }
        other => text_of(other)?.map(|text| text.to_string()).unwrap_or_default(),
    })
}

/// An element of a list or map: strings in quotes, so that they can be told apart.
fn nested(value: &Value) -> Result<String, Failed> {
    Ok(match value {
        Value::String(text) => format!("{:?}", &**text),
        Value::Bytes(bytes) => format!("b{:?}", String::from_utf8_lossy(bytes)),
        Value::Timestamp(_) => format!("timestamp({:?})", shown(value)?),
        Value::Duration(_) => format!("duration({:?})", shown(value)?),
        Value::Double(n) if n.is_finite() => double(*n),
        Value::Double(_) => format!("{:?}", shown(value)?),
        other => shown(other)?,
    })
}
