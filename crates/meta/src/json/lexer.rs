//! Reading JSON text, token by token and value by value.

use super::{DEPTH_MAX, SyntaxError};
use crate::{Map, Str, Value};
use std::borrow::Cow;
use std::fmt;

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
            self.at += plain_len(bytes.get(self.at..).unwrap_or(&[]));
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
pub fn plain_len(bytes: &[u8]) -> usize {
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
