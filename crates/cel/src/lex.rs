//! Text to tokens, by the lexer rules of CEL's grammar; what is no token is reported in ANTLR's words.

/// The kinds of tokens, in the order of the grammar: sets of expected tokens are printed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Token {
    Eof,
    Equals,
    NotEquals,
    In,
    Less,
    LessEquals,
    GreaterEquals,
    Greater,
    And,
    Or,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    LParen,
    RParen,
    Dot,
    Comma,
    Minus,
    Exclam,
    Question,
    Colon,
    Plus,
    Star,
    Slash,
    Percent,
    True,
    False,
    Null,
    Float,
    Int,
    Uint,
    String,
    Bytes,
    Ident,
    EscIdent,
}

/// How messages call every token, in the order of [`Token`].
pub const NAMES: [&str; 36] = [
    "<EOF>",
    "'=='",
    "'!='",
    "'in'",
    "'<'",
    "'<='",
    "'>='",
    "'>'",
    "'&&'",
    "'||'",
    "'['",
    "']'",
    "'{'",
    "'}'",
    "'('",
    "')'",
    "'.'",
    "','",
    "'-'",
    "'!'",
    "'?'",
    "':'",
    "'+'",
    "'*'",
    "'/'",
    "'%'",
    "'true'",
    "'false'",
    "'null'",
    "NUM_FLOAT",
    "NUM_INT",
    "NUM_UINT",
    "STRING",
    "BYTES",
    "IDENTIFIER",
    "ESC_IDENTIFIER",
];

/// A token in the text: its kind, the offset of its first code point, and its code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lexeme {
    pub token: Token,
    pub start: u32,
    pub end: u32,
}

/// A piece of text that starts no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub start: u32,
    pub text: String,
}

/// The tokens of `chars`, an end-of-file token last, and what is none.
pub fn tokens(chars: &[char]) -> (Vec<Lexeme>, Vec<Unknown>) {
    let mut lexer = Lexer { chars, at: 0 };
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    while let Some(c) = lexer.peek(0) {
        let start = lexer.at;
        if is_space(c) {
            lexer.at += 1;
            continue;
        }
        if c == '/' && lexer.peek(1) == Some('/') {
            while lexer.peek(0).is_some_and(|c| c != '\n') {
                lexer.at += 1;
            }
            continue;
        }
        match lexer.token() {
            Ok((token, end)) => {
                found.push(Lexeme { token, start: small(start), end: small(end) });
                lexer.at = end;
            }
            Err(failed) => {
                let end = (failed + 1).min(chars.len());
                unknown
                    .push(Unknown { start: small(start), text: chars.get(start..end).unwrap_or(&[]).iter().collect() });
                lexer.at = end.max(start + 1);
            }
        }
    }
    found.push(Lexeme { token: Token::Eof, start: small(chars.len()), end: small(chars.len()) });
    (found, unknown)
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn is_space(c: char) -> bool {
    matches!(c, '\t' | ' ' | '\r' | '\n' | '\u{c}')
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

/// A token with the offset after it, or the offset of the character at which matching failed.
type Matched = Result<(Token, usize), usize>;

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.get(self.at + ahead)
    }

    fn get(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    fn token(&self) -> Matched {
        let c = self.peek(0).unwrap_or('\0');
        let next = self.peek(1);
        if let Some(quoted) = self.quoted(c) {
            return quoted;
        }
        if c.is_ascii_alphabetic() || c == '_' {
            return Ok(self.word());
        }
        if c.is_ascii_digit() || (c == '.' && next.is_some_and(|c| c.is_ascii_digit())) {
            return Ok(self.number());
        }
        if c == '`' {
            return self.escaped();
        }
        self.symbol(c, next)
    }

    fn symbol(&self, c: char, next: Option<char>) -> Matched {
        let two = match (c, next) {
            ('=', Some('=')) => Some(Token::Equals),
            ('!', Some('=')) => Some(Token::NotEquals),
            ('<', Some('=')) => Some(Token::LessEquals),
            ('>', Some('=')) => Some(Token::GreaterEquals),
            ('&', Some('&')) => Some(Token::And),
            ('|', Some('|')) => Some(Token::Or),
            _ => None,
        };
        if let Some(token) = two {
            return Ok((token, self.at + 2));
        }
        let one = match c {
            '<' => Token::Less,
            '>' => Token::Greater,
            '[' => Token::LBracket,
            ']' => Token::RBracket,
            '{' => Token::LBrace,
            '}' => Token::RBrace,
            '(' => Token::LParen,
            ')' => Token::RParen,
            '.' => Token::Dot,
            ',' => Token::Comma,
            '-' => Token::Minus,
            '!' => Token::Exclam,
            '?' => Token::Question,
            ':' => Token::Colon,
            '+' => Token::Plus,
            '*' => Token::Star,
            '/' => Token::Slash,
            '%' => Token::Percent,
            // The first half of a token of two characters fails at the second.
            '=' | '&' | '|' => return Err(self.at + 1),
            _ => return Err(self.at),
        };
        Ok((one, self.at + 1))
    }

    fn word(&self) -> (Token, usize) {
        let mut end = self.at;
        while self.get(end).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            end += 1;
        }
        let text: String = self.chars.get(self.at..end).unwrap_or(&[]).iter().collect();
        let token = match text.as_str() {
            "in" => Token::In,
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            _ => Token::Ident,
        };
        (token, end)
    }

    fn digits(&self, from: usize, is_digit: impl Fn(char) -> bool) -> usize {
        let mut end = from;
        while self.get(end).is_some_and(&is_digit) {
            end += 1;
        }
        end
    }

    fn number(&self) -> (Token, usize) {
        let decimal = |c: char| c.is_ascii_digit();
        let mut end = self.digits(self.at, decimal);
        let hexadecimal = end == self.at + 1 && self.peek(0) == Some('0') && self.get(end) == Some('x');
        if hexadecimal && self.get(end + 1).is_some_and(|c| c.is_ascii_hexdigit()) {
            end = self.digits(end + 1, |c| c.is_ascii_hexdigit());
            return self.unsigned(Token::Int, end);
        }
        let mut token = Token::Int;
        if self.get(end) == Some('.') && self.get(end + 1).is_some_and(decimal) {
            (token, end) = (Token::Float, self.digits(end + 1, decimal));
        }
        if self.get(end).is_some_and(|c| c == 'e' || c == 'E') {
            let sign = usize::from(self.get(end + 1).is_some_and(|c| c == '+' || c == '-'));
            if self.get(end + 1 + sign).is_some_and(decimal) {
                (token, end) = (Token::Float, self.digits(end + 1 + sign, decimal));
            }
        }
        self.unsigned(token, end)
    }

    fn unsigned(&self, token: Token, end: usize) -> (Token, usize) {
        match self.get(end) {
            Some('u' | 'U') if token == Token::Int => (Token::Uint, end + 1),
            _ => (token, end),
        }
    }

    fn escaped(&self) -> Matched {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' ');
        let end = self.digits(self.at + 1, part);
        match self.get(end) {
            Some('`') if end > self.at + 1 => Ok((Token::EscIdent, end + 1)),
            _ => Err(end),
        }
    }

    /// A string or bytes token, or `None` when none starts here.
    fn quoted(&self, c: char) -> Option<Matched> {
        let mut at = self.at;
        let bytes = c == 'b' || c == 'B';
        at += usize::from(bytes);
        let raw = self.get(at).is_some_and(|c| c == 'r' || c == 'R');
        at += usize::from(raw);
        let quote = self.get(at).filter(|c| *c == '"' || *c == '\'')?;
        let token = if bytes { Token::Bytes } else { Token::String };
        let triple = self.get(at + 1) == Some(quote) && self.get(at + 2) == Some(quote);
        let end = if triple { self.triple(at + 3, quote, raw) } else { self.single(at + 1, quote, raw) };
        Some(match end {
            Ok(end) => Ok((token, end)),
            // `""` of a triple quote that never closes is a token of its own.
            Err(_) if triple => Ok((token, at + 2)),
            // A prefix that starts no string is a name.
            Err(_) if at > self.at => Ok(self.word()),
            Err(failed) => Err(failed),
        })
    }

    fn single(&self, from: usize, quote: char, raw: bool) -> Result<usize, usize> {
        let mut at = from;
        loop {
            match self.get(at) {
                None | Some('\n' | '\r') => return Err(at),
                Some(c) if c == quote => return Ok(at + 1),
                Some('\\') if !raw => at = self.escape(at)?,
                Some(_) => at += 1,
            }
        }
    }

    fn triple(&self, from: usize, quote: char, raw: bool) -> Result<usize, usize> {
        let mut at = from;
        loop {
            let closes = |at: usize| self.get(at) == Some(quote);
            match self.get(at) {
                None => return Err(at),
                Some(_) if closes(at) && closes(at + 1) && closes(at + 2) => return Ok(at + 3),
                Some('\\') if !raw => at = self.escape(at)?,
                Some(_) => at += 1,
            }
        }
    }

    /// The offset after the escape sequence at `at`, or of the character at which it fails.
    fn escape(&self, at: usize) -> Result<usize, usize> {
        let hex = |n: usize| {
            let end = self.digits(at + 2, |c| c.is_ascii_hexdigit()).min(at + 2 + n);
            if end == at + 2 + n { Ok(end) } else { Err(end) }
        };
        match self.get(at + 1) {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`') => Ok(at + 2),
            Some('x' | 'X') => hex(2),
            Some('u') => hex(4),
            Some('U') => hex(8),
            Some('0'..='3') => {
                let octal = |at| self.get(at).is_some_and(|c| ('0'..='7').contains(&c));
                match (octal(at + 2), octal(at + 3)) {
                    (true, true) => Ok(at + 4),
                    (true, false) => Err(at + 3),
                    _ => Err(at + 2),
                }
            }
            _ => Err(at + 1),
        }
    }
}
