//! JSON text to and from a [`Value`], as Go's encoding/json and sigs.k8s.io/json read and write it. What knows
//! types is the codec crate; it shares the [`Lexer`] here.

use crate::{Map, Str, Value};
use std::borrow::Cow;
use std::fmt;
use std::io::Write;

/// How deep values may nest. Go allows 10,000; here every reader of a tree may recurse, so that the bound protects the stack.
pub const DEPTH_MAX: u32 = 300;

/// A syntax error, with Go's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError(pub String);

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SyntaxError {}

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
    out.push(b'"');
    write_escaped(s.as_bytes(), out);
    out.push(b'"');
}

/// Appends UTF-8 text with what JSON strings escape escaped.
pub fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if !bytes.iter().any(|b| ESCAPES[usize::from(*b)] != 0 || *b == 0xe2) {
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

/// What a value's first byte says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Null,
    Bool(bool),
    Number,
    String,
    Array,
    Object,
}

/// UTF-8 text of bytes: each byte that is not part of a valid sequence becomes U+FFFD, as Go reads it.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|_| text.push('\u{fffd}'));
    }
    Cow::Owned(text)
}

/// Reads JSON text value by value, checking its grammar with Go's error texts.
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0, depth: 0 }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn next_byte(&mut self) -> Result<u8, SyntaxError> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(byte),
                None => return Err(self.unexpected("")),
            }
        }
    }

    /// The error for the byte here: `invalid character 'x' CONTEXT`.
    #[cold]
    fn unexpected(&self, context: &str) -> SyntaxError {
        let Some(byte) = self.byte() else { return SyntaxError("unexpected end of JSON input".to_string()) };
        let shown = match byte {
            b'\'' => r"'\''".to_string(),
            b'"' => "'\"'".to_string(),
            byte => {
                let quoted = crate::field::quote(&char::from(byte).to_string());
                format!("'{}'", quoted.trim_matches('"'))
            }
        };
        SyntaxError(format!("invalid character {shown} {context}"))
    }

    /// What the next value is; nothing is consumed.
    pub fn peek(&mut self) -> Result<Token, SyntaxError> {
        match self.next_byte()? {
            b'"' => Ok(Token::String),
            b'{' => Ok(Token::Object),
            b'[' => Ok(Token::Array),
            b't' => Ok(Token::Bool(true)),
            b'f' => Ok(Token::Bool(false)),
            b'n' => Ok(Token::Null),
            b'-' | b'0'..=b'9' => Ok(Token::Number),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    /// Consumes `null`, `true` or `false` after [`Lexer::peek`] said so.
    pub fn literal(&mut self, token: Token) -> Result<(), SyntaxError> {
        let word = match token {
            Token::Bool(true) => "true",
            Token::Bool(false) => "false",
            _ => "null",
        };
        for want in word.bytes() {
            if self.byte() != Some(want) {
                return Err(self.unexpected(&format!("in literal {word} (expecting '{}')", char::from(want))));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// Consumes a number and returns its text.
    pub fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return Err(self.unexpected("in numeric literal"));
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
        }
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Consumes a string and returns its content, unescaped.
    pub fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        let (raw, escaped) = self.between_quotes()?;
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// Consumes a string and returns what is between its quotes, still escaped.
    pub fn raw_string(&mut self) -> Result<&'a str, SyntaxError> {
        self.between_quotes().map(|(raw, _)| raw)
    }

    /// What is between quotes, and whether a backslash is in it.
    fn between_quotes(&mut self) -> Result<(&'a str, bool), SyntaxError> {
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            self.at += plain_bytes(bytes.get(self.at..).unwrap_or(&[]));
            match self.byte() {
                Some(b'"') => {
                    let raw = self.text.get(start..self.at).unwrap_or("");
                    self.at += 1;
                    return Ok((raw, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        match self.byte() {
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.unexpected("in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
            }
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            _ => return Err(self.unexpected("in string escape code")),
        }
        Ok(())
    }

    /// Consumes the `{` or `[` that [`Lexer::peek`] found.
    pub fn open(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SyntaxError("exceeded max depth".to_string()));
        }
        Ok(())
    }

    /// The next key of an object, its colon consumed; `None` at the end, which is consumed.
    pub fn key(&mut self, first: bool) -> Result<Option<Cow<'a, str>>, SyntaxError> {
        let mut byte = self.next_byte()?;
        if byte == b'}' {
            self.at += 1;
            self.depth -= 1;
            return Ok(None);
        }
        if !first {
            if byte != b',' {
                return Err(self.unexpected("after object key:value pair"));
            }
            self.at += 1;
            byte = self.next_byte()?;
        }
        if byte != b'"' {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        let key = self.string()?;
        if self.next_byte()? != b':' {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether an array has another item; its end is consumed.
    pub fn item(&mut self, first: bool) -> Result<bool, SyntaxError> {
        let byte = self.next_byte()?;
        if byte == b']' {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if !first {
            if byte != b',' {
                return Err(self.unexpected("after array element"));
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// Checks that only white space is left.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        match self.next_byte() {
            Ok(_) => Err(self.unexpected("after top-level value")),
            Err(_) => Ok(()),
        }
    }

    /// Consumes one value of any kind and returns its text.
    pub fn skip(&mut self) -> Result<&'a str, SyntaxError> {
        let token = self.peek()?;
        let start = self.at;
        match token {
            Token::Number => drop(self.number()?),
            Token::String => drop(self.raw_string()?),
            Token::Object => {
                self.open()?;
                let mut first = true;
                while self.key(first)?.is_some() {
                    self.skip()?;
                    first = false;
                }
            }
            Token::Array => {
                self.open()?;
                let mut first = true;
                while self.item(first)? {
                    self.skip()?;
                    first = false;
                }
            }
            literal => self.literal(literal)?,
        }
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Consumes one value of any kind. Duplicate keys are added to `duplicates` with their path, which begins at `parent`.
    pub fn value(&mut self, parent: &Place, duplicates: &mut Vec<String>) -> Result<Value, SyntaxError> {
        let mut value = Value::Null;
        self.value_into(&mut value, parent, duplicates)?;
        Ok(value)
    }

    /// As [`Lexer::value`], into a place that holds null: values are built where they stay, since moving them costs more than reading them.
    fn value_into(
        &mut self,
        slot: &mut Value,
        parent: &Place,
        duplicates: &mut Vec<String>,
    ) -> Result<(), SyntaxError> {
        match self.peek()? {
            Token::Null => self.literal(Token::Null)?,
            Token::Bool(b) => {
                self.literal(Token::Bool(b))?;
                *slot = Value::Bool(b);
            }
            Token::Number => *slot = number_value(self.number()?)?,
            Token::String => *slot = Value::String(Str::from(self.string()?)),
            Token::Array => {
                self.open()?;
                let mut items = Vec::new();
                while self.item(items.is_empty())? {
                    let place = Place::Index(parent, items.len());
                    items.push(Value::Null);
                    if let Some(item) = items.last_mut() {
                        self.value_into(item, &place, duplicates)?;
                    }
                }
                *slot = Value::Array(items);
            }
            Token::Object => {
                self.open()?;
                let mut entries: Vec<(Str, Value)> = Vec::with_capacity(4);
                while let Some(key) = self.key(entries.is_empty())? {
                    entries.push((Str::from(key), Value::Null));
                    if let Some((key, item)) = entries.last_mut() {
                        self.value_into(item, &Place::Key(parent, key), duplicates)?;
                    }
                }
                let (map, repeated) = Map::from_entries(entries);
                duplicates.extend(repeated.iter().map(|key| Place::Key(parent, key).to_string()));
                *slot = Value::Object(map);
            }
        }
        Ok(())
    }
}

/// How many bytes there are before the first quote, backslash or control character. Eight at a time.
fn plain_bytes(bytes: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte's high bit is set where the byte is zero (exact for the lowest such byte, which is all that counts).
    let zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let mut done = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let found = control | zero(word ^ (LOW * u64::from(b'"'))) | zero(word ^ (LOW * u64::from(b'\\')));
        if found != 0 {
            return done + (found.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    let rest = bytes.get(done..).unwrap_or(&[]);
    done + rest.iter().take_while(|b| !matches!(**b, b'"' | b'\\' | 0..0x20)).count()
}

/// The value of a number's text: integers that fit 64 bits are [`Value::Int`], all else is a float.
pub fn number_value(text: &str) -> Result<Value, SyntaxError> {
    if !text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
        && let Ok(n) = text.parse()
    {
        return Ok(Value::Int(n));
    }
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => Ok(Value::Float(n)),
        _ => Err(SyntaxError(format!("json: cannot unmarshal number {text} into Go value of type float64"))),
    }
}

/// Where in a document: a list through the stack frames, printed only when something is found there.
pub enum Place<'p> {
    Root,
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Key(Place::Root, key) => f.write_str(key),
            Place::Key(parent, key) => write!(f, "{parent}.{key}"),
            Place::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// The content of a JSON string whose escapes are known to be well formed. Half surrogates become U+FFFD.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or("");
        match code {
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'b' => out.push('\x08'),
            b'f' => out.push('\x0c'),
            b'u' => {
                let unit = hex4(rest).unwrap_or(0xfffd);
                rest = rest.get(4..).unwrap_or("");
                let low = rest.strip_prefix("\\u").and_then(hex4).filter(|low| (0xdc00..0xe000).contains(low));
                match (char::from_u32(unit), low) {
                    (Some(c), _) => out.push(c),
                    (None, Some(low)) if unit < 0xdc00 => {
                        let c = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        out.push(char::from_u32(c).unwrap_or('\u{fffd}'));
                        rest = rest.get(6..).unwrap_or("");
                    }
                    _ => out.push('\u{fffd}'),
                }
            }
            other => out.push(char::from(other)),
        }
    }
    out + rest
}

fn hex4(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(..4)?, 16).ok()
}

/// A document and what was found twice in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub value: Value,
    /// Paths of keys that occur more than once (`spec.a[0].b`); the last one's value counts.
    pub duplicates: Vec<String>,
}

/// Reads a whole document, as Go reads JSON into an unstructured object.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SyntaxError> {
    let text = text_of(bytes);
    let mut lexer = Lexer::new(&text);
    let mut duplicates = Vec::new();
    let value = lexer.value(&Place::Root, &mut duplicates)?;
    lexer.end()?;
    Ok(Parsed { value, duplicates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).map_or_else(|e| e.0, |v| format!("{v:?}"))
    }

    #[test]
    fn syntax_errors_have_gos_texts() {
        for (text, want) in [
            ("", "unexpected end of JSON input"),
            (" {", "unexpected end of JSON input"),
            ("}", "invalid character '}' looking for beginning of value"),
            ("{a", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("01", "invalid character '1' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("trye", "invalid character 'y' in literal true (expecting 'u')"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
            ("1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"),
        ] {
            assert_eq!(error(text), want, "{text}");
        }
        assert_eq!(error(&"[".repeat(2000)), "exceeded max depth");
    }

    #[test]
    fn values_read_as_go_unstructured() {
        let parsed =
            parse(br#" {"b":[1,-0,1.0,1e2,9223372036854775808,null,true],"a":"\u00e9\ud83d\ude00\ud800\"\/"} "#);
        let want = value!({
            "a": "é😀\u{fffd}\"/",
            "b": [1, 0, (1.0), (100.0), (9_223_372_036_854_775_808.0), null, true]
        });
        assert_eq!(parsed.map(|p| p.value), Ok(want));
        assert_eq!(parse(b"\"a\xff\xe2\x82b\"").map(|p| p.value), Ok("a\u{fffd}\u{fffd}\u{fffd}b".into()));
    }

    #[test]
    fn duplicates_are_reported_with_their_path() {
        let parsed = parse(br#"{"a":[{"x":1,"x":2}],"a":[{"y":{"z":1,"z":1}}]}"#).unwrap();
        assert_eq!(parsed.duplicates, ["a[0].x", "a[0].y.z", "a"]);
        assert_eq!(to_string(&parsed.value), r#"{"a":[{"y":{"z":1}}]}"#);
    }

    #[test]
    fn text_is_written_as_go_writes_it() {
        let v = value!({"k<&>": "\u{1}\u{8}\u{c}\n\r\t\"\\/é\u{2028}\u{2029}\u{7f}", "n": [(-1), (i64::MIN)]});
        let want = r#"{"k\u003c\u0026\u003e":"\u0001\b\f\n\r\t\"\\/é\u2028\u2029"#;
        assert_eq!(to_string(&v), format!("{want}\u{7f}\",\"n\":[-1,-9223372036854775808]}}"));
        for (n, want) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (1e100, "1e+100"),
        ] {
            assert_eq!(to_string(&Value::Float(n)), want);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut text = String::new();
        for c in (0..0x3000).filter_map(char::from_u32) {
            text.push(c);
        }
        let v = value!({"a": (text.as_str()), "b": {"c": [[], {}, (1e300), (-5)]}});
        assert_eq!(parse(&to_vec(&v)).map(|p| p.value), Ok(v));
    }
}
