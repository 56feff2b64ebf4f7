//! Reading and comparing JSON, for tests only.

use meta::{Map, Str, Value};

/// How two trees differ, and how many nodes they have.
#[derive(Default)]
pub struct Differences {
    pub lines: Vec<String>,
    /// Nodes of the expected tree.
    pub nodes: usize,
}

/// Notes every node of `theirs` that `ours` lacks or has otherwise, and every member that only `ours` has.
pub fn compare(path: &str, ours: &Value, theirs: &Value, out: &mut Differences) {
    out.nodes += 1;
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, theirs) in b.iter() {
                match a.get(key) {
                    Some(ours) => compare(&format!("{path} {key}"), ours, theirs, out),
                    None => miss(&format!("{path} {key}"), theirs, out),
                }
            }
            let extra = a.keys().filter(|k| !b.contains_key(k)).map(|k| format!("{path} {k}: not upstream's"));
            out.lines.extend(extra);
        }
        (Value::Array(a), Value::Array(b)) => {
            for (i, theirs) in b.iter().enumerate() {
                match a.get(i) {
                    Some(ours) => compare(&format!("{path} {i}"), ours, theirs, out),
                    None => miss(&format!("{path} {i}"), theirs, out),
                }
            }
            out.lines.extend((b.len()..a.len()).map(|i| format!("{path} {i}: not upstream's")));
        }
        _ if ours == theirs => {}
        _ => out.lines.push(format!(
            "{path}: {} instead of {}",
            meta::json::to_string(ours),
            meta::json::to_string(theirs)
        )),
    }
}

fn miss(path: &str, theirs: &Value, out: &mut Differences) {
    let before = out.nodes;
    compare(path, theirs, theirs, out);
    let text: String = meta::json::to_string(theirs).chars().take(200).collect();
    out.lines.extend((before..out.nodes).map(|_| format!("{path}: missing {text}")));
}

/// Reads JSON that is known to be good.
pub fn parse(text: &str) -> Value {
    let mut parser = Parser { bytes: text.as_bytes(), at: 0 };
    parser.value()
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> u8 {
        while self.bytes[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
        self.bytes[self.at]
    }

    fn next(&mut self) -> u8 {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    fn value(&mut self) -> Value {
        match self.peek() {
            b'{' => Value::Object(Map::from_entries(self.members()).0),
            b'[' => Value::Array(self.items()),
            b'"' => Value::String(self.string()),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number(),
        }
    }

    fn members(&mut self) -> Vec<(Str, Value)> {
        let mut members = Vec::new();
        while self.next() != b'}' {
            if self.peek() == b'}' {
                self.at += 1;
                break;
            }
            let key = self.string();
            assert_eq!(self.next(), b':');
            members.push((key, self.value()));
        }
        members
    }

    fn items(&mut self) -> Vec<Value> {
        let mut items = Vec::new();
        while self.next() != b']' {
            if self.peek() == b']' {
                self.at += 1;
                break;
            }
            items.push(self.value());
        }
        items
    }

    fn word(&mut self, word: &str, value: Value) -> Value {
        self.at += word.len();
        value
    }

    fn number(&mut self) -> Value {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).expect("ASCII");
        text.parse().map(Value::Int).unwrap_or_else(|_| Value::Float(text.parse().expect("a number")))
    }

    fn string(&mut self) -> Str {
        assert_eq!(self.next(), b'"');
        let mut out = Vec::new();
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            match byte {
                b'"' => return Str::from_utf8(out).expect("UTF-8"),
                b'\\' => self.escape(&mut out),
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        let byte = self.bytes[self.at];
        self.at += 1;
        match byte {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'u' => {
                let hex = std::str::from_utf8(&self.bytes[self.at..self.at + 4]).expect("ASCII");
                self.at += 4;
                let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).expect("a character");
                out.extend(c.to_string().as_bytes());
            }
            other => out.push(other),
        }
    }
}
