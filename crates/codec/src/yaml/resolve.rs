//! What a plain scalar means in YAML 1.1, as go-yaml decides it.

use meta::Value;
use meta::json::number_value;

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Value(Value),
    /// Text, and nothing else.
    Text,
    /// A date or time: read as text, but quoted when it is written.
    Time,
    /// `<<`
    Merge,
}

const WORDS: &[(&str, Plain)] = &[
    ("", Plain::Value(Value::Null)),
    ("~", Plain::Value(Value::Null)),
    ("null", Plain::Value(Value::Null)),
    ("Null", Plain::Value(Value::Null)),
    ("NULL", Plain::Value(Value::Null)),
    ("<<", Plain::Merge),
];
const TRUE: &[&str] = &["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: &[&str] = &["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];

pub(super) fn resolve(text: &str) -> Plain {
    if let Some((_, plain)) = WORDS.iter().find(|(word, _)| *word == text) {
        return plain.clone();
    }
    if TRUE.contains(&text) || FALSE.contains(&text) {
        return Plain::Value(Value::Bool(TRUE.contains(&text)));
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Plain::Text;
    }
    if is_infinite(text) {
        return Plain::Value(Value::Float(f64::NAN));
    }
    if is_time(text) {
        return Plain::Time;
    }
    let digits = text.replace('_', "");
    integer(&digits).or_else(|| float(&digits)).map_or(Plain::Text, Plain::Value)
}

/// What JSON has no number for.
fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// Go's integers: decimal, `0x`, `0b`, `0o`, and octal after a leading zero.
fn integer(text: &str) -> Option<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let bases = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)];
    let prefixed = bases.into_iter().find_map(|(prefix, base)| digits.strip_prefix(prefix).map(|rest| (rest, base)));
    let (digits, base) = prefixed.unwrap_or(match digits.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => (rest, 8),
        _ => (digits, 10),
    });
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let n = i128::from_str_radix(digits, base).ok()? * sign;
    match i64::try_from(n) {
        Ok(n) => Some(Value::Int(n)),
        Err(_) => u64::try_from(n).ok().map(|n| Value::Float(n as f64)),
    }
}

fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let formed = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !formed || exponent.is_some_and(|e| e.is_empty() || !all_digits(e)) {
        return None;
    }
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => Some(Value::Float(n)),
        _ => None,
    }
}

/// `2006-1-2`, alone or with a time of day behind it.
fn is_time(text: &str) -> bool {
    let short = |s: &str| (1..=2).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    let (date, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('-');
    let year = parts.next().is_some_and(|y| y.len() == 4 && y.bytes().all(|b| b.is_ascii_digit()));
    let rest: Vec<&str> = parts.collect();
    let date = year && rest.len() == 2 && rest.iter().all(|p| short(p));
    let time_of_day = |time: &str| {
        let clock = time.trim_end_matches(|c: char| !c.is_ascii_digit() && c != ':');
        let clock = clock.split(['+', '-', '.', 'Z']).next().unwrap_or("");
        let parts: Vec<&str> = clock.split(':').collect();
        parts.len() == 3 && parts.iter().all(|p| short(p))
    };
    date && time.is_none_or(time_of_day)
}

/// `1:30`, which YAML 1.1 readers other than Go's take for a number.
pub(super) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or("");
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let sixty =
        |s: &str| digits(s) && (s.len() == 1 || (s.len() == 2 && s.as_bytes().first().is_some_and(|b| *b < b'6')));
    let last = last.split_once('.').map_or(*last, |(whole, fraction)| if digits(fraction) { whole } else { "x" });
    !first.is_empty() && digits(&first.replace('_', "")) && middle.iter().all(|s| sixty(s)) && sixty(last)
}

/// A number of a scalar that says by its tag that it is one.
pub(super) fn tagged_number(text: &str) -> Option<Value> {
    integer(text).or_else(|| number_value(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_go_yaml_says() {
        let value = |v: Value| Plain::Value(v);
        for (text, want) in [
            ("yes", value(true.into())),
            ("Off", value(false.into())),
            ("~", value(Value::Null)),
            ("12", value(12_i64.into())),
            ("-0x1F", value((-31_i64).into())),
            ("0b101", value(5_i64.into())),
            ("0o17", value(15_i64.into())),
            ("017", value(15_i64.into())),
            ("1_000", value(1000_i64.into())),
            ("08", value(8.0.into())),
            ("1.5", value(1.5.into())),
            (".5", value(0.5.into())),
            ("1e3", value(1000.0.into())),
            ("18446744073709551615", value(18_446_744_073_709_551_615.0.into())),
            ("<<", Plain::Merge),
            ("2024-01-01", Plain::Time),
            ("2024-01-01T10:00:00Z", Plain::Time),
            ("2024-01-01x", Plain::Text),
            ("1.2.3", Plain::Text),
            ("-", Plain::Text),
            ("0x", Plain::Text),
            ("1Gi", Plain::Text),
            ("truely", Plain::Text),
        ] {
            assert_eq!(resolve(text), want, "{text}");
        }
        assert!(is_base_60("1:30") && is_base_60("190:20:30.15") && !is_base_60("a:30") && !is_base_60("1:99"));
    }
}
