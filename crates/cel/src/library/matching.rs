//! Regular expressions.

use super::Run;
use crate::eval::{Call, Failed};
use crate::value::Value;
use regex::{Regex, RegexBuilder};

/// How large a compiled expression may be (bytes). Compiling takes time in proportion.
const REGEX_BYTES_MAX: usize = 1 << 20;

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "matches" => |call| {
            let [Value::String(text), Value::String(pattern)] = call.args else { return Err(call.no_overload()) };
            let regex = compile(pattern).map_err(Failed::new)?;
            Ok(Value::Bool(regex.is_match(text)))
        },
        "find" => |call| {
            let [Value::String(text), Value::String(pattern)] = call.args else { return Err(call.no_overload()) };
            let regex = illegal(pattern)?;
            Ok(Value::string(regex.find(text).map_or("", |found| found.as_str())))
        },
        "findAll" => find_all,
        _ => return None,
    })
}

fn illegal(pattern: &str) -> Result<Regex, Failed> {
    compile(pattern).map_err(|error| Failed::new(format!("Illegal regex: {error}")))
}

fn find_all<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let (text, pattern, count) = match call.args {
        [Value::String(text), Value::String(pattern)] => (text, pattern, -1),
        [Value::String(text), Value::String(pattern), Value::Int(count)] => (text, pattern, *count),
        _ => return Err(call.no_overload()),
    };
    let regex = illegal(pattern)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    call.tracker.work(text.len() as u64)?;
    Ok(Value::list(regex.find_iter(text).take(count).map(|found| Value::string(found.as_str())).collect()))
}

/// A compiled expression.
///
/// # Errors
/// What is wrong with it. Upstream's words for that are its library's, and these are another's.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| {
        format!("error parsing regexp: {}", error.to_string().lines().last().unwrap_or_default().trim())
    })
}
