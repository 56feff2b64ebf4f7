//! JSON text to and from a [`Value`], as Go's encoding/json and sigs.k8s.io/json read and write it. What knows
//! types is the codec crate; it shares the [`Lexer`] here.

mod lexer;
#[cfg(test)]
mod tests;
mod write;

pub use lexer::{Lexer, Place, Token, number_value, plain_len, text_of};
pub use write::{compact, to_string, to_vec, write, write_escaped, write_float, write_int, write_string};

use crate::Value;
use std::fmt;

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
