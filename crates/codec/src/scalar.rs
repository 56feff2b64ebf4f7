//! Scalars in their canonical text, and the errors of Go's unmarshalers for them.

use crate::base64;
use meta::quantity::Quantity;
use meta::time::{Timestamp, format_duration, parse_duration};
use meta::{Str, Value};

/// The canonical text of a quantity.
pub(crate) fn quantity(text: Str) -> Result<Str, String> {
    if is_plain(&text) {
        return Ok(text);
    }
    let quantity = Quantity::parse(text.trim()).map_err(|e| e.to_string())?;
    let canonical = quantity.to_string();
    Ok(if canonical == text { text } else { canonical.into() })
}

/// Short whole numbers with the commonest suffixes, which are canonical when no factor of 1000 or 1024 is left.
fn is_plain(text: &str) -> bool {
    let digits = text.trim_end_matches(['m', 'i', 'M', 'G', 'K', 'k']);
    let factor = match &text[digits.len()..] {
        "" | "m" | "M" | "G" | "k" => 1000,
        "Ki" | "Mi" | "Gi" => 1024,
        _ => return false,
    };
    (1..=4).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits.parse::<u32>().is_ok_and(|n| n % factor != 0)
}

/// RFC 3339 to the second; Go's zero time is null.
pub(crate) fn time(text: Str) -> Result<Value, String> {
    let at = Timestamp::parse(&text)?;
    let at = Timestamp { nanos: 0, ..at };
    if at.is_zero() {
        return Ok(Value::Null);
    }
    // UTC to the second is already what would be printed.
    let printed = text.len() == 20 && text.ends_with('Z');
    Ok(Value::String(if printed { text } else { at.to_rfc3339().into() }))
}

/// RFC 3339 with six digits; Go's zero time is null.
pub(crate) fn micro_time(text: Str) -> Result<Value, String> {
    let at = Timestamp::parse_micro(&text)?;
    if at.is_zero() {
        return Ok(Value::Null);
    }
    let printed = text.len() == 27 && text.ends_with('Z');
    Ok(Value::String(if printed { text } else { at.to_rfc3339_micro().into() }))
}

/// Go's text of a duration.
pub(crate) fn duration(text: &str) -> Result<Value, String> {
    parse_duration(text).map(|nanos| Value::String(format_duration(nanos).into()))
}

/// The text of bytes in the one form that Go prints.
pub(crate) fn bytes(text: Str) -> Result<Str, String> {
    if base64::is_canonical(text.as_bytes()) {
        return Ok(text);
    }
    let mut canonical = Vec::new();
    base64::encode(&base64::decode(text.as_bytes())?, &mut canonical);
    Ok(Str::from_utf8(&canonical).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_quantities_are_canonical() {
        let mut plain = 0;
        for suffix in ["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "K", "i", "Ti"] {
            for n in 0..11_000 {
                let text = format!("{n}{suffix}");
                if is_plain(&text) {
                    plain += 1;
                    let parsed = Quantity::parse(&text).map(|quantity| quantity.to_string());
                    assert_eq!(parsed.as_ref(), Ok(&text));
                }
            }
        }
        assert!(plain > 70_000, "{plain}");
        assert!(!is_plain("0100m") && !is_plain("m") && !is_plain("1.5") && !is_plain("1000") && !is_plain("2048Mi"));
    }
}
