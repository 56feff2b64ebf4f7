//! A reader for the `.proto` files that go-to-protobuf writes: proto2, one level of messages, line comments.

use std::collections::BTreeMap;

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Lines of the comment above it, without slashes.
    pub comment: Vec<String>,
    pub fields: Vec<Field>,
}

/// A field of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    pub name: String,
    pub number: u32,
    /// As written, without label: `string`, `.api.core.v1.PodSpec` (with or without the leading dot), the value type of a map.
    pub ty: String,
    pub repeated: bool,
    pub map: bool,
    pub comment: Vec<String>,
}

impl Field {
    /// The values of a marker `+name=value` in the comment; "" for a marker without value.
    pub fn markers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        markers(&self.comment, name)
    }
}

/// The values of a marker in a comment.
pub fn markers<'a>(comment: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
    comment.iter().filter_map(move |line| {
        let rest = line.trim().strip_prefix('+')?.strip_prefix(name)?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix('=') }
    })
}

/// Reads one file: its package and its messages by name.
pub fn read(text: &str) -> (String, BTreeMap<String, Message>) {
    let mut package = String::new();
    let mut messages = BTreeMap::new();
    let mut comment: Vec<String> = Vec::new();
    let mut open: Option<(String, Message)> = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("//") {
            comment.push(text.strip_prefix(' ').unwrap_or(text).to_string());
        } else if let Some(name) = line.strip_prefix("package ") {
            package = name.trim_end_matches(';').to_string();
            comment.clear();
        } else if let Some(name) = line.strip_prefix("message ") {
            let name = name.trim_end_matches('{').trim().to_string();
            open = Some((name, Message { comment: std::mem::take(&mut comment), fields: Vec::new() }));
        } else if line.starts_with('}') {
            messages.extend(open.take());
        } else if let (Some((_, message)), Some(mut field)) = (&mut open, field(line)) {
            field.comment = std::mem::take(&mut comment);
            message.fields.push(field);
        } else {
            comment.clear();
        }
    }
    (package, messages)
}

/// `optional TYPE NAME = NUMBER;`, `repeated …`, `map<string, TYPE> NAME = NUMBER;`.
fn field(line: &str) -> Option<Field> {
    let (declaration, number) = line.split_once(" = ")?;
    let number = number.trim_end_matches(';').split(' ').next()?.parse().ok()?;
    let (ty, name) = declaration.rsplit_once(' ')?;
    let mut field = Field { name: name.to_string(), number, ..Field::default() };
    if let Some(value) = ty.strip_prefix("map<string,") {
        field.map = true;
        field.ty = value.trim_end_matches('>').trim().to_string();
    } else {
        let (label, ty) = ty.split_once(' ')?;
        field.repeated = label == "repeated";
        field.ty = ty.to_string();
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_fields_with_comments() {
        let text = "package api.x.v1;\n\n// A thing.\nmessage Thing {\n  // Its names.\n  // +listType=set\n  repeated string names = 2;\n\n  map<string, .api.y.v1.Part> parts = 3;\n}\n";
        let (package, messages) = read(text);
        assert_eq!(package, "api.x.v1");
        let thing = &messages["Thing"];
        assert_eq!(thing.comment, ["A thing."]);
        assert_eq!(
            (thing.fields[0].name.as_str(), thing.fields[0].number, thing.fields[0].repeated),
            ("names", 2, true)
        );
        assert_eq!(thing.fields[0].markers("listType").collect::<Vec<_>>(), ["set"]);
        assert_eq!((thing.fields[1].ty.as_str(), thing.fields[1].map), (".api.y.v1.Part", true));
    }
}
