//! Label and field selectors: parsing with upstream's error texts, matching, printing
//! (k8s.io/apimachinery/pkg/labels, pkg/fields).

use crate::field::{ErrorList, Path, Shown};
use crate::{Str, Value, name};
use std::fmt;

/// How a label requirement relates a key to its values. The three spellings of equality are kept apart for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Exists,
    DoesNotExist,
    Equals,
    DoubleEquals,
    NotEquals,
    In,
    NotIn,
    GreaterThan,
    LessThan,
}

/// One condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    pub key: Str,
    pub operator: Operator,
    /// Sorted, each once.
    pub values: Vec<Str>,
}

/// A conjunction of requirements, sorted by key; none selects everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelSelector {
    pub requirements: Vec<Requirement>,
    /// Selects nothing at all (a null LabelSelector object).
    pub nothing: bool,
}

impl Requirement {
    /// A requirement that upstream's NewRequirement accepts; the error is its aggregated text.
    pub fn new(key: &str, operator: Operator, mut values: Vec<Str>) -> Result<Requirement, String> {
        values.sort_unstable();
        values.dedup();
        let mut errs = ErrorList::new();
        let bad = name::qualified_name(key);
        if !bad.is_empty() {
            errs.invalid(&Path::new("key"), key, &bad.join("; "));
        }
        let path = Path::new("values");
        let shown =
            || Shown(format!("[{}]", values.iter().map(|v| crate::field::quote(v)).collect::<Vec<_>>().join(",")));
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                errs.invalid(&path, shown(), "for 'in', 'notin' operators, values set can't be empty");
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                errs.invalid(&path, shown(), "exact-match compatibility requires one single value");
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                errs.invalid(&path, shown(), "values set must be empty for exists and does not exist");
            }
            Operator::GreaterThan | Operator::LessThan => {
                if values.len() != 1 {
                    errs.invalid(&path, shown(), "for 'Gt', 'Lt' operators, exactly one value is required");
                }
                for (i, value) in values.iter().enumerate().filter(|(_, v)| v.parse::<i64>().is_err()) {
                    errs.invalid(&path.index(i), value, "for 'Gt', 'Lt' operators, the value must be an integer");
                }
            }
            _ => {}
        }
        for (i, value) in values.iter().enumerate() {
            let bad = name::label_value(value);
            if !bad.is_empty() {
                errs.invalid(&path.index(i).key(key), value, &bad.join("; "));
            }
        }
        if errs.is_empty() { Ok(Requirement { key: key.into(), operator, values }) } else { Err(errs.message()) }
    }

    /// Whether a label's value (`None`: no such label) satisfies this.
    pub fn matches(&self, value: Option<&str>) -> bool {
        match self.operator {
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(|v| self.has(v)),
            Operator::NotIn | Operator::NotEquals => value.is_none_or(|v| !self.has(v)),
            Operator::GreaterThan | Operator::LessThan => {
                let limit = self.values.first().and_then(|v| v.parse::<i64>().ok());
                match (value.and_then(|v| v.parse::<i64>().ok()), limit) {
                    (Some(v), Some(limit)) if self.operator == Operator::GreaterThan => v > limit,
                    (Some(v), Some(limit)) => v < limit,
                    _ => false,
                }
            }
        }
    }

    fn has(&self, value: &str) -> bool {
        self.values.iter().any(|v| v == value)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.join(",");
        match self.operator {
            Operator::Exists => f.write_str(&self.key),
            Operator::DoesNotExist => write!(f, "!{}", self.key),
            Operator::Equals => write!(f, "{}={values}", self.key),
            Operator::DoubleEquals => write!(f, "{}=={values}", self.key),
            Operator::NotEquals => write!(f, "{}!={values}", self.key),
            Operator::In => write!(f, "{} in ({values})", self.key),
            Operator::NotIn => write!(f, "{} notin ({values})", self.key),
            Operator::GreaterThan => write!(f, "{}>{values}", self.key),
            Operator::LessThan => write!(f, "{}<{values}", self.key),
        }
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl LabelSelector {
    /// From a query parameter: `app in (x,y),!tier,env!=prod`. The error is upstream's text.
    pub fn parse(text: &str) -> Result<LabelSelector, String> {
        let mut requirements = Parser { tokens: scan(text), at: 0 }.parse()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements, nothing: false })
    }

    /// From a LabelSelector object (`matchLabels`, `matchExpressions`); null selects nothing, `{}` everything.
    pub fn from_value(selector: &Value) -> Result<LabelSelector, String> {
        if selector.is_null() {
            return Ok(LabelSelector { requirements: Vec::new(), nothing: true });
        }
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].entries() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.str().into()])?);
        }
        for expression in selector["matchExpressions"].items() {
            let operator = match expression["operator"].str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(format!("{} is not a valid label selector operator", crate::field::quote(other))),
            };
            let values = expression["values"].items().iter().map(|v| v.str().into()).collect();
            requirements.push(Requirement::new(expression["key"].str(), operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements, nothing: false })
    }

    /// Every label of a map equal: a replication controller's selector.
    pub fn from_labels(labels: &Value) -> LabelSelector {
        let requirement = |(key, value): (&str, &Value)| Requirement {
            key: key.into(),
            operator: Operator::Equals,
            values: vec![value.str().into()],
        };
        LabelSelector { requirements: labels.entries().map(requirement).collect(), nothing: false }
    }

    /// Selects every object.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether labels, given as a lookup, are selected.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(label(&r.key)))
    }

    /// Whether a map of labels (an object's `metadata.labels`) is selected.
    pub fn matches_value(&self, labels: &Value) -> bool {
        self.matches(|key| labels.get(key).map(Value::str))
    }

    /// LabelSelector object as upstream's FormatLabelSelector prints it.
    pub fn format(selector: &Value) -> String {
        match LabelSelector::from_value(selector) {
            Err(_) => "<error>".to_string(),
            Ok(s) if s.nothing || s.requirements.is_empty() => "<none>".to_string(),
            Ok(s) => s.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
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
fn scan(text: &str) -> Vec<(Token, &str)> {
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

struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    at: usize,
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

    fn parse(&mut self) -> Result<Vec<Requirement>, String> {
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

/// One term of a field selector.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTerm {
    pub field: Str,
    /// False for `!=`.
    pub equal: bool,
    pub value: Str,
}

/// A conjunction of terms; none selects everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSelector {
    pub terms: Vec<FieldTerm>,
}

impl FieldSelector {
    /// From a query parameter: `metadata.name=x,status.phase!=Running`. The error is upstream's text.
    pub fn parse(text: &str) -> Result<FieldSelector, String> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|p| !p.is_empty()) {
            let Some((field, equal, value)) = split_term(part) else {
                return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
            };
            terms.push(FieldTerm { field: field.into(), equal, value: unescape(value)? });
        }
        Ok(FieldSelector { terms })
    }

    /// The value that a field must have, when a term says so.
    pub fn exact(&self, field: &str) -> Option<&Str> {
        self.terms.iter().find(|t| t.equal && t.field == field).map(|t| &t.value)
    }

    /// Whether fields, given as a lookup ("" when missing), are selected.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> &'a str) -> bool {
        self.terms.iter().all(|t| (field(&t.field) == t.value) == t.equal)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let operator = if term.equal { "=" } else { "!=" };
            let value = term.value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            write!(f, "{comma}{}{operator}{value}", term.field)?;
        }
        Ok(())
    }
}

/// The parts between commas that no backslash escapes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, b) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if b == b'\\' {
            escaped = true;
        } else if b == b',' {
            parts.push(&text[start..i]);
            start = i + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

fn split_term(part: &str) -> Option<(&str, bool, &str)> {
    let at = part.char_indices().map(|(i, _)| i).find(|i| {
        let rest = &part[*i..];
        rest.starts_with('=') || rest.starts_with("!=")
    })?;
    let rest = &part[at..];
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some(value) = rest.strip_prefix(operator) {
            return Some((&part[..at], equal, value));
        }
    }
    None
}

fn unescape(value: &str) -> Result<Str, String> {
    let mut out = Str::default();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(c) => return Err(format!("invalid field selector: invalid escape sequence: \\{c}")),
                None => return Err("invalid field selector: invalid escape sequence: \\".into()),
            },
            ',' | '=' => return Err(format!("invalid field selector: unescaped character in value: {}", c as u32)),
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    fn selects(selector: &str, labels: &Value) -> bool {
        LabelSelector::parse(selector).unwrap_or_else(|e| panic!("{selector}: {e}")).matches_value(labels)
    }

    #[test]
    fn label_selectors_select() {
        let labels = value!({"app": "x", "tier": "fe", "num": "5", "empty": ""});
        for yes in [
            "",
            "app=x",
            "app==x",
            "app!=y",
            "app in (x,z)",
            "app notin (y)",
            "tier",
            "!nope",
            "num>3",
            "num<10,num>4",
            "empty=",
            "empty in (,a)",
            "nope!=x",
            "app=x,tier in (fe),!gone",
            " app = x ",
            "empty in ()",
        ] {
            assert!(selects(yes, &labels), "{yes}");
        }
        for no in ["app=y", "app!=x", "!app", "nope", "nope=x", "num>5", "num<5", "app in ()", "nope>1", "app>1"] {
            assert!(!selects(no, &labels), "{no}");
        }
    }

    #[test]
    fn label_selectors_that_do_not_parse_say_why_as_upstream_does() {
        for (text, error) in [
            ("app x", "unable to parse requirement: found 'x', expected: in, notin, =, ==, !=, gt, lt"),
            ("app=a=b", "found '=', expected: ',' or 'end of string'"),
            ("=x", "found '=', expected: !, identifier, or 'end of string'"),
            ("app in", "unable to parse requirement: found '' expected: '('"),
            ("app in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("app=!x", "unable to parse requirement: found '!', expected: identifier"),
            ("app,,tier", "found ',', expected: identifier after ','"),
            (
                "a>b",
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(LabelSelector::parse(text), Err(error.to_string()), "{text}");
        }
    }

    #[test]
    fn selectors_print_as_they_parse() {
        for text in ["a=b", "a in (x,y),!b", "a notin (),c>3", "k==v", "x!=y"] {
            let once = LabelSelector::parse(text).map(|s| s.to_string());
            let twice = once.as_deref().map(|s| LabelSelector::parse(s).map(|s| s.to_string()));
            assert_eq!(twice, Ok(once.clone()), "{text}");
        }
    }

    #[test]
    fn field_selectors_parse_and_select() {
        let selector = FieldSelector::parse(r"metadata.name=a,status.phase!=Run\,ning,x==").unwrap_or_default();
        assert_eq!(selector.exact("metadata.name").map(Str::as_str), Some("a"));
        let field = |name: &str| if name == "metadata.name" { "a" } else { "" };
        assert!(selector.matches(field));
        assert_eq!(selector.to_string(), r"metadata.name=a,status.phase!=Run\,ning,x=");
        assert_eq!(
            FieldSelector::parse("metadata.name>a"),
            Err("invalid selector: 'metadata.name>a'; can't understand 'metadata.name>a'".into())
        );
        assert!(FieldSelector::parse(r"a=b\c").is_err());
        assert!(FieldSelector::parse("a=b=c").is_err());
    }

    #[test]
    fn label_selector_objects() {
        let object = value!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]});
        let selector = LabelSelector::from_value(&object).unwrap_or_default();
        assert!(selector.matches_value(&value!({"a": "b", "c": ""})));
        assert!(!selector.matches_value(&value!({"a": "b"})));
        assert_eq!(LabelSelector::format(&object), "a=b,c");
        assert!(!LabelSelector::from_value(&Value::Null).unwrap_or_default().matches_value(&value!({})));
        assert!(LabelSelector::from_value(&value!({})).unwrap_or_default().matches_value(&value!({})));
    }
}
