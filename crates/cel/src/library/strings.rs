//! Strings. Positions are those of code points.

use super::{Run, format, lists, operators::check_size};
use crate::eval::{Call, Failed};
use crate::value::Value;

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "contains" => |call| two(call, |a, b| a.contains(b)),
        "startsWith" => |call| two(call, |a, b| a.starts_with(b)),
        "endsWith" => |call| two(call, |a, b| a.ends_with(b)),
        "charAt" => char_at,
        "indexOf" => |call| position(call, false),
        "lastIndexOf" => |call| position(call, true),
        "lowerAscii" => |call| one(call, str::to_ascii_lowercase),
        "upperAscii" => |call| one(call, str::to_ascii_uppercase),
        // Go trims what Unicode calls white space, and so does this.
        "trim" => |call| one(call, |text| text.trim().to_owned()),
        "strings.quote" => |call| one(call, quoted),
        "jsonpatch.escapeKey" => |call| one(call, |text| text.replace('~', "~0").replace('/', "~1")),
        "replace" => replace,
        "split" => split,
        "substring" => substring,
        "join" => join,
        "format" => |call| match call.args {
            [Value::String(text), Value::List(args)] => format::format(text, args).map(Value::string),
            _ => Err(call.no_overload()),
        },
        _ => return None,
    })
}

fn one<'a>(call: &mut Call<'a, '_>, change: impl Fn(&str) -> String) -> Made<'a> {
    match call.args {
        [Value::String(text)] => Ok(Value::string(change(text))),
        _ => Err(call.no_overload()),
    }
}

fn two<'a>(call: &mut Call<'a, '_>, holds: impl Fn(&str, &str) -> bool) -> Made<'a> {
    match call.args {
        [Value::String(a), Value::String(b)] => Ok(Value::Bool(holds(a, b))),
        _ => Err(call.no_overload()),
    }
}

fn out_of_range(index: i64) -> Failed {
    Failed::new(format!("index out of range: {index}"))
}

/// The byte at which the code point of this index starts; the text's length for the index after the last.
fn byte_at(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.nth(index)
}

fn char_at<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let [Value::String(text), Value::Int(index)] = call.args else { return Err(call.no_overload()) };
    let at = byte_at(text, *index).ok_or_else(|| out_of_range(*index))?;
    let found = text.get(at..).and_then(|rest| rest.chars().next());
    Ok(Value::string(found.map(String::from).unwrap_or_default()))
}

fn position<'a>(call: &mut Call<'a, '_>, last: bool) -> Made<'a> {
    match call.args {
        [Value::List(list), item] => lists::index_of(list, item, last, call.tracker),
        [Value::String(text), Value::String(part)] if last => Ok(Value::Int(last_position(text, part, None)?)),
        [Value::String(text), Value::String(part)] => Ok(Value::Int(first_position(text, part, 0)?)),
        [Value::String(text), Value::String(part), Value::Int(from)] if last => {
            Ok(Value::Int(last_position(text, part, Some(*from))?))
        }
        [Value::String(text), Value::String(part), Value::Int(from)] => {
            Ok(Value::Int(first_position(text, part, *from)?))
        }
        _ => Err(call.no_overload()),
    }
}

fn index_of_byte(text: &str, byte: usize) -> i64 {
    i64::try_from(text.get(..byte).unwrap_or(text).chars().count()).unwrap_or(i64::MAX)
}

fn first_position(text: &str, part: &str, from: i64) -> Result<i64, Failed> {
    if part.is_empty() {
        return Ok(from);
    }
    if from < 0 {
        return Err(out_of_range(from));
    }
    let Some(start) = byte_at(text, from) else { return Ok(-1) };
    let found = text.get(start..).and_then(|rest| rest.find(part));
    Ok(found.map_or(-1, |at| index_of_byte(text, start + at)))
}

fn last_position(text: &str, part: &str, from: Option<i64>) -> Result<i64, Failed> {
    if part.is_empty() {
        return Ok(from.unwrap_or_else(|| index_of_byte(text, text.len())));
    }
    let Some(from) = from else {
        return Ok(text.rfind(part).map_or(-1, |at| index_of_byte(text, at)));
    };
    if from < 0 {
        return Err(out_of_range(from));
    }
    // A place at or beyond the end is found nowhere, as upstream has it.
    let Some(start) = byte_at(text, from).filter(|start| *start < text.len()) else { return Ok(-1) };
    let end = start.saturating_add(part.len()).min(text.len());
    // What ends within a code point is no occurrence.
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let within = text.get(..end).unwrap_or(text);
    Ok(within.rfind(part).filter(|at| *at <= start).map_or(-1, |at| index_of_byte(text, at)))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn replace<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let (text, old, new, count) = match call.args {
        [Value::String(text), Value::String(old), Value::String(new)] => (text, old, new, -1),
        [Value::String(text), Value::String(old), Value::String(new), Value::Int(count)] => (text, old, new, *count),
        _ => return Err(call.no_overload()),
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(&**old).count() };
    check_size(text.len().saturating_add(found.min(count).saturating_mul(new.len())))?;
    Ok(Value::string(text.replacen(&**old, new, count)))
}

fn split<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let (text, separator, count) = match call.args {
        [Value::String(text), Value::String(separator)] => (text, separator, -1),
        [Value::String(text), Value::String(separator), Value::Int(count)] => (text, separator, *count),
        _ => return Err(call.no_overload()),
    };
    call.tracker.work(text.len() as u64)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count == 0 {
        return Ok(Value::list(vec![]));
    }
    if !separator.is_empty() {
        return Ok(Value::list(text.splitn(count, &**separator).map(Value::string).collect()));
    }
    // Without a separator the characters, the rest in the last piece.
    let mut parts = Vec::new();
    let mut rest: &str = text;
    while let Some(c) = rest.chars().next() {
        if parts.len() + 1 >= count {
            break;
        }
        let (first, after) = rest.split_at(c.len_utf8());
        parts.push(Value::string(first));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Value::string(rest));
    }
    Ok(Value::list(parts))
}

fn substring<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let (text, start, end) = match call.args {
        [Value::String(text), Value::Int(start)] => (text, *start, None),
        [Value::String(text), Value::Int(start), Value::Int(end)] => (text, *start, Some(*end)),
        _ => return Err(call.no_overload()),
    };
    if let Some(end) = end.filter(|end| start > *end) {
        return Err(Failed::new(format!("invalid substring range. start: {start}, end: {end}")));
    }
    let from = byte_at(text, start).ok_or_else(|| out_of_range(start))?;
    let to = match end {
        Some(end) => byte_at(text, end).ok_or_else(|| out_of_range(end))?,
        None => text.len(),
    };
    Ok(Value::string(text.get(from..to).unwrap_or("")))
}

fn join<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let (list, separator) = match call.args {
        [Value::List(list)] => (list, ""),
        [Value::List(list), Value::String(separator)] => (list, &**separator),
        _ => return Err(call.no_overload()),
    };
    let mut text = String::new();
    for (at, item) in list.iter().enumerate() {
        let Some(part) = item.as_str() else {
            return Err(Failed::new(format!("join: invalid input: {item:?}")));
        };
        if at > 0 {
            text.push_str(separator);
        }
        text.push_str(part);
        check_size(text.len())?;
    }
    Ok(Value::string(text))
}
