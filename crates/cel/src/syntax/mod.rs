//! What is wrong with text that is no expression, in the words of the parser that ANTLR generates from CEL's grammar.
//!
//! Clients see those words, and they follow from how ANTLR's parsers predict, report and recover. So the grammar stands
//! here a second time, as a network of states ([`network`]), and a walk over it ([`walk`]) does what the generated parser
//! does. Only texts that [`crate::parse`] refused come here.

mod follow;
mod grammar;
mod network;
mod predict;
mod walk;

use crate::lex::{Lexeme, NAMES, Token, Unknown};
use crate::source::{Issues, Place};

/// Upstream stops at more syntax errors than this.
const REPORTS_MAX: usize = 100;

/// Adds to `issues` what the generated lexer and parser would report.
pub fn explain(chars: &[char], tokens: &[Lexeme], unknown: &[Unknown], issues: &mut Issues) {
    for piece in unknown.iter().take(REPORTS_MAX) {
        let message = format!("Syntax error: token recognition error at: '{}'", escaped(&piece.text));
        issues.add_at(piece.start, message);
    }
    let reports = walk::walk(chars, tokens, REPORTS_MAX.saturating_sub(unknown.len()));
    for report in reports {
        if chars.is_empty() {
            // The end of an empty text has no column.
            issues.add(Place { line: 1, column: -1 }, report.message);
            continue;
        }
        match report.at {
            Some(at) => issues.add_at(at, report.message),
            None => issues.add(Place::NONE, report.message),
        }
    }
    if issues.is_empty() {
        // A difference between the two grammars; there is none that tests know of.
        issues.add(Place::NONE, "Syntax error: invalid expression");
    }
}

/// Something the parser reports; `at` is an offset, absent for what has no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    at: Option<u32>,
    message: String,
}

fn escaped(text: &str) -> String {
    text.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// A set of tokens, and whether the end of a rule may come instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Set {
    bits: u64,
    epsilon: bool,
}

impl Set {
    fn of(tokens: &[Token]) -> Set {
        tokens.iter().fold(Set::default(), |set, token| set.with(*token))
    }

    fn with(self, token: Token) -> Set {
        Set { bits: self.bits | 1 << (token as u8), ..self }
    }

    fn or(self, other: Set) -> Set {
        Set { bits: self.bits | other.bits, epsilon: self.epsilon || other.epsilon }
    }

    fn has(self, token: Token) -> bool {
        self.bits & 1 << (token as u8) != 0
    }
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let names = NAMES.iter().enumerate().filter(|(bit, _)| self.bits & 1 << bit != 0);
        let names: Vec<&str> = names.map(|(_, name)| *name).collect();
        match names.as_slice() {
            [one] => f.write_str(one),
            many => write!(f, "{{{}}}", many.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
