//! The text of a label selector, token by token (k8s.io/apimachinery/pkg/labels/selector.go).

use super::{Operator, Requirement};
use crate::field::{ErrorList, Path};
use crate::{Str, name};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token {
    Error,
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    GreaterThan,
    Identifier,
    In,
    LessThan,
    NotEquals,
    NotIn,
    Open,
}

const SYMBOLS: &[(&str, Token)] = &[
    (")", Token::Close),
    (",", Token::Comma),
    ("!", Token::Not),
    ("==", Token::DoubleEquals),
    ("=", Token::Equals),
    (">", Token::GreaterThan),
    ("<", Token::LessThan),
    ("!=", Token::NotEquals),
    ("(", Token::Open),
];

fn is_symbol(b: u8) -> bool {
    matches!(b, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn symbol(text: &str) -> Option<Token> {
    SYMBOLS.iter().find(|(s, _)| *s == text).map(|(_, t)| *t)
}

/// The tokens of a selector, ended by [`Token::End`]. A NUL ends the text, as in upstream's lexer.
pub(super) fn scan(text: &str) -> Vec<(Token, &str)> {
    let text = text.split('\0').next().unwrap_or("");
    let bytes = text.as_bytes();
    let run = |from: usize, keep: fn(u8) -> bool| {
        from + bytes.get(from..).unwrap_or(&[]).iter().take_while(|b| keep(**b)).count()
    };
    let mut tokens = Vec::new();
    let mut at = run(0, is_space);
    while at < bytes.len() {
        let symbols = run(at, is_symbol);
        let end = if symbols > at {
            // the longest symbol that the run begins with
            [2, 1]
                .into_iter()
                .map(|n| at + n)
                .find(|e| *e <= symbols && symbol(&text[at..*e]).is_some())
                .unwrap_or(symbols)
        } else {
            run(at, |b| !is_symbol(b) && !is_space(b))
        };
        let word = &text[at..end];
        let token = match word {
            "in" => Token::In,
            "notin" => Token::NotIn,
            _ if symbols > at => symbol(word).unwrap_or(Token::Error),
            _ => Token::Identifier,
        };
        tokens.push((token, word));
        at = run(end, is_space);
    }
    tokens.push((Token::End, ""));
    tokens
}

pub(super) struct Parser<'a> {
    pub(super) tokens: Vec<(Token, &'a str)>,
    pub(super) at: usize,
}

impl<'a> Parser<'a> {
    /// The next token; `in` and `notin` are words wherever a value may stand.
    fn peek(&self) -> (Token, &'a str) {
        match self.tokens.get(self.at).copied().unwrap_or((Token::End, "")) {
            (Token::In | Token::NotIn, word) => (Token::Identifier, word),
            other => other,
        }
    }

    fn take(&mut self) -> (Token, &'a str) {
        let next = self.peek();
        self.at += 1;
        next
    }

    fn take_operator(&mut self) -> (Token, &'a str) {
        let next = self.tokens.get(self.at).copied().unwrap_or((Token::End, ""));
        self.at += 1;
        next
    }

    pub(super) fn parse(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {}
                (Token::End, _) => return Ok(requirements),
                (_, word) => return Err(format!("found '{word}', expected: !, identifier, or 'end of string'")),
            }
            let requirement = self.parse_requirement().map_err(|e| format!("unable to parse requirement: {e}"))?;
            requirements.push(requirement);
            match self.take() {
                (Token::End, _) => return Ok(requirements),
                (Token::Comma, _) => match self.peek() {
                    (Token::Identifier | Token::Not, _) => {}
                    (_, word) => return Err(format!("found '{word}', expected: identifier after ','")),
                },
                (_, word) => return Err(format!("found '{word}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn parse_requirement(&mut self) -> Result<Requirement, String> {
        let mut next = self.take();
        let negated = next.0 == Token::Not;
        if negated {
            next = self.take();
        }
        let (Token::Identifier, key) = next else {
            return Err(format!("found '{}', expected: identifier", next.1));
        };
        let bad = name::qualified_name(key);
        if !bad.is_empty() {
            let mut errs = ErrorList::new();
            errs.invalid(&Path::root(), key, &bad.join("; "));
            return Err(errs.message());
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = self.parse_operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.parse_values()?,
            _ => self.parse_value()?,
        };
        Requirement::new(key, operator, values)
    }

    fn parse_operator(&mut self) -> Result<Operator, String> {
        Ok(match self.take_operator() {
            (Token::In, _) => Operator::In,
            (Token::Equals, _) => Operator::Equals,
            (Token::DoubleEquals, _) => Operator::DoubleEquals,
            (Token::GreaterThan, _) => Operator::GreaterThan,
            (Token::LessThan, _) => Operator::LessThan,
            (Token::NotIn, _) => Operator::NotIn,
            (Token::NotEquals, _) => Operator::NotEquals,
            (_, word) => return Err(format!("found '{word}', expected: in, notin, =, ==, !=, gt, lt")),
        })
    }

    fn parse_value(&mut self) -> Result<Vec<Str>, String> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(vec![Str::default()]);
        }
        match self.take() {
            (Token::Identifier, word) => Ok(vec![word.into()]),
            (_, word) => Err(format!("found '{word}', expected: identifier")),
        }
    }

    /// `(a,b)`; empty places are the empty value.
    fn parse_values(&mut self) -> Result<Vec<Str>, String> {
        let (token, word) = self.take();
        if token != Token::Open {
            return Err(format!("found '{word}' expected: '('"));
        }
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {}
            (Token::Close, _) => {
                self.take();
                return Ok(vec![Str::default()]);
            }
            (_, word) => return Err(format!("found '{word}', expected: ',', ')' or identifier")),
        }
        let mut values: Vec<Str> = Vec::new();
        loop {
            match self.take() {
                (Token::Identifier, word) => {
                    values.push(word.into());
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => break,
                        (_, word) => return Err(format!("found '{word}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() || self.peek().0 == Token::Comma {
                        values.push(Str::default());
                    }
                    if self.peek().0 == Token::Close {
                        values.push(Str::default());
                        break;
                    }
                }
                (_, word) => return Err(format!("found '{word}', expected: ',', or identifier")),
            }
        }
        self.take();
        Ok(values)
    }
}
