//! Text that goes into JSON as it is: found out many bytes at a time. And times, whose days repeat.

use meta::json;
use meta::time::Timestamp;

/// Bytes looked at together. Compilers make a few vector instructions of a loop over so many.
const LANES: usize = 16;

/// Not 0 for what a JSON string escapes (as Go does: also `<`, `>` and `&`), and for what is not ASCII.
#[inline]
fn escapes(byte: u8) -> u8 {
    u8::from(byte < 0x20)
        | u8::from(byte >= 0x80)
        // `"` and `&`, `<` and `>` differ in one bit each
        | u8::from(byte | 4 == b'&')
        | u8::from(byte | 2 == b'>')
        | u8::from(byte == b'\\')
}

/// Not 0 for what compact JSON text may hold but Go would write otherwise.
#[inline]
fn rewrites(byte: u8) -> u8 {
    u8::from(byte >= 0x80) | u8::from(byte == b'&') | u8::from(byte | 2 == b'>')
}

#[inline]
fn any(bytes: &[u8], found: impl Fn(u8) -> u8) -> bool {
    fn fold<const N: usize>(lanes: &[u8; N], found: impl Fn(u8) -> u8) -> u8 {
        lanes.iter().fold(0, |before, byte| before | found(*byte))
    }
    // What is no multiple of the lanes ends with lanes that overlap.
    let (first, last) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>());
    if let Some(tail) = bytes.last_chunk::<LANES>() {
        let (whole, _) = bytes.as_chunks::<LANES>();
        whole.iter().fold(fold(tail, &found), |before, lanes| before | fold(lanes, &found)) != 0
    } else if let (Some([a, b, c, d, e, f, g, h]), Some([i, j, k, l, m, n, o, p])) = (first, last) {
        fold(&[*a, *b, *c, *d, *e, *f, *g, *h, *i, *j, *k, *l, *m, *n, *o, *p], &found) != 0
    } else if let (Some([a, b, c, d]), Some([e, f, g, h])) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        fold(&[*a, *b, *c, *d, *e, *f, *g, *h], &found) != 0
    } else {
        bytes.iter().fold(0, |before, byte| before | found(*byte)) != 0
    }
}

/// Not 0 when one of eight bytes is what [`escapes`] says.
#[inline(always)]
fn eight_escape(bytes: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // A byte below a bound, or 0, borrows from its high bit, which it did not have.
    let below = |bytes: u64, bound: u64| bytes.wrapping_sub(ONES * bound) & !bytes;
    let control = below(bytes, 0x20);
    let quote = below((bytes | (ONES * 4)) ^ (ONES * b'&' as u64), 1);
    let angle = below((bytes | (ONES * 2)) ^ (ONES * b'>' as u64), 1);
    let backslash = below(bytes ^ (ONES * b'\\' as u64), 1);
    (control | quote | angle | backslash | bytes) & HIGHS
}

/// Whether a text stands for itself in a JSON string.
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    // Most texts are short: words of eight bytes, the last of which overlap, find out faster than lanes do.
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        if text.len() > 32 {
            return !any(text, escapes);
        }
        let mut found = eight_escape(u64::from_le_bytes(*first)) | eight_escape(u64::from_le_bytes(*last));
        for word in text.as_chunks::<8>().0.iter().skip(1) {
            found |= eight_escape(u64::from_le_bytes(*word));
        }
        found == 0
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        eight_escape(u64::from(first) | u64::from(last) << 32) == 0
    } else {
        text.iter().all(|byte| escapes(*byte) == 0)
    }
}

/// Whether JSON text, if it is such, is as Go would write it.
pub(crate) fn is_unescaped(json: &[u8]) -> bool {
    !any(json, rewrites)
}

/// Whether a text is a JSON object of objects, all the way down, without spaces: what managed fields are. False says nothing.
pub(crate) fn is_tree_of_keys(text: &[u8]) -> bool {
    let mut rest = text;
    let mut depth = 0_u32;
    loop {
        // A value begins.
        let Some(inside) = rest.strip_prefix(b"{") else { return false };
        depth += 1;
        rest = inside;
        while let Some(behind) = rest.strip_prefix(b"}") {
            depth -= 1;
            rest = behind;
            if depth == 0 {
                return rest.is_empty();
            }
            match rest.split_first() {
                Some((b',', next)) => {
                    rest = next;
                    break;
                }
                Some((b'}', _)) => {}
                _ => return false,
            }
        }
        if depth > meta::json::DEPTH_MAX {
            return false;
        }
        let Some(value) = rest.strip_prefix(b"\"").and_then(behind_string).and_then(|rest| rest.strip_prefix(b":"))
        else {
            return false;
        };
        rest = value;
    }
}

/// What follows a string's closing quote.
#[inline]
fn behind_string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let (found, rest) = text.get(json::plain_len(text)..)?.split_first()?;
        match (found, rest.split_first()) {
            (b'"', _) => return Some(rest),
            (b'\\', Some((b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest))) => text = rest,
            _ => return None,
        }
    }
}

/// Writes times; the text of the day is kept for the next one.
pub(crate) struct Days {
    number: i64,
    /// `"2006-01-02T`, with the quotation mark.
    text: [u8; 12],
}

impl Default for Days {
    fn default() -> Days {
        Days { number: 0, text: *b"\"1970-01-01T" }
    }
}

impl Days {
    /// Appends the JSON of a time of the years 0 to 9999.
    pub(crate) fn write(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        const DAY_SECONDS: i64 = 86_400;
        let (day, of_day) = (at.seconds.div_euclid(DAY_SECONDS), at.seconds.rem_euclid(DAY_SECONDS) as u32);
        if day != self.number {
            let midnight = Timestamp { seconds: day * DAY_SECONDS, nanos: 0 }.to_rfc3339();
            self.text.iter_mut().skip(1).zip(midnight.bytes()).for_each(|(slot, byte)| *slot = byte);
            self.number = day;
        }
        let digits = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        let ([h, i], [m, n], [s, t]) = (digits(of_day / 3600), digits(of_day / 60 % 60), digits(of_day % 60));
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&[h, i, b':', m, n, b':', s, t, b'Z', b'"']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_at_every_place() {
        for length in 0..50 {
            let mut text = vec![b'a'; length];
            assert!(is_plain(&text) && is_unescaped(&text), "{length}");
            for at in 0..length {
                for byte in 0..=255 {
                    text[at] = byte;
                    let mut written = Vec::new();
                    meta::json::write_escaped(&[byte], &mut written);
                    assert_eq!(is_plain(&text), byte < 0x80 && written == [byte], "{byte} at {at} of {length}");
                    let rewritten = byte >= 0x80 || matches!(byte, b'<' | b'>' | b'&');
                    assert_eq!(is_unescaped(&text), !rewritten, "{byte} at {at} of {length}");
                }
                text[at] = b'a';
            }
        }
    }

    #[test]
    fn trees_of_keys_are_told_from_what_is_none() {
        for tree in [r#"{}"#, r#"{"a":{}}"#, r#"{"f:x":{".":{},"k:{\"n\":\"\\\"}":{"a":{"b":{}}}},"z":{}}"#] {
            assert!(is_tree_of_keys(tree.as_bytes()), "{tree}");
        }
        let deep = [r#"{"a":"#.repeat(1000), "{}".into(), "}".repeat(1000)].concat();
        let others = [
            "",
            "{",
            "}",
            "{}}",
            "{},",
            r#"{"a":1}"#,
            r#"{"a":{}"#,
            r#"{"a":{},}"#,
            r#"{,"a":{}}"#,
            r#"{"a":{}"b":{}}"#,
            r#"{"a"{}}"#,
            r#"{"a:{}}"#,
            r#"{"\x":{}}"#,
            r#"{"\u0061":{}}"#,
            "{\"\n\":{}}",
            r#"{"a":{}} "#,
            &deep,
        ];
        for other in others {
            assert!(!is_tree_of_keys(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn times_are_written_as_upstream_writes_them() {
        let mut days = Days::default();
        for seconds in [0, 1, 86_399, 86_400, -1, 1_767_323_045, meta::time::ZERO_SECONDS, 253_402_300_799, 951_782_400]
        {
            let mut out = Vec::new();
            let at = Timestamp { seconds, nanos: 5 };
            days.write(at, &mut out);
            assert_eq!(String::from_utf8(out), Ok(format!("\"{}\"", at.to_rfc3339())));
        }
    }
}
