//! A reader for the schema functions of `k8s-openapi`: a JSON object in a macro call, with a few Rust expressions in it.

use meta::{Map, Str, Value};

/// The type that a source file defines: OpenAPI's name and its schema. References are OpenAPI names under `$ref`. `None` for a file without
/// a schema (module files, generic types).
pub fn read(text: &str) -> Option<(String, Value)> {
    let name = text.split("fn schema_name()").nth(1)?.split('"').nth(1)?;
    let body = text.split("schemars::json_schema!(").nth(1)?;
    let mut reader = Reader { text: body, at: 0 };
    Some((name.to_string(), reader.value()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is no white space, without taking it.
    fn peek(&mut self) -> Option<char> {
        let skip = self.rest().find(|c: char| !c.is_whitespace())?;
        self.at += skip;
        self.rest().chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn value(&mut self) -> Value {
        match self.peek() {
            Some('"') => Value::from(self.string()),
            Some('{') => self.object(),
            Some('[') => self.array(),
            _ => self.expression(),
        }
    }

    fn object(&mut self) -> Value {
        let mut entries: Vec<(Str, Value)> = Vec::new();
        self.take('{');
        while self.peek() == Some('"') {
            let key = self.string();
            self.take(':');
            entries.push((key.into(), self.value()));
            self.take(',');
        }
        self.take('}');
        Value::Object(Map::from_entries(entries).0)
    }

    fn array(&mut self) -> Value {
        let mut items = Vec::new();
        self.take('[');
        while !self.take(']') && self.peek().is_some() {
            items.push(self.value());
            self.take(',');
        }
        Value::Array(items)
    }

    /// A Rust expression or a bare word, up to the comma or bracket that ends it. What it says of the schema are the type of
    /// `subschema_for::<TYPE>` and the strings that are inserted as description.
    fn expression(&mut self) -> Value {
        let start = self.at;
        let mut out = Value::object();
        let mut depth = 0;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    let text = self.string();
                    if text != "description" {
                        out.set("description", text);
                    }
                    continue;
                }
                '(' | '{' | '[' => depth += 1,
                ')' | '}' | ']' if depth == 0 => break,
                ')' | '}' | ']' => depth -= 1,
                ',' if depth == 0 => break,
                _ => {}
            }
            self.at += c.len_utf8();
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match text.split("subschema_for::<").nth(1).and_then(|rest| rest.split(">()").next()) {
            Some(path) => out.set("$ref", definition_name(path)),
            None => return Value::from(text.trim()),
        }
        out
    }

    /// A Rust string literal.
    fn string(&mut self) -> String {
        self.take('"');
        let mut out = String::new();
        let text = self.text.get(self.at..).unwrap_or_default();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, 'u')) => {
                        let hex: String = chars.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                        out.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
                    }
                    Some((_, other)) => out.push(other),
                    None => break,
                },
                _ => out.push(c),
            }
        }
        out
    }
}

/// `crate::api::core::v1::Pod` → `io.k8s.api.core.v1.Pod`.
fn definition_name(path: &str) -> String {
    let path = path
        .trim_start_matches("crate::")
        .replace("::", ".")
        .replace("_apiserver.", "-apiserver.")
        .replace("kube_aggregator.", "kube-aggregator.");
    format!("io.k8s.{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_functions_read_as_values() {
        let text = r#"
            fn schema_name() -> X { "io.k8s.api.x.v1.Thing".into() }
            fn json_schema(g: &mut G) -> S { crate::schemars::json_schema!({
                "description": "A \"thing\".\nIndeed.",
                "properties": {
                    "part": ({
                        let mut s = __gen.subschema_for::<crate::api::y::v1::Part>();
                        s.ensure_object().insert("description".into(), "Its part, {one}.".into());
                        s
                    }),
                    "parts": {"type": "array", "items": (__gen.subschema_for::<crate::apiextensions_apiserver::v1::Part>()),},
                },
                "required": ["part",],
            }) }"#;
        let (name, schema) = read(text).expect("a schema");
        assert_eq!(name, "io.k8s.api.x.v1.Thing");
        assert_eq!(schema["description"].str(), "A \"thing\".\nIndeed.");
        assert_eq!(schema["properties"]["part"]["$ref"].str(), "io.k8s.api.y.v1.Part");
        assert_eq!(schema["properties"]["part"]["description"].str(), "Its part, {one}.");
        assert_eq!(schema["properties"]["parts"]["items"]["$ref"].str(), "io.k8s.apiextensions-apiserver.v1.Part");
        assert_eq!(schema["required"][0].str(), "part");
    }
}
