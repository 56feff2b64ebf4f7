//! Numbers, strings and bytes.

use super::{Parse, Parser, Stop};
use crate::ast::{Expr, Literal};
use crate::lex::{Lexeme, Token};

impl Parser<'_> {
    pub(super) fn constant(&mut self) -> Parse<Expr> {
        let first = self.take();
        let signed = first.token == Token::Minus && matches!(self.next(), Token::Int | Token::Float);
        let lexeme = if signed { self.take() } else { first };
        let text = self.text(lexeme);
        let sign = if signed { "-" } else { "" };
        let literal = match lexeme.token {
            Token::True => Literal::Bool(true),
            Token::False => Literal::Bool(false),
            Token::Null => Literal::Null,
            Token::Int => match int(sign, &text) {
                Some(n) => Literal::Int(n),
                None => return Ok(self.broken(first.start, "invalid int literal")),
            },
            Token::Uint => match uint(&text) {
                Some(n) => Literal::Uint(n),
                None => return Ok(self.broken(first.start, "invalid uint literal")),
            },
            Token::Float => match format!("{sign}{text}").parse::<f64>() {
                Ok(n) if n.is_finite() => Literal::Double(n),
                _ => return Ok(self.broken(first.start, "invalid double literal")),
            },
            Token::String | Token::Bytes => return Ok(self.quoted(lexeme, &text)),
            _ => return Err(Stop::Syntax),
        };
        Ok(self.literal(first.start, literal))
    }

    fn quoted(&mut self, lexeme: Lexeme, text: &str) -> Expr {
        let bytes = lexeme.token == Token::Bytes;
        let text = if bytes { text.get(1..).unwrap_or("") } else { text };
        match unescape(text, bytes) {
            Ok(value) if bytes => self.literal(lexeme.start, Literal::Bytes(value.into())),
            Ok(value) => self.literal(lexeme.start, Literal::String(String::from_utf8_lossy(&value).into())),
            Err(message) => self.broken(lexeme.start, message),
        }
    }
}

fn int(sign: &str, text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(&format!("{sign}{hex}"), 16).ok(),
        None => format!("{sign}{text}").parse().ok(),
    }
}

fn uint(text: &str) -> Option<u64> {
    let text = text.strip_suffix(['u', 'U'])?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The content of a quoted string that the lexer accepted. Escapes by number are bytes in bytes, code points in strings.
fn unescape(quoted: &str, bytes: bool) -> Result<Vec<u8>, &'static str> {
    let text = quoted.replace("\r\n", "\n").replace('\r', "\n");
    let raw = text.starts_with(['r', 'R']);
    let text = if raw { text.get(1..).unwrap_or("") } else { &text };
    let triple = text.len() >= 6 && (text.starts_with("'''") || text.starts_with("\"\"\""));
    let quotes = if triple { 3 } else { 1 };
    let Some(inner) = text.get(quotes..text.len().saturating_sub(quotes)) else {
        return Err("unable to unescape string");
    };
    if raw || !inner.contains('\\') {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push_char(&mut out, c);
            continue;
        }
        let escape = chars.next().ok_or("unable to unescape string, found '\\' as last character")?;
        let digits = match escape {
            'x' | 'X' => 2,
            'u' if !bytes => 4,
            'U' if !bytes => 8,
            '0'..='3' => 2,
            'u' | 'U' => return Err("unable to unescape string"),
            _ => {
                push_char(&mut out, plain(escape).ok_or("unable to unescape string")?);
                continue;
            }
        };
        let octal = escape.is_ascii_digit();
        let (radix, first) = if octal { (8, escape.to_digit(8)) } else { (16, Some(0)) };
        let mut code = first.unwrap_or(0);
        for _ in 0..digits {
            let digit = chars.next().and_then(|c| c.to_digit(radix)).ok_or("unable to unescape string")?;
            code = code.wrapping_mul(radix).wrapping_add(digit);
        }
        match u8::try_from(code) {
            Ok(byte) if bytes => out.push(byte),
            _ => push_char(&mut out, char::from_u32(code).ok_or("invalid unicode code point")?),
        }
    }
    Ok(out)
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn plain(escape: char) -> Option<char> {
    Some(match escape {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '\'' | '"' | '`' | '?' => escape,
        _ => return None,
    })
}
