//! Reading YAML. The first document counts, as in upstream; aliases are bounded.

use super::resolve::{Plain, resolve, tagged_number};
use crate::base64;
use crate::decode::{DecodeError, Decoded, decode_tree, kind_of_json};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use meta::json::{self, DEPTH_MAX, text_of};
use meta::{Map, Str, Value};
use schema::{Schema, TypeId};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// How many values all aliases together may repeat.
const ALIASED_VALUES_MAX: usize = 100_000;

/// A document as JSON would have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Yaml {
    pub value: Value,
    /// The text of strict decoding's error, when a key is set twice.
    pub strict: Option<String>,
}

/// Reads a document. The error is go-yaml's text, "yaml: " before it. JSON is YAML, and read as such.
pub fn parse_yaml(body: &[u8]) -> Result<Yaml, String> {
    if body.trim_ascii_start().starts_with(b"{")
        && let Ok(parsed) = json::parse(body)
        && parsed.duplicates.is_empty()
    {
        return Ok(Yaml { value: parsed.value, strict: None });
    }
    let text = text_of(body);
    let begins_with_tab = |line: &str| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty();
    if text.lines().find(|line| !line.trim().is_empty()).is_some_and(begins_with_tab) {
        // The parser here is more lenient than libyaml.
        return Err("yaml: found character that cannot start any token".to_string());
    }
    let mut reader = Reader {
        text: &text,
        parser: Parser::new_from_str(&text),
        anchors: HashMap::new(),
        aliased: 0,
        depth: 0,
        twice: Vec::new(),
    };
    let value = reader.document().map_err(|why| format!("yaml: {why}"))?;
    let twice = reader.twice;
    let strict = (!twice.is_empty()).then(|| format!("yaml: unmarshal errors:\n  {}", twice.join("\n  ")));
    Ok(Yaml { value, strict })
}

/// `apiVersion` and `kind` of a YAML body; "" where they are missing.
pub fn kind_of_yaml(body: &[u8]) -> Result<(Str, Str), DecodeError> {
    let yaml = parse_yaml(body).map_err(DecodeError::kind)?;
    kind_of_json(&json::to_vec(&yaml.value))
}

/// Decodes a YAML body as an object of a type. Upstream turns it into JSON first, whose keys are sorted.
pub fn decode_yaml(schema: &Schema, ty: TypeId, body: &[u8]) -> Result<Decoded, DecodeError> {
    let yaml = parse_yaml(body).map_err(DecodeError::kind)?;
    let mut decoded = decode_tree(schema, ty, yaml.value)?;
    decoded.strict.splice(0..0, yaml.strict);
    Ok(decoded)
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Values by anchor, with how many values are in them.
    anchors: HashMap<usize, (Value, usize)>,
    aliased: usize,
    depth: u32,
    /// Keys that are set twice: `line 4: key "x" already set in map`.
    twice: Vec<String>,
}

/// A node, how many values it has in it, and where it begins.
struct Node {
    value: Value,
    /// `<<` written plainly: as a key it merges.
    merge: bool,
    values: usize,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<(Event<'_>, Span), String> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(upstream_text(&error, self.text)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// The first document; null when there is none.
    fn document(&mut self) -> Result<Value, String> {
        loop {
            match self.next()?.0 {
                Event::StreamEnd => return Ok(Value::Null),
                Event::DocumentStart(..) => break,
                _ => {}
            }
        }
        let node = self.node()?;
        // What follows the document is read up to its end, so that errors there are found.
        match node {
            Some(node) => {
                self.next()?;
                Ok(node.value)
            }
            None => Ok(Value::Null),
        }
    }

    /// The next node; `None` at the end of what holds it.
    fn node(&mut self) -> Result<Option<Node>, String> {
        let (event, span) = self.next()?;
        let line = span.start.line();
        let leaf = |value: Value, merge: bool| Node { value, merge, values: 1, line };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let (value, merge) = scalar(&text, style, tag.as_deref())?;
                if anchor != 0 {
                    self.anchors.insert(anchor, (value.clone(), 1));
                }
                Ok(Some(leaf(value, merge)))
            }
            Event::Alias(anchor) => {
                let Some((value, values)) = self.anchors.get(&anchor) else {
                    return Err("anchor value contains itself".to_string());
                };
                self.aliased += values;
                if self.aliased > ALIASED_VALUES_MAX {
                    return Err("document contains excessive aliasing".to_string());
                }
                Ok(Some(Node { value: value.clone(), merge: false, values: *values, line }))
            }
            Event::SequenceStart(_, anchor, _) => {
                let (items, values) = self.nested(Self::sequence)?;
                Ok(Some(self.anchored(anchor, Value::Array(items), values, line)))
            }
            Event::MappingStart(_, anchor, _) => {
                let (map, values) = self.nested(Self::mapping)?;
                Ok(Some(self.anchored(anchor, Value::Object(map), values, line)))
            }
            Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd | Event::StreamEnd => Ok(None),
            _ => self.node(),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("exceeded max depth of 10000".to_string());
        }
        let result = read(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn anchored(&mut self, anchor: usize, value: Value, values: usize, line: usize) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), values));
        }
        Node { value, merge: false, values, line }
    }

    fn sequence(&mut self) -> Result<(Vec<Value>, usize), String> {
        let (mut items, mut values) = (Vec::new(), 1);
        while let Some(node) = self.node()? {
            values += node.values;
            items.push(node.value);
        }
        Ok((items, values))
    }

    fn mapping(&mut self) -> Result<(Map, usize), String> {
        let (mut entries, mut lines) = (Vec::new(), Vec::new());
        let (mut merged, mut values) = (Vec::new(), 1);
        while let Some(key) = self.node()? {
            let Some(node) = self.node()? else { return Err("did not find expected node content".to_string()) };
            values += key.values + node.values;
            if key.merge {
                merge(&mut merged, node.value)?;
                continue;
            }
            lines.push(node.line);
            entries.push((key_text(&key.value)?, node.value));
        }
        self.find_twice(&entries, &lines);
        // What is written wins over what is merged, and of that what came first: of equal keys the last one stays.
        merged.reverse();
        merged.append(&mut entries);
        Ok((Map::from_entries(merged).0, values))
    }

    fn find_twice(&mut self, entries: &[(Str, Value)], lines: &[usize]) {
        let mut seen = HashSet::with_capacity(entries.len());
        for ((key, _), line) in entries.iter().zip(lines) {
            if !seen.insert(key.as_str()) {
                let key = meta::field::quote(key);
                self.twice.push(format!("line {line}: key {key} already set in map"));
            }
        }
    }
}

/// Adds what `<<` merges: a map, or a list of maps.
fn merge(merged: &mut Vec<(Str, Value)>, from: Value) -> Result<(), String> {
    let maps = match from {
        Value::Array(items) => items,
        other => vec![other],
    };
    for map in maps {
        let Value::Object(map) = map else {
            return Err("map merge requires map or sequence of maps as the value".to_string());
        };
        merged.extend(map);
    }
    Ok(())
}

/// The JSON key of a YAML key.
fn key_text(key: &Value) -> Result<Str, String> {
    Ok(match key {
        Value::String(text) => text.clone(),
        Value::Bool(b) => if *b { "true" } else { "false" }.into(),
        Value::Int(_) | Value::Float(_) => json::to_string(key).into(),
        other => return Err(format!("unsupported map key: {}", json::to_string(other))),
    })
}

/// The value of a scalar, and whether it is a merge key.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<(Value, bool), String> {
    let tag = tag.and_then(Tag::core_suffix);
    let string = || (Value::String(text.into()), false);
    match (tag, style) {
        (Some("str"), _) => Ok(string()),
        (Some("int" | "float"), _) => Ok(tagged_number(text).map_or_else(string, |v| (v, false))),
        (Some("binary"), _) => {
            let bytes = base64::decode(text.as_bytes()).map_err(|_| "!!binary value contains invalid base64 data")?;
            Ok((Value::String(text_of(&bytes).into()), false))
        }
        (_, ScalarStyle::Plain) => match resolve(text) {
            Plain::Value(Value::Float(n)) if !n.is_finite() => Err(format!("json: unsupported value: {text}")),
            Plain::Value(value) => Ok((value, false)),
            Plain::Merge => Ok((Value::String(text.into()), true)),
            Plain::Text | Plain::Time => Ok(string()),
        },
        _ => Ok(string()),
    }
}

/// go-yaml's words for what the parser found, with the line where go-yaml gives one.
fn upstream_text(error: &ScanError, body: &str) -> String {
    use ErrorKind::*;
    let (text, scanner) = match error.kind() {
        UnclosedFlowCollection { open } => return unclosed(*open, body),
        MappingValueNotAllowed | InvalidMappingValueWhitespace | InvalidColonPlacement => {
            ("mapping values are not allowed in this context", true)
        }
        MappingKeyNotAllowed => ("mapping keys are not allowed in this context", true),
        BlockSequenceEntryNotAllowed | BlockEntryInFlowCollection => {
            ("block sequence entries are not allowed in this context", true)
        }
        UnexpectedCharacter { .. } | TabNotAllowed | TabInBlockIndentation | TabInIndentation => {
            ("found character that cannot start any token", true)
        }
        SimpleKeyExpected | InvalidSimpleKey => ("could not find expected ':'", true),
        UnclosedQuotedScalar => ("found unexpected end of stream", true),
        DocumentIndicatorInQuotedScalar => ("found unexpected document indicator", true),
        UnknownQuotedScalarEscape => ("found unknown escape character", true),
        InvalidQuotedScalarHexEscape => ("did not find expected hexdecimal number", true),
        MissingAnchorOrAliasName => ("did not find expected alphabetic or numeric character", true),
        ExpectedFlowMappingSeparator | UnexpectedEofFlowMapping => ("did not find expected ',' or '}'", false),
        ExpectedFlowSequenceSeparator | UnexpectedEofFlowSequence => ("did not find expected ',' or ']'", false),
        ExpectedNodeContent | MisplacedFlowCollectionEnd => ("did not find expected node content", false),
        ExpectedBlockMappingKey | InvalidIndentation => ("did not find expected key", false),
        ExpectedBlockSequenceEntry => ("did not find expected '-' indicator", false),
        UndeclaredTagHandle => ("found undefined tag handle", false),
        ExpectedDocumentStart | InvalidDocumentEnd => ("did not find expected <document start>", false),
        UnknownAnchor => return "unknown anchor referenced".to_string(),
        RecursionLimitExceeded => return "exceeded max depth of 10000".to_string(),
        _ => ("unknown problem parsing YAML content", false),
    };
    // go-yaml counts lines from 0 where its parser stops, and says nothing of line 0.
    let line = error.marker().line().saturating_sub(usize::from(!scanner));
    let first = error.marker().line() <= 1;
    let text: Cow<str> =
        if line == 0 || first && scanner { text.into() } else { format!("line {line}: {text}").into() };
    text.into_owned()
}

/// The error of a text that ends within a flow collection; its line is the one behind the text.
fn unclosed(open: char, body: &str) -> String {
    let line = body.lines().count();
    let expected = match (body.trim_end().ends_with(['{', '[', ',', ':']), open) {
        (true, _) => "node content",
        (false, '{') => "',' or '}'",
        (false, _) => "',' or ']'",
    };
    format!("line {line}: did not find expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        parse_yaml(text.as_bytes()).map(|yaml| json::to_string(&yaml.value))
    }

    #[test]
    fn documents_read_as_json() {
        for (text, want) in [
            ("", "null"),
            ("a: 1\nb: [x, 'y', \"z\\n\"]\n", r#"{"a":1,"b":["x","y","z\n"]}"#),
            ("a: yes\n1: 2\ntrue: x\n", r#"{"1":2,"a":true,"true":"x"}"#),
            ("a: |\n  one\n  two\nb: >-\n  x\n  y\n", r#"{"a":"one\ntwo\n","b":"x y"}"#),
            ("x: &a {k: 1}\nw: *a\nz:\n  <<: *a\n  k: 2\n  l: 3\n", r#"{"w":{"k":1},"x":{"k":1},"z":{"k":2,"l":3}}"#),
            ("a: !!str 1\nb: \"1\"\nc: 2024-01-01\n", r#"{"a":"1","b":"1","c":"2024-01-01"}"#),
            ("a: 1\n---\nb: 2\n", r#"{"a":1}"#),
            ("# c\n--- # d\na: 1 # e\n", r#"{"a":1}"#),
        ] {
            assert_eq!(read(text), Ok(want.to_string()), "{text}");
        }
    }

    #[test]
    fn errors_are_go_yamls() {
        for (text, want) in [
            ("a: b: c\n", "yaml: mapping values are not allowed in this context"),
            ("{", "yaml: line 1: did not find expected node content"),
            ("a: [1\n", "yaml: line 1: did not find expected ',' or ']'"),
            ("\tfoo: 1\n", "yaml: found character that cannot start any token"),
        ] {
            assert_eq!(read(text), Err(want.to_string()), "{text}");
        }
        let yaml = parse_yaml(b"a: 1\nb:\n  x: 1\n  x: 2\n").expect("well formed");
        let want = "yaml: unmarshal errors:\n  line 4: key \"x\" already set in map";
        assert_eq!(yaml.strict.as_deref(), Some(want));
    }

    #[test]
    fn aliases_and_depth_are_bounded() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
        for i in 1..9 {
            let before = format!("*a{}, ", i - 1).repeat(10);
            bomb.push_str(&format!("a{i}: &a{i} [{before}]\n"));
        }
        assert_eq!(read(&bomb), Err("yaml: document contains excessive aliasing".to_string()));
        assert!(read(&"[".repeat(5000)).is_err());
        assert!(read(&"- ".repeat(5000)).is_err());
    }
}
