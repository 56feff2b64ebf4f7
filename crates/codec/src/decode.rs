//! Decoding request bodies, and bringing trees that patches and hooks made into canonical form.

use crate::canonical::is_canonical_stored;
use crate::empties::Empties;
use crate::source::{Source, Tree};
use crate::typed::{Abort, Walk, is_custom_kind};
use meta::json::{Lexer, SyntaxError, Token, text_of};
use meta::{Str, Value};
use schema::{Schema, TypeId};
use std::fmt;

/// A body, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The object in canonical form.
    pub value: Value,
    /// What strict decoding objects to, in upstream's order: `unknown field "spec.foo"`, `duplicate field "spec.bar"`.
    pub strict: Vec<String>,
    /// The empty lists and maps that it had.
    pub empties: Empties,
}

/// What is known of a tree beside its canonical form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// As [`Decoded::strict`].
    pub strict: Vec<String>,
    /// As [`Decoded::empties`].
    pub empties: Empties,
}

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub stage: Stage,
    /// Upstream's text, without what the endpoint puts before it.
    pub text: String,
}

/// How far a decode came; the endpoint's message differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The kind could not be found out: `the object provided is unrecognized (must be of type …): TEXT (…)`.
    Kind,
    /// The kind is known: `Pod in version "v1" cannot be handled as a Pod: TEXT`.
    Body,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    pub(crate) fn kind(text: impl Into<String>) -> DecodeError {
        DecodeError { stage: Stage::Kind, text: text.into() }
    }

    pub(crate) fn body(text: impl Into<String>) -> DecodeError {
        DecodeError { stage: Stage::Body, text: text.into() }
    }

    /// Upstream looks for the kind before all else, and so meets bad syntax there.
    pub(crate) fn syntax(error: SyntaxError) -> DecodeError {
        DecodeError::kind(format!("couldn't get version/kind; json parse error: {error}"))
    }
}

/// `apiVersion` and `kind` of a JSON body; "" where they are missing. Reads the whole body, whose syntax is checked.
pub fn kind_of_json(body: &[u8]) -> Result<(Str, Str), DecodeError> {
    let text = text_of(body);
    let mut lexer = Lexer::new(&text);
    read_kind(&mut lexer).map_err(DecodeError::syntax)
}

fn read_kind(lexer: &mut Lexer) -> Result<(Str, Str), SyntaxError> {
    let mut found = (Str::default(), Str::default());
    let mut wrong = None;
    let token = lexer.peek()?;
    if token == Token::Object {
        lexer.open()?;
        let mut first = true;
        while let Some(key) = lexer.key(first)? {
            first = false;
            let slot = match key.as_ref() {
                "apiVersion" => &mut found.0,
                "kind" => &mut found.1,
                _ => {
                    lexer.skip()?;
                    continue;
                }
            };
            match lexer.peek()? {
                Token::String => *slot = Str::from(lexer.string()?),
                Token::Null => drop(lexer.skip()?),
                token => {
                    lexer.skip()?;
                    wrong.get_or_insert((token, format!("Go struct field .{key} of type string")));
                }
            }
        }
    } else {
        lexer.skip()?;
        if token != Token::Null {
            let go_type = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
            wrong = Some((token, format!("Go value of type {go_type}")));
        }
    }
    lexer.end()?;
    match wrong {
        None => Ok(found),
        Some((token, place)) => {
            let found = crate::typed::token_name(token);
            Err(SyntaxError(format!("json: cannot unmarshal {found} into {place}")))
        }
    }
}

/// Decodes a JSON body as an object of a type.
pub fn decode_json(schema: &Schema, ty: TypeId, body: &[u8]) -> Result<Decoded, DecodeError> {
    let text = text_of(body);
    finish(Walk::new(schema, Lexer::new(&text)), ty).map_err(|abort| match abort {
        Abort::Syntax(error) => DecodeError::syntax(error),
        Abort::Value(error) => match check_syntax(&text) {
            Err(syntax) => DecodeError::syntax(syntax),
            Ok(()) => DecodeError::body(error),
        },
    })
}

fn check_syntax(text: &str) -> Result<(), SyntaxError> {
    let mut lexer = Lexer::new(text);
    lexer.skip()?;
    lexer.end()
}

/// Decodes a tree as an object of a type, in key order.
pub(crate) fn decode_tree(schema: &Schema, ty: TypeId, value: Value) -> Result<Decoded, DecodeError> {
    finish_tree(Walk::new(schema, Tree::new(value)), ty)
}

fn finish_tree(walk: Walk<Tree>, ty: TypeId) -> Result<Decoded, DecodeError> {
    finish(walk, ty).map_err(|abort| match abort {
        Abort::Syntax(error) => DecodeError::body(error.to_string()),
        Abort::Value(error) => DecodeError::body(error),
    })
}

fn finish<S: Source>(mut walk: Walk<S>, ty: TypeId) -> Result<Decoded, Abort> {
    let value = walk.root(ty)?;
    if is_custom_kind(walk.schema.ty(ty)) {
        order_custom(&mut walk.strict);
    }
    match walk.saved {
        Some(error) => Err(Abort::Value(error)),
        None => Ok(Decoded { value, strict: walk.strict, empties: walk.empties }),
    }
}

/// Upstream finds a custom resource's duplicates when it reads the body, then decodes the metadata, then prunes, which sorts.
fn order_custom(strict: &mut [String]) {
    strict.sort_by_cached_key(|finding| match finding.split_once(" field \"") {
        Some(("duplicate", _)) => (0, String::new()),
        Some((_, path)) if path.starts_with("metadata.") => (1, String::new()),
        _ => (2, finding.clone()),
    });
}

/// Brings a tree into canonical form, as a decode of its JSON would; returns what was found on the way. On an error the
/// tree is lost. For what patches leave behind.
pub fn canonicalise(schema: &Schema, ty: TypeId, value: &mut Value) -> Result<Findings, DecodeError> {
    let decoded = decode_tree(schema, ty, std::mem::take(value))?;
    *value = decoded.value;
    Ok(Findings { strict: decoded.strict, empties: decoded.empties })
}

/// The same for an object that is going to be stored: empty lists and maps that are always written become null.
pub fn canonicalise_stored(schema: &Schema, ty: TypeId, value: &mut Value) -> Result<Vec<String>, DecodeError> {
    if is_canonical_stored(schema, ty, value) {
        return Ok(Vec::new());
    }
    let mut walk = Walk::new(schema, Tree::new(std::mem::take(value)));
    walk.stored = true;
    let decoded = finish_tree(walk, ty)?;
    *value = decoded.value;
    Ok(decoded.strict)
}
