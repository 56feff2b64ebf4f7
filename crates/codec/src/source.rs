//! What a typed decode reads from: JSON text, or a tree that is already in memory. Both give the same tokens, so that one
//! walk over the schema serves requests, patches' results and the output of hooks.

use meta::json::{Lexer, Place, SyntaxError, Token};
use meta::{Map, Raw, Str, Value};
use std::borrow::Cow;
use std::ops::Deref;

/// A sequence of JSON tokens, read value by value.
pub(crate) trait Source {
    /// What the next value is; nothing is consumed.
    fn peek(&mut self) -> Result<Token, SyntaxError>;
    /// Consumes null, true or false.
    fn literal(&mut self, token: Token) -> Result<(), SyntaxError>;
    fn number(&mut self) -> Result<Number<'_>, SyntaxError>;
    fn string(&mut self) -> Result<Str, SyntaxError>;
    /// Enters an array or object.
    fn open(&mut self) -> Result<(), SyntaxError>;
    /// The next key of the object that was entered last.
    fn key(&mut self, first: bool) -> Result<Option<Key<'_>>, SyntaxError>;
    /// Whether the array that was entered last has another item.
    fn item(&mut self, first: bool) -> Result<bool, SyntaxError>;
    /// Consumes any value; paths of duplicate keys within it are added to `duplicates`.
    fn value(&mut self, duplicates: &mut Vec<String>) -> Result<Value, SyntaxError>;
    /// Consumes any value, which is not looked into.
    fn raw(&mut self) -> Result<Value, SyntaxError>;
    fn skip(&mut self) -> Result<(), SyntaxError>;
    /// Checks that nothing follows.
    fn end(&mut self) -> Result<(), SyntaxError>;
}

/// A key as it was written, or as it is held.
pub(crate) enum Key<'a> {
    Text(Cow<'a, str>),
    Held(Str),
}

impl Deref for Key<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Key::Text(text) => text,
            Key::Held(text) => text,
        }
    }
}

impl From<Key<'_>> for Str {
    fn from(key: Key) -> Str {
        match key {
            Key::Text(text) => Str::from(text),
            Key::Held(text) => text,
        }
    }
}

/// A number as it was written, or as it is held.
pub(crate) enum Number<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
}

impl Number<'_> {
    /// The value as Go's ParseInt sees the number's text: no fraction, no exponent.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Number::Int(n) => Some(*n),
            Number::Text(text) => text.parse().ok(),
            Number::Float(_) => self.text().parse().ok(),
        }
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Number::Int(n) => Some(*n as f64),
            Number::Text(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
            Number::Float(n) => Some(*n),
        }
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Number::Text(text) => Cow::Borrowed(text),
            Number::Int(n) => Cow::Owned(n.to_string()),
            Number::Float(n) => {
                let mut out = Vec::new();
                meta::json::write_float(*n, &mut out);
                Cow::Owned(String::from_utf8(out).unwrap_or_default())
            }
        }
    }
}

impl Source for Lexer<'_> {
    fn peek(&mut self) -> Result<Token, SyntaxError> {
        Lexer::peek(self)
    }

    fn literal(&mut self, token: Token) -> Result<(), SyntaxError> {
        Lexer::literal(self, token)
    }

    fn number(&mut self) -> Result<Number<'_>, SyntaxError> {
        Lexer::number(self).map(Number::Text)
    }

    fn string(&mut self) -> Result<Str, SyntaxError> {
        Lexer::string(self).map(Str::from)
    }

    fn open(&mut self) -> Result<(), SyntaxError> {
        Lexer::open(self)
    }

    fn key(&mut self, first: bool) -> Result<Option<Key<'_>>, SyntaxError> {
        Ok(Lexer::key(self, first)?.map(Key::Text))
    }

    fn item(&mut self, first: bool) -> Result<bool, SyntaxError> {
        Lexer::item(self, first)
    }

    fn value(&mut self, duplicates: &mut Vec<String>) -> Result<Value, SyntaxError> {
        Lexer::value(self, &Place::Root, duplicates)
    }

    fn raw(&mut self) -> Result<Value, SyntaxError> {
        let text = Lexer::skip(self)?;
        Ok(if text == "null" { Value::Null } else { Value::Raw(Raw::new(text)) })
    }

    fn skip(&mut self) -> Result<(), SyntaxError> {
        Lexer::skip(self).map(drop)
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        Lexer::end(self)
    }
}

/// A tree, consumed as it is read.
pub(crate) struct Tree {
    current: Value,
    open: Vec<Opened>,
}

enum Opened {
    Array(std::vec::IntoIter<Value>),
    Object(std::vec::IntoIter<(Str, Value)>),
}

impl Tree {
    pub(crate) fn new(value: Value) -> Tree {
        Tree { current: value, open: Vec::new() }
    }
}

fn token_of(value: &Value) -> Token {
    match value {
        Value::Null => Token::Null,
        Value::Bool(b) => Token::Bool(*b),
        Value::Int(_) | Value::Float(_) => Token::Number,
        Value::String(_) => Token::String,
        Value::Array(_) => Token::Array,
        Value::Object(_) => Token::Object,
        Value::Raw(raw) if raw.is_object() => Token::Object,
        Value::Raw(raw) => token_of(raw.tree()),
    }
}

impl Source for Tree {
    fn peek(&mut self) -> Result<Token, SyntaxError> {
        Ok(token_of(&self.current))
    }

    fn literal(&mut self, _: Token) -> Result<(), SyntaxError> {
        self.current = Value::Null;
        Ok(())
    }

    fn number(&mut self) -> Result<Number<'_>, SyntaxError> {
        Ok(match self.current {
            Value::Float(n) => Number::Float(n),
            ref other => Number::Int(other.int()),
        })
    }

    fn string(&mut self) -> Result<Str, SyntaxError> {
        Ok(match std::mem::take(&mut self.current) {
            Value::String(s) => s,
            other => Str::from(other.str()),
        })
    }

    fn open(&mut self) -> Result<(), SyntaxError> {
        let current = match std::mem::take(&mut self.current) {
            Value::Raw(raw) => raw.tree().clone(),
            other => other,
        };
        self.open.push(match current {
            Value::Array(items) => Opened::Array(items.into_iter()),
            Value::Object(map) => Opened::Object(map.into_entries().into_iter()),
            _ => Opened::Object(Map::new().into_entries().into_iter()),
        });
        if self.open.len() > meta::json::DEPTH_MAX as usize {
            return Err(SyntaxError("exceeded max depth".to_string()));
        }
        Ok(())
    }

    fn key(&mut self, _: bool) -> Result<Option<Key<'_>>, SyntaxError> {
        let next = match self.open.last_mut() {
            Some(Opened::Object(entries)) => entries.next(),
            _ => None,
        };
        let Some((key, value)) = next else {
            self.open.pop();
            return Ok(None);
        };
        self.current = value;
        Ok(Some(Key::Held(key)))
    }

    fn item(&mut self, _: bool) -> Result<bool, SyntaxError> {
        let next = match self.open.last_mut() {
            Some(Opened::Array(items)) => items.next(),
            _ => None,
        };
        let Some(value) = next else {
            self.open.pop();
            return Ok(false);
        };
        self.current = value;
        Ok(true)
    }

    fn value(&mut self, _: &mut Vec<String>) -> Result<Value, SyntaxError> {
        Ok(std::mem::take(&mut self.current))
    }

    fn raw(&mut self) -> Result<Value, SyntaxError> {
        Ok(std::mem::take(&mut self.current))
    }

    fn skip(&mut self) -> Result<(), SyntaxError> {
        self.current = Value::Null;
        Ok(())
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        Ok(())
    }
}
