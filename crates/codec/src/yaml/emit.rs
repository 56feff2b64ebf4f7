//! Writing YAML in go-yaml's layout: keys in its order, two spaces, lists not indented, long text folded.

use super::scalar::{Style, escape, is_break, style};
use meta::{Value, json};
use std::cmp::Ordering;

/// Beyond this column text is folded at the next space.
const COLUMN_MAX: usize = 80;
const SIMPLE_KEY_BYTES_MAX: usize = 128;

/// Appends a tree as YAML, keys sorted as upstream sorts them.
pub fn encode_yaml(value: &Value, out: &mut Vec<u8>) {
    let mut emitter = Emitter { out: String::new() };
    match value.plain() {
        Value::Object(map) if !map.is_empty() => emitter.mapping(value, 0, true),
        Value::Array(items) if !items.is_empty() => emitter.sequence(items, 0, true),
        other => {
            emitter.scalar(other, 0, false);
            emitter.out.push('\n');
        }
    }
    out.extend_from_slice(emitter.out.as_bytes());
}

struct Emitter {
    out: String,
}

impl Emitter {
    fn column(&self) -> usize {
        let line = self.out.rfind('\n').map_or(0, |at| at + 1);
        self.out.get(line..).unwrap_or("").chars().count()
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// The entries of a mapping; `fresh` when the first one begins a line of its own.
    fn mapping(&mut self, value: &Value, indent: usize, fresh: bool) {
        for (i, (key, value)) in sorted(value.entries().collect()).into_iter().enumerate() {
            if i > 0 || fresh {
                self.indent(indent);
            }
            if !is_simple(key) {
                self.explicit(key, value, indent);
                continue;
            }
            self.text(key, indent, true);
            self.out.push(':');
            match value.plain() {
                Value::Object(map) if !map.is_empty() => {
                    self.out.push('\n');
                    self.mapping(value, indent + 2, true);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.out.push('\n');
                    self.sequence(items, indent, true);
                }
                scalar => {
                    self.out.push(' ');
                    self.scalar(scalar, indent, false);
                    self.out.push('\n');
                }
            }
        }
    }

    /// An entry whose key is no simple one: key and value each begin a line with an indicator.
    fn explicit(&mut self, key: &str, value: &Value, indent: usize) {
        self.out.push_str("? ");
        self.text(key, indent, false);
        self.line(indent);
        self.out.push_str(": ");
        self.node(value, indent);
    }

    /// What follows an indicator on its line.
    fn node(&mut self, value: &Value, indent: usize) {
        match value.plain() {
            Value::Object(map) if !map.is_empty() => self.mapping(value, indent + 2, false),
            Value::Array(items) if !items.is_empty() => self.sequence(items, indent + 2, false),
            scalar => {
                self.scalar(scalar, indent, false);
                self.out.push('\n');
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize, fresh: bool) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 || fresh {
                self.indent(indent);
            }
            self.out.push_str("- ");
            self.node(item, indent);
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize, is_key: bool) {
        match value {
            Value::String(text) => self.text(text, indent, is_key),
            other => self.out.push_str(&json::to_string(other)),
        }
    }

    fn text(&mut self, text: &str, indent: usize, is_key: bool) {
        let inner = indent + 2;
        match style(text, is_key) {
            Style::Plain => self.folded(text, inner, is_key, Style::Plain),
            Style::Single => {
                self.out.push('\'');
                self.folded(text, inner, is_key, Style::Single);
                self.out.push('\'');
            }
            Style::Double => {
                self.out.push('"');
                self.double(text, inner, is_key);
                self.out.push('"');
            }
            Style::Literal => self.literal(text, inner),
        }
    }

    /// Plain and single-quoted text: a space beyond the last column becomes a line break.
    fn folded(&mut self, text: &str, indent: usize, is_key: bool, style: Style) {
        let mut column = self.column();
        let mut space_before = false;
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            let edge = style == Style::Single && (first || next.is_none());
            let folds = c == ' ' && !is_key && !space_before && column > COLUMN_MAX && !edge && next != Some(' ');
            if folds {
                self.line(indent);
                column = indent;
            } else {
                self.out.push(c);
                column += 1;
                if c == '\'' && style == Style::Single {
                    self.out.push('\'');
                    column += 1;
                }
            }
            space_before = c == ' ';
            first = false;
        }
    }

    fn double(&mut self, text: &str, indent: usize, is_key: bool) {
        let mut column = self.column();
        let mut space_before = false;
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            let folds = c == ' ' && !is_key && !space_before && column > COLUMN_MAX && !first && next.is_some();
            if folds {
                self.line(indent);
                column = indent;
                if next == Some(' ') {
                    self.out.push('\\');
                    column += 1;
                }
            } else {
                let before = self.out.len();
                escape(c, &mut self.out);
                column += self.out.get(before..).map_or(1, |s| s.chars().count());
            }
            space_before = c == ' ';
            first = false;
        }
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.out.push('2');
        }
        let mut reversed = text.chars().rev();
        match (reversed.next().is_some_and(is_break), reversed.next()) {
            (false, _) => self.out.push('-'),
            (true, None) => self.out.push('+'),
            (true, Some(before)) if is_break(before) => self.out.push('+'),
            _ => {}
        }
        let lines = text.strip_suffix('\n').unwrap_or(text);
        for line in lines.split('\n') {
            if line.is_empty() {
                self.out.push('\n');
            } else {
                self.line(indent);
                self.out.push_str(line);
            }
        }
    }
}

/// Whether a key stands before its colon on one line; readers give up on longer ones.
fn is_simple(key: &str) -> bool {
    key.len() <= SIMPLE_KEY_BYTES_MAX && !key.contains(is_break)
}

/// A merge sort, since go-yaml's order is none in the strict sense: "5" comes before "12", "12" before "1a", and "1a" before
/// "5". The standard library's sort may panic over that.
fn sorted<'a>(mut entries: Vec<(&'a str, &'a Value)>) -> Vec<(&'a str, &'a Value)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = sorted(entries.split_off(entries.len() / 2));
    let left = sorted(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if order(a.0, b.0).is_le() { left.next() } else { right.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// go-yaml's order of keys: letters after all else, digits by the number they make.
fn order(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = left.iter().zip(&right).position(|(x, y)| x != y) else { return left.len().cmp(&right.len()) };
    let (x, y) = (left[at], right[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let digits = |chars: &[char]| chars.iter().skip(at).take_while(|c| c.is_ascii_digit()).count();
    // Behind a digit that is not zero, leading zeros count.
    let begun = left.iter().take(at).rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let head = u128::from((x == '0' || y == '0') && begun);
    let number = |chars: &[char]| {
        let digits = chars.iter().skip(at).map_while(|c| c.to_digit(10));
        digits.fold(head, |n, d| n.saturating_mul(10).saturating_add(u128::from(d)))
    };
    number(&left).cmp(&number(&right)).then(digits(&left).cmp(&digits(&right))).then(x.cmp(&y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_yaml;

    fn emitted(text: &str) -> String {
        let mut out = Vec::new();
        encode_yaml(&json::parse(text.as_bytes()).expect("well formed").value, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_layout_is_go_yamls() {
        for (text, want) in [
            ("{}", "{}\n"),
            (
                r#"{"b":[{"x":1,"y":[1,[2]]},"s"],"a":{"k":[],"m":{}}}"#,
                "a:\n  k: []\n  m: {}\nb:\n- x: 1\n  \"y\":\n  - 1\n  - - 2\n- s\n",
            ),
            (r#"{"a":"one\ntwo","b":"x\n","c":" lead\n"}"#, "a: |-\n  one\n  two\nb: |\n  x\nc: |2\n   lead\n"),
            (
                r#"{"a":"it's: x","t":"2024-01-01T00:00:00Z","n":null}"#,
                "a: 'it''s: x'\n\"n\": null\nt: \"2024-01-01T00:00:00Z\"\n",
            ),
            (r#"{"a10":1,"a2":2,"B":3}"#, "B: 3\na2: 2\na10: 1\n"),
        ] {
            assert_eq!(emitted(text), want, "{text}");
        }
        let key = "k".repeat(129);
        let explicit = emitted(&format!(r#"{{"{key}":{{"a":1,"b":[2]}},"x\ny":["s"],"z":0}}"#));
        assert_eq!(explicit, format!("? {key}\n: a: 1\n  b:\n  - 2\n? |-\n  x\n  y\n: - s\nz: 0\n"));
        let long = format!("{{\"a\":\"{}\"}}", "word ".repeat(30).trim_end());
        let folded = emitted(&long);
        assert!(folded.lines().count() == 2 && folded.lines().all(|l| l.len() < 90), "{folded}");
    }

    #[test]
    fn keys_without_an_order_end_nothing() {
        let mut state = 7_u32;
        let mut next = move |n: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % n
        };
        for _ in 0..100 {
            let mut map = meta::Map::new();
            for _ in 0..60 {
                let key: String = (0..next(5)).filter_map(|_| "01259aZ-".chars().nth(next(8) as usize)).collect();
                map.insert(key, true);
            }
            let value = Value::Object(map);
            let mut out = Vec::new();
            encode_yaml(&value, &mut out);
            assert_eq!(parse_yaml(&out).map(|yaml| yaml.value), Ok(value));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let pieces = [
            "a",
            " ",
            "\n",
            ":",
            "#",
            "-",
            "'",
            "\"",
            "\\",
            "\t",
            "1",
            "true",
            "é",
            "😀",
            "{",
            "|",
            "\u{85}",
            "long word ",
        ];
        let mut state = 7_u32;
        let mut next = move |n: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % n
        };
        for _ in 0..5_000 {
            let text: String = (0..next(24)).map(|_| pieces[next(pieces.len())]).collect();
            let long = text.repeat(next(30));
            let mut value = meta::value!({"k": {"list": [(text.as_str()), {"t": (text.as_str())}]}});
            value.entry(&long).set(&text, vec![Value::from(&long)]);
            let mut out = Vec::new();
            encode_yaml(&value, &mut out);
            let read = parse_yaml(&out).map(|yaml| yaml.value);
            assert_eq!(read, Ok(value), "{text:?} → {}", String::from_utf8_lossy(&out));
        }
    }
}
