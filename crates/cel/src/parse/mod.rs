//! Text to a tree, by CEL's grammar. What does not parse is given to [`crate::syntax`] for upstream's words about it.
//!
//! One loop over precedences stands for the grammar's five levels of binary operators, so that a level of nesting costs
//! few frames of the stack.

mod literal;
mod logic;
mod macros;
mod postfix;

use crate::ast::{Call, Expr, Kind, Literal};
use crate::lex::{self, Lexeme, Token};
use crate::source::{Issues, Place, Source};
use crate::syntax;

/// How deep an expression may nest, and how many operators of one kind may follow each other: upstream's limit.
pub const DEPTH_MAX: u32 = 250;
/// Longer expressions (code points) are refused unread.
pub const CODE_POINTS_MAX: usize = 100_000;

/// What accumulates the result of a macro; no expression can name it.
pub const ACCU: &str = "@result";

const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "null",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A parsed expression and how many nodes were numbered.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub root: Expr,
    pub nodes: u32,
}

/// Why parsing ended early; the issue itself is written by who catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Syntax,
    TooDeep,
}

type Parse<T> = Result<T, Stop>;

/// `bindings`: there is the macro `cel.bind`.
pub fn parse(source: &Source, bindings: bool) -> Result<Parsed, Issues> {
    let chars: Vec<char> = source.text().chars().collect();
    let mut issues = Issues::new(source.clone());
    if chars.len() > CODE_POINTS_MAX {
        let message =
            format!("expression code point size exceeds limit: size: {}, limit {CODE_POINTS_MAX}", chars.len());
        issues.add(Place::NONE, message);
        return Err(issues);
    }
    let (tokens, unknown) = lex::tokens(&chars);
    let mut parser = Parser { chars: &chars, tokens: &tokens, at: 0, nodes: 0, depth: 0, issues, bindings };
    let outcome = if unknown.is_empty() { parser.whole() } else { Err(Stop::Syntax) };
    let Parser { nodes, mut issues, .. } = parser;
    match outcome {
        Ok(root) if issues.is_empty() => return Ok(Parsed { root, nodes }),
        Ok(_) => {}
        Err(Stop::TooDeep) => {
            issues.add(Place::NONE, format!("expression recursion limit exceeded: {DEPTH_MAX}"));
        }
        Err(Stop::Syntax) => syntax::explain(&chars, &tokens, &unknown, &mut issues),
    }
    Err(issues)
}

struct Parser<'a> {
    chars: &'a [char],
    tokens: &'a [Lexeme],
    at: usize,
    nodes: u32,
    depth: u32,
    issues: Issues,
    bindings: bool,
}

/// The functions of binary operators with how strongly they bind: `||` and `&&` are apart, since they balance.
fn binary(token: Token) -> Option<(u8, &'static str)> {
    Some(match token {
        Token::Less => (1, "_<_"),
        Token::LessEquals => (1, "_<=_"),
        Token::GreaterEquals => (1, "_>=_"),
        Token::Greater => (1, "_>_"),
        Token::Equals => (1, "_==_"),
        Token::NotEquals => (1, "_!=_"),
        Token::In => (1, "@in"),
        Token::Plus => (2, "_+_"),
        Token::Minus => (2, "_-_"),
        Token::Star => (3, "_*_"),
        Token::Slash => (3, "_/_"),
        Token::Percent => (3, "_%_"),
        _ => return None,
    })
}

impl Parser<'_> {
    fn whole(&mut self) -> Parse<Expr> {
        let root = self.expr()?;
        self.expect(Token::Eof)?;
        Ok(root)
    }

    fn lexeme(&self, ahead: usize) -> Lexeme {
        let end = Lexeme { token: Token::Eof, start: 0, end: 0 };
        let last = self.tokens.last().copied().unwrap_or(end);
        self.tokens.get(self.at + ahead).copied().unwrap_or(last)
    }

    fn next(&self) -> Token {
        self.lexeme(0).token
    }

    fn take(&mut self) -> Lexeme {
        let lexeme = self.lexeme(0);
        self.at += 1;
        lexeme
    }

    fn eat(&mut self, token: Token) -> Option<Lexeme> {
        (self.next() == token).then(|| self.take())
    }

    fn expect(&mut self, token: Token) -> Parse<Lexeme> {
        self.eat(token).ok_or(Stop::Syntax)
    }

    fn text(&self, lexeme: Lexeme) -> String {
        self.chars.get(lexeme.start as usize..lexeme.end as usize).unwrap_or(&[]).iter().collect()
    }

    fn node(&mut self, at: u32, kind: Kind) -> Expr {
        let id = self.nodes;
        self.nodes += 1;
        Expr { id, at, kind }
    }

    fn call(&mut self, at: u32, function: &str, args: Vec<Expr>) -> Expr {
        self.node(at, Kind::Call(Box::new(Call { target: None, function: function.into(), args })))
    }

    fn broken(&mut self, at: u32, message: impl Into<String>) -> Expr {
        self.issues.add_at(at, message);
        self.node(at, Kind::Broken)
    }

    /// Counts one level more; the caller takes it back with [`Parser::leave`].
    fn enter(&mut self) -> Parse<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(Stop::TooDeep) } else { Ok(()) }
    }

    fn leave(&mut self, levels: u32) {
        self.depth = self.depth.saturating_sub(levels);
    }

    fn expr(&mut self) -> Parse<Expr> {
        self.enter()?;
        let condition = self.logic(Token::Or)?;
        let whole = match self.eat(Token::Question) {
            None => condition,
            Some(op) => {
                let yes = self.logic(Token::Or)?;
                self.expect(Token::Colon)?;
                let no = self.expr()?;
                self.call(op.start, "_?_:_", vec![condition, yes, no])
            }
        };
        self.leave(1);
        Ok(whole)
    }

    /// Terms joined by `||` (of terms joined by `&&`), as a balanced tree: a thousand terms are not a thousand deep.
    fn logic(&mut self, token: Token) -> Parse<Expr> {
        let term = |parser: &mut Self| match token {
            Token::Or => parser.logic(Token::And),
            _ => parser.operators(1),
        };
        let first = term(self)?;
        if self.next() != token {
            return Ok(first);
        }
        let (mut terms, mut ops) = (vec![first], vec![]);
        while let Some(op) = self.eat(token) {
            ops.push(op.start);
            terms.push(term(self)?);
        }
        Ok(self.balanced(if token == Token::Or { "_||_" } else { "_&&_" }, terms, &ops))
    }

    fn operators(&mut self, binding_min: u8) -> Parse<Expr> {
        let mut left = self.unary()?;
        let mut levels = 0;
        while let Some((binding, function)) = binary(self.next()).filter(|(binding, _)| *binding >= binding_min) {
            let op = self.take();
            // Each operator nests the whole before it one deeper.
            self.enter()?;
            levels += 1;
            let right = self.operators(binding + 1)?;
            left = self.call(op.start, function, vec![left, right]);
        }
        self.leave(levels);
        Ok(left)
    }

    fn unary(&mut self) -> Parse<Expr> {
        let op = self.next();
        let signs = match op {
            Token::Exclam => self.count(Token::Exclam),
            Token::Minus if !self.is_signed_literal(0) => self.count(Token::Minus),
            _ => return self.member(),
        };
        let at = self.lexeme(0).start;
        self.at += signs;
        // A sign directly before a number is the number's own, unless it was counted.
        let operand = self.member()?;
        if signs % 2 == 0 {
            return Ok(operand);
        }
        Ok(self.call(at, if op == Token::Exclam { "!_" } else { "-_" }, vec![operand]))
    }

    fn count(&self, token: Token) -> usize {
        (0..).take_while(|ahead| self.lexeme(*ahead).token == token).count()
    }

    fn is_signed_literal(&self, ahead: usize) -> bool {
        self.lexeme(ahead).token == Token::Minus && matches!(self.lexeme(ahead + 1).token, Token::Int | Token::Float)
    }

    fn literal(&mut self, at: u32, literal: Literal) -> Expr {
        self.node(at, Kind::Literal(literal))
    }
}
