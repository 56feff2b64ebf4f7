//! Writing JSON text.

use crate::Value;
use std::io::Write;

/// The compact JSON text; `<`, `>` and `&` are escaped as Go does.
pub fn to_string(value: &Value) -> String {
    let mut out = Vec::new();
    write(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// The compact JSON text as bytes.
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// Appends the compact JSON text, keys in order.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => write_int(*n, out),
        Value::Float(n) => write_float(*n, out),
        Value::String(s) => write_string(s, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
        Value::Raw(raw) => write_raw(raw.text(), out),
    }
}

/// Raw text may have spaces, which its sender wrote; most has none, which is found faster than text is written anew.
fn write_raw(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
        compact(text.as_bytes(), out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends JSON text without the spaces around its parts, and escaped as all text is: what Go makes of raw JSON.
pub fn compact(text: &[u8], out: &mut Vec<u8>) {
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {}
            b'<' | b'>' | b'&' => write_escaped(&[*byte], out),
            // Line and paragraph separators.
            0xe2 if matches!(behind, [0x80, 0xa8 | 0xa9, ..]) => {
                write_escaped(rest.get(..3).unwrap_or(rest), out);
                rest = rest.get(3..).unwrap_or_default();
                escaped = false;
                continue;
            }
            _ => out.push(*byte),
        }
        if *byte == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && *byte == b'\\' && !escaped;
        rest = behind;
    }
}

/// Appends a decimal integer.
pub fn write_int(n: i64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a number as Go prints a float64: plain between 1e-6 and 1e21, else with a signed exponent.
pub fn write_float(n: f64, out: &mut Vec<u8>) {
    let abs = n.abs();
    if !n.is_finite() {
        out.extend_from_slice(b"null");
    } else if abs != 0.0 && !(1e-6..1e21).contains(&abs) {
        let text = format!("{n:e}");
        let text = if text.contains("e-") { text } else { text.replace('e', "e+") };
        out.extend_from_slice(text.as_bytes());
    } else {
        let _ = write!(out, "{n}");
    }
}

/// 0: the byte stands for itself; 1: `\u00..`; else the letter after the backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = 1;
        byte += 1;
    }
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table[b'<' as usize] = 1;
    table[b'>' as usize] = 1;
    table[b'&' as usize] = 1;
    table
};

/// Appends a JSON string.
pub fn write_string(s: &str, out: &mut Vec<u8>) {
    out.reserve(s.len() + 2);
    out.push(b'"');
    write_escaped(s.as_bytes(), out);
    out.push(b'"');
}

/// Whether every byte stands for itself. Sixteen at a time, which compilers turn into vector instructions.
fn is_plain(bytes: &[u8]) -> bool {
    let special =
        |b: u8| (b < 0x20) | (b == b'"') | (b == b'\\') | (b == b'<') | (b == b'>') | (b == b'&') | (b == 0xe2);
    let mut chunks = bytes.chunks_exact(16);
    let found = chunks.by_ref().any(|chunk| chunk.iter().fold(false, |found, b| found | special(*b)));
    !found && !chunks.remainder().iter().any(|b| ESCAPES[usize::from(*b)] != 0 || *b == 0xe2)
}

/// Appends UTF-8 text with what JSON strings escape escaped.
pub fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    let mut done = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[byte as usize];
        // U+2028 and U+2029 (e2 80 a8, e2 80 a9) are escaped for JavaScript's sake.
        let separator = byte == 0xe2 && matches!(bytes.get(i + 1..i + 3), Some([0x80, 0xa8 | 0xa9]));
        if escape == 0 && !separator {
            continue;
        }
        out.extend_from_slice(&bytes[done..i]);
        done = i + 1;
        if separator {
            out.extend_from_slice(b"\\u202");
            out.push(if bytes.get(i + 2) == Some(&0xa8) { b'8' } else { b'9' });
            done = i + 3;
        } else if escape == 1 {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[done.min(bytes.len())..]);
}
