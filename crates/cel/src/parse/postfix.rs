//! Primaries and what may follow them: selections, calls and indexes; lists, maps and objects.

use super::{Parse, Parser, RESERVED, Stop};
use crate::ast::{Call, Literal};
use crate::ast::{Entry, Expr, Field, Item, Kind, Select, Struct};
use crate::lex::{Lexeme, Token};

impl Parser<'_> {
    pub(super) fn member(&mut self) -> Parse<Expr> {
        let mut operand = self.primary()?;
        let mut levels = 0;
        loop {
            let op = self.lexeme(0);
            if !matches!(op.token, Token::Dot | Token::LBracket) {
                break;
            }
            self.enter()?;
            levels += 1;
            self.at += 1;
            operand = match op.token {
                Token::Dot => self.selection(op, operand)?,
                _ => self.index(op, operand)?,
            };
        }
        self.leave(levels);
        Ok(operand)
    }

    fn selection(&mut self, dot: Lexeme, operand: Expr) -> Parse<Expr> {
        let optional = self.eat(Token::Question).is_some();
        if !optional && self.next() == Token::Ident && self.lexeme(1).token == Token::LParen {
            let name = self.take();
            let open = self.take();
            let args = self.arguments()?;
            let function = self.text(name);
            return Ok(self.call_or_macro(open.start, &function, Some(operand), args));
        }
        let (at, field) = self.field_name()?;
        if optional {
            let name = self.literal(at, Literal::String(field.into()));
            return Ok(self.call(dot.start, "_?._", vec![operand, name]));
        }
        let select = Select { operand, field: field.into(), test: false };
        Ok(self.node(dot.start, Kind::Select(Box::new(select))))
    }

    /// A field's name, plain or between backticks, and its offset.
    fn field_name(&mut self) -> Parse<(u32, String)> {
        let lexeme = self.take();
        let text = self.text(lexeme);
        match lexeme.token {
            Token::Ident => Ok((lexeme.start, text)),
            Token::EscIdent => {
                // Kubernetes does not enable cel-go's backticks: its schemas' names are escaped with underscores.
                self.issues.add_at(lexeme.start, "unsupported syntax: '`'");
                Ok((lexeme.start, text))
            }
            _ => Err(Stop::Syntax),
        }
    }

    fn index(&mut self, open: Lexeme, operand: Expr) -> Parse<Expr> {
        let function = if self.eat(Token::Question).is_some() { "_[?_]" } else { "_[_]" };
        let index = self.expr()?;
        self.expect(Token::RBracket)?;
        Ok(self.call(open.start, function, vec![operand, index]))
    }

    /// The arguments of a call and its closing parenthesis.
    fn arguments(&mut self) -> Parse<Vec<Expr>> {
        let mut args = Vec::new();
        if self.eat(Token::RParen).is_some() {
            return Ok(args);
        }
        loop {
            args.push(self.expr()?);
            if self.eat(Token::Comma).is_none() {
                self.expect(Token::RParen)?;
                return Ok(args);
            }
        }
    }

    fn primary(&mut self) -> Parse<Expr> {
        let first = self.lexeme(0);
        match first.token {
            Token::Ident => self.name(false),
            Token::Dot => {
                self.at += 1;
                if self.next() != Token::Ident {
                    return Err(Stop::Syntax);
                }
                self.name(true)
            }
            Token::LParen => {
                self.at += 1;
                let inner = self.expr()?;
                self.expect(Token::RParen)?;
                Ok(inner)
            }
            Token::LBracket => self.list(),
            Token::LBrace => self.map(),
            _ => self.constant(),
        }
    }

    /// An identifier, a call of a function, or the construction of an object.
    fn name(&mut self, absolute: bool) -> Parse<Expr> {
        if let Some(length) = self.struct_name_length() {
            return self.object(absolute, length);
        }
        let start = if absolute { self.lexeme(0).start.saturating_sub(1) } else { self.lexeme(0).start };
        let lexeme = self.take();
        let text = self.text(lexeme);
        let called = self.eat(Token::LParen);
        let args = match called {
            Some(_) => self.arguments()?,
            None => Vec::new(),
        };
        if RESERVED.contains(&text.as_str()) {
            return Ok(self.broken(start, format!("reserved identifier: {text}")));
        }
        let name = if absolute { format!(".{text}") } else { text };
        match called {
            Some(open) => Ok(self.call_or_macro(open.start, &name, None, args)),
            None => Ok(self.node(lexeme.start, Kind::Ident(name.into()))),
        }
    }

    /// How many tokens the name before a brace has, when that is what comes.
    fn struct_name_length(&self) -> Option<usize> {
        let mut length = 1;
        loop {
            match self.lexeme(length).token {
                Token::LBrace => return Some(length),
                Token::Dot if self.lexeme(length + 1).token == Token::Ident => length += 2,
                _ => return None,
            }
        }
    }

    fn object(&mut self, absolute: bool, length: usize) -> Parse<Expr> {
        let mut name = String::from(if absolute { "." } else { "" });
        for _ in 0..length {
            let part = self.take();
            name.push_str(&self.text(part));
        }
        let open = self.expect(Token::LBrace)?;
        let mut fields = Vec::new();
        while self.next() != Token::RBrace && self.next() != Token::Comma {
            let optional = self.eat(Token::Question).is_some();
            let (_, name) = self.field_name()?;
            let colon = self.expect(Token::Colon)?;
            let value = self.expr()?;
            fields.push(Field { at: colon.start, name: name.into(), value, optional });
            if !self.continues(Token::RBrace)? {
                break;
            }
        }
        self.finish(Token::RBrace)?;
        Ok(self.node(open.start, Kind::Struct(Box::new(Struct { name: name.into(), fields }))))
    }

    fn map(&mut self) -> Parse<Expr> {
        let open = self.take();
        let mut entries = Vec::new();
        while self.next() != Token::RBrace && self.next() != Token::Comma {
            let optional = self.eat(Token::Question).is_some();
            let key = self.expr()?;
            self.expect(Token::Colon)?;
            let value = self.expr()?;
            entries.push(Entry { key, value, optional });
            if !self.continues(Token::RBrace)? {
                break;
            }
        }
        self.finish(Token::RBrace)?;
        Ok(self.node(open.start, Kind::Map(entries)))
    }

    fn list(&mut self) -> Parse<Expr> {
        let open = self.take();
        let mut items = Vec::new();
        while self.next() != Token::RBracket && self.next() != Token::Comma {
            let optional = self.eat(Token::Question).is_some();
            items.push(Item { value: self.expr()?, optional });
            if !self.continues(Token::RBracket)? {
                break;
            }
        }
        self.finish(Token::RBracket)?;
        Ok(self.node(open.start, Kind::List(items)))
    }

    /// Whether another element follows: a comma does, unless `close` follows it.
    fn continues(&mut self, close: Token) -> Parse<bool> {
        if self.next() != Token::Comma {
            return if self.next() == close { Ok(false) } else { Err(Stop::Syntax) };
        }
        if self.lexeme(1).token == close {
            return Ok(false);
        }
        self.at += 1;
        Ok(true)
    }

    /// The end of a list, map or object, with the comma that may stand before it.
    fn finish(&mut self, close: Token) -> Parse<()> {
        self.eat(Token::Comma);
        self.expect(close).map(|_| ())
    }

    fn call_or_macro(&mut self, at: u32, function: &str, target: Option<Expr>, args: Vec<Expr>) -> Expr {
        match self.expand(at, function, target, args) {
            Ok(expanded) => expanded,
            Err((target, args)) => {
                self.node(at, Kind::Call(Box::new(Call { target, function: function.into(), args })))
            }
        }
    }
}
