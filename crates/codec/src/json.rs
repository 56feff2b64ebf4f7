//! JSON text of objects, fields in the order in which upstream's types declare them.

use crate::present::Present;
use crate::typed::is_custom_kind;
use meta::{Value, json};
use schema::{Schema, SchemaOther, Shape, TypeId};

/// Appends the compact JSON of an object: declared fields in their order, others after them; those of custom resources in the order
/// of their keys.
pub fn encode_json(schema: &Schema, ty: TypeId, value: &Value, out: &mut Vec<u8>) {
    if is_custom_kind(schema.ty(ty)) {
        return json::write(value, out);
    }
    write(schema, &Shape::Object(ty), value, out);
}

fn write(schema: &Schema, shape: &Shape, value: &Value, out: &mut Vec<u8>) {
    match (shape, value) {
        (Shape::Object(id), Value::Object(map)) => {
            let ty = schema.ty(*id);
            let present = Present::new(ty, map);
            out.push(b'{');
            let mut first = true;
            for (i, field) in ty.fields.iter().enumerate() {
                if let Some(value) = present.get(i) {
                    key(&field.name, &mut first, out);
                    write(schema, &field.shape, value, out);
                }
            }
            for (name, value) in &present.others {
                key(name, &mut first, out);
                json::write(value, out);
            }
            out.push(b'}');
        }
        (Shape::List(item), Value::Array(items)) => {
            out.push(b'[');
            for (i, value) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(schema, item, value, out);
            }
            out.push(b']');
        }
        (Shape::Map(item), Value::Object(map)) => {
            out.push(b'{');
            let mut first = true;
            for (name, value) in map.iter() {
                key(name, &mut first, out);
                write(schema, item, value, out);
            }
            out.push(b'}');
        }
        (Shape::SchemaOr { object, .. }, Value::Object(_)) => write(schema, &Shape::Object(*object), value, out),
        (Shape::SchemaOr { object, other: SchemaOther::SchemaArray }, Value::Array(items)) => {
            out.push(b'[');
            for (i, value) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(schema, &Shape::Object(*object), value, out);
            }
            out.push(b']');
        }
        // It may be as a client sent it, with spaces.
        (_, Value::Raw(raw)) => json::compact(raw.text().as_bytes(), out),
        _ => json::write(value, out),
    }
}

fn key(name: &str, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    json::write_string(name, out);
    out.push(b':');
}

/// Compact JSON indented by two spaces, as Go's MarshalIndent: empty lists and objects stay on their line, no newline at the end.
pub fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    Indenter::default().write(compact, &mut out);
    out
}

/// Indents compact JSON that comes in parts, as [`pretty`].
#[derive(Debug, Default)]
pub struct Indenter {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last byte was an opening bracket.
    opened: bool,
}

impl Indenter {
    /// Appends the next part, indented.
    pub fn write(&mut self, compact: &[u8], out: &mut Vec<u8>) {
        let newline = |out: &mut Vec<u8>, depth: usize| {
            out.push(b'\n');
            out.extend(std::iter::repeat_n(b' ', depth * 2));
        };
        for &byte in compact {
            if self.in_string {
                out.push(byte);
                self.in_string = self.escaped || byte != b'"';
                self.escaped = byte == b'\\' && !self.escaped;
                continue;
            }
            let closes = matches!(byte, b'}' | b']');
            match (std::mem::take(&mut self.opened), closes) {
                (true, false) => newline(out, self.depth),
                (false, true) => newline(out, self.depth.saturating_sub(1)),
                _ => {}
            }
            match byte {
                b'{' | b'[' => {
                    self.depth += 1;
                    self.opened = true;
                    out.push(byte);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    out.push(byte);
                }
                b',' => {
                    out.push(byte);
                    newline(out, self.depth);
                }
                b':' => out.extend_from_slice(b": "),
                b'\n' | b' ' | b'\t' | b'\r' => {}
                _ => {
                    self.in_string = byte == b'"';
                    out.push(byte);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_as_go_indents() {
        let compact = br#"{"a":[],"b":{},"c":[1,{"d":"x,\"{y\\"}],"e":null}"#;
        let want = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x,\\\"{y\\\\\"\n    }\n  ],\n  \"e\": null\n}";
        assert_eq!(String::from_utf8_lossy(&pretty(compact)), want);
        for at in 0..compact.len() {
            let (mut indenter, mut out) = (Indenter::default(), Vec::new());
            let (first, second) = compact.split_at(at);
            indenter.write(first, &mut out);
            indenter.write(second, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), want, "in two parts");
        }
    }

    #[test]
    fn fields_are_in_declared_order() {
        let schema = schema::builtin();
        let id = schema.kind(&meta::Gvk::new("", "v1", "ConfigMap")).expect("ConfigMap");
        let object =
            crate::decode_json(&schema, id, br#"{"data":{"b":"<1>","a":"2"},"metadata":{"uid":"u","name":"n"}}"#);
        let mut out = Vec::new();
        encode_json(&schema, id, &object.expect("well formed").value, &mut out);
        let want = r#"{"metadata":{"name":"n","uid":"u"},"data":{"a":"2","b":"\u003c1\u003e"}}"#;
        assert_eq!(String::from_utf8_lossy(&out), want);
    }
}
