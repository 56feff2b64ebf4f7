//! The protobuf form of OpenAPI documents, as the gnostic project defines it: `openapi.v2.Document` and `openapi.v3.Document`.
//!
//! The parts of a document are turned from their JSON tree, each type by a table of its members. What no table has (XML,
//! examples, external documentation) occurs in no document of this server.

use meta::{Value, json};

/// Appends a message's body made from a JSON tree.
pub type Encode = fn(&Value, &mut Vec<u8>);

/// How a JSON member is written.
enum Kind {
    Text,
    Bool,
    Int,
    Double,
    Texts,
    /// A message {2: YAML}; JSON is YAML.
    Any,
    Anys,
    Message(Encode),
    Messages(Encode),
}

use Kind::*;

/// The members of a type: JSON name, number, kind; and the number of the list that takes `x-…` members.
struct Table {
    members: &'static [(&'static str, u32, Kind)],
    extensions: u32,
}

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A length-delimited field.
pub fn bytes(number: u32, content: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 2, out);
    varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// A message field whose body is written by `encode`.
pub fn message(number: u32, value: &Value, encode: Encode, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    encode(value, &mut body);
    bytes(number, &body, out);
}

/// One entry of a map: a message {1: key, 2: value} in field `number`.
pub fn named(number: u32, key: &str, value: &Value, encode: Encode, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    bytes(1, key.as_bytes(), &mut body);
    message(2, value, encode, &mut body);
    bytes(number, &body, out);
}

/// A message {1: entries}: how gnostic writes maps.
fn entries(value: &Value, encode: Encode, out: &mut Vec<u8>) {
    for (key, item) in value.entries() {
        named(1, key, item, encode, out);
    }
}

fn any(value: &Value, out: &mut Vec<u8>) {
    let mut yaml = json::to_vec(value);
    yaml.push(b'\n');
    bytes(2, &yaml, out);
}

fn table(table: &Table, value: &Value, out: &mut Vec<u8>) {
    for (name, number, kind) in table.members {
        if let Some(member) = value.get(name) {
            write_member(*number, kind, member, out);
        }
    }
    for (name, extension) in value.entries().filter(|(name, _)| name.starts_with("x-")) {
        named(table.extensions, name, extension, any, out);
    }
}

fn write_member(number: u32, kind: &Kind, member: &Value, out: &mut Vec<u8>) {
    match kind {
        Text => bytes(number, member.str().as_bytes(), out),
        Bool => {
            varint(u64::from(number) << 3, out);
            out.push(u8::from(member.bool()));
        }
        Int => {
            varint(u64::from(number) << 3, out);
            varint(member.int() as u64, out);
        }
        Double => {
            varint(u64::from(number) << 3 | 1, out);
            let n = match member {
                Value::Float(n) => *n,
                other => other.int() as f64,
            };
            out.extend_from_slice(&n.to_le_bytes());
        }
        Texts => member.items().iter().for_each(|text| bytes(number, text.str().as_bytes(), out)),
        Any => message(number, member, any, out),
        Anys => member.items().iter().for_each(|item| message(number, item, any, out)),
        Message(encode) => message(number, member, *encode, out),
        Messages(encode) => member.items().iter().for_each(|item| message(number, item, *encode, out)),
    }
}

/// Messages of `openapi.v2`.
pub mod v2 {
    use super::*;

    pub const PATHS: u32 = 8;
    pub const DEFINITIONS: u32 = 9;
    pub const PARAMETERS: u32 = 10;

    const SCHEMA: Table = Table {
        members: &[
            ("$ref", 1, Text),
            ("format", 2, Text),
            ("title", 3, Text),
            ("description", 4, Text),
            ("default", 5, Any),
            ("multipleOf", 6, Double),
            ("maximum", 7, Double),
            ("exclusiveMaximum", 8, Bool),
            ("minimum", 9, Double),
            ("exclusiveMinimum", 10, Bool),
            ("maxLength", 11, Int),
            ("minLength", 12, Int),
            ("pattern", 13, Text),
            ("maxItems", 14, Int),
            ("minItems", 15, Int),
            ("uniqueItems", 16, Bool),
            ("maxProperties", 17, Int),
            ("minProperties", 18, Int),
            ("required", 19, Texts),
            ("enum", 20, Anys),
            ("additionalProperties", 21, Message(additional_properties)),
            ("type", 22, Message(|v, out| bytes(1, v.str().as_bytes(), out))),
            ("items", 23, Message(|v, out| message(1, v, schema, out))),
            ("allOf", 24, Messages(schema)),
            ("properties", 25, Message(|v, out| entries(v, schema, out))),
        ],
        extensions: 31,
    };

    const OPERATION: Table = Table {
        members: &[
            ("tags", 1, Texts),
            ("summary", 2, Text),
            ("description", 3, Text),
            ("operationId", 5, Text),
            ("produces", 6, Texts),
            ("consumes", 7, Texts),
            ("parameters", 8, Messages(parameter_or_reference)),
            ("responses", 9, Message(responses)),
            ("schemes", 10, Texts),
        ],
        extensions: 13,
    };

    const PATH: Table = Table {
        members: &[
            ("get", 2, Message(operation)),
            ("put", 3, Message(operation)),
            ("post", 4, Message(operation)),
            ("delete", 5, Message(operation)),
            ("options", 6, Message(operation)),
            ("head", 7, Message(operation)),
            ("patch", 8, Message(operation)),
            ("parameters", 9, Messages(parameter_or_reference)),
        ],
        extensions: 10,
    };

    const BODY: Table = Table {
        members: &[
            ("description", 1, Text),
            ("name", 2, Text),
            ("in", 3, Text),
            ("required", 4, Bool),
            ("schema", 5, Message(schema)),
        ],
        extensions: 6,
    };

    const QUERY: Table = Table {
        members: &[
            ("required", 1, Bool),
            ("in", 2, Text),
            ("description", 3, Text),
            ("name", 4, Text),
            ("type", 6, Text),
            ("uniqueItems", 20, Bool),
        ],
        extensions: 23,
    };

    const PATH_PARAMETER: Table = Table {
        members: &[
            ("required", 1, Bool),
            ("in", 2, Text),
            ("description", 3, Text),
            ("name", 4, Text),
            ("type", 5, Text),
            ("uniqueItems", 19, Bool),
        ],
        extensions: 22,
    };

    const RESPONSE: Table = Table {
        members: &[("description", 1, Text), ("schema", 2, Message(|v, out| message(1, v, schema, out)))],
        extensions: 5,
    };

    const API_KEY: Table = Table {
        members: &[("type", 1, Text), ("name", 2, Text), ("in", 3, Text), ("description", 4, Text)],
        extensions: 5,
    };

    pub fn schema(value: &Value, out: &mut Vec<u8>) {
        table(&SCHEMA, value, out);
    }

    fn additional_properties(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Bool(_) => write_member(2, &Bool, value, out),
            _ => message(1, value, schema, out),
        }
    }

    pub fn path(value: &Value, out: &mut Vec<u8>) {
        table(&PATH, value, out);
    }

    fn operation(value: &Value, out: &mut Vec<u8>) {
        table(&OPERATION, value, out);
    }

    fn responses(value: &Value, out: &mut Vec<u8>) {
        for (code, response) in value.entries() {
            named(1, code, response, |v, out| message(1, v, |v, out| table(&RESPONSE, v, out), out), out);
        }
    }

    fn parameter_or_reference(value: &Value, out: &mut Vec<u8>) {
        match value.get("$ref") {
            Some(reference) => message(2, reference, |v, out| bytes(1, v.str().as_bytes(), out), out),
            None => message(1, value, parameter, out),
        }
    }

    pub fn parameter(value: &Value, out: &mut Vec<u8>) {
        match value["in"].str() {
            "body" => message(1, value, |v, out| table(&BODY, v, out), out),
            "path" => message(2, value, |v, out| message(4, v, |v, out| table(&PATH_PARAMETER, v, out), out), out),
            _ => message(2, value, |v, out| message(3, v, |v, out| table(&QUERY, v, out), out), out),
        }
    }

    /// What comes before the paths: version and `info`.
    pub fn head(info: &Value, out: &mut Vec<u8>) {
        bytes(1, b"2.0", out);
        const INFO: Table = Table { members: &[("title", 1, Text), ("version", 2, Text)], extensions: 7 };
        message(2, info, |v, out| table(&INFO, v, out), out);
    }

    /// What comes after the parameters: how clients show who they are, by name.
    pub fn security(definitions: &Value, out: &mut Vec<u8>) {
        for (name, _) in definitions.entries() {
            message(12, &Value::from(name), |v, out| named(1, v.str(), &Value::Null, |_, _| {}, out), out);
        }
        message(
            13,
            definitions,
            |v, out| entries(v, |v, out| message(2, v, |v, out| table(&API_KEY, v, out), out), out),
            out,
        );
    }
}

/// Messages of `openapi.v3`.
pub mod v3 {
    use super::*;

    pub const PATHS: u32 = 4;
    pub const COMPONENTS: u32 = 5;
    /// Within the components.
    pub const SCHEMAS: u32 = 1;

    const SCHEMA: Table = Table {
        members: &[
            ("nullable", 1, Bool),
            ("title", 9, Text),
            ("multipleOf", 10, Double),
            ("maximum", 11, Double),
            ("exclusiveMaximum", 12, Bool),
            ("minimum", 13, Double),
            ("exclusiveMinimum", 14, Bool),
            ("maxLength", 15, Int),
            ("minLength", 16, Int),
            ("pattern", 17, Text),
            ("maxItems", 18, Int),
            ("minItems", 19, Int),
            ("uniqueItems", 20, Bool),
            ("maxProperties", 21, Int),
            ("minProperties", 22, Int),
            ("required", 23, Texts),
            ("enum", 24, Anys),
            ("type", 25, Text),
            ("allOf", 26, Messages(schema)),
            ("oneOf", 27, Messages(schema)),
            ("anyOf", 28, Messages(schema)),
            ("not", 29, Message(|v, out| table(&SCHEMA, v, out))),
            ("items", 30, Message(|v, out| message(1, v, schema, out))),
            ("properties", 31, Message(|v, out| entries(v, schema, out))),
            ("additionalProperties", 32, Message(additional_properties)),
            ("default", 33, Message(default)),
            ("description", 34, Text),
            ("format", 35, Text),
        ],
        extensions: 36,
    };

    const OPERATION: Table = Table {
        members: &[
            ("tags", 1, Texts),
            ("summary", 2, Text),
            ("description", 3, Text),
            ("operationId", 5, Text),
            ("parameters", 6, Messages(parameter)),
            ("requestBody", 7, Message(|v, out| message(1, v, |v, out| table(&BODY, v, out), out))),
            ("responses", 8, Message(responses)),
        ],
        extensions: 13,
    };

    const PATH: Table = Table {
        members: &[
            ("get", 4, Message(operation)),
            ("put", 5, Message(operation)),
            ("post", 6, Message(operation)),
            ("delete", 7, Message(operation)),
            ("options", 8, Message(operation)),
            ("head", 9, Message(operation)),
            ("patch", 10, Message(operation)),
            ("parameters", 13, Messages(parameter)),
        ],
        extensions: 14,
    };

    const PARAMETER: Table = Table {
        members: &[
            ("name", 1, Text),
            ("in", 2, Text),
            ("description", 3, Text),
            ("required", 4, Bool),
            ("schema", 10, Message(schema)),
        ],
        extensions: 14,
    };

    const BODY: Table = Table {
        members: &[("description", 1, Text), ("content", 2, Message(content)), ("required", 3, Bool)],
        extensions: 4,
    };

    const RESPONSE: Table =
        Table { members: &[("description", 1, Text), ("content", 3, Message(content))], extensions: 5 };

    const MEDIA_TYPE: Table = Table { members: &[("schema", 1, Message(schema))], extensions: 5 };

    const SECURITY_SCHEME: Table = Table {
        members: &[("type", 1, Text), ("description", 2, Text), ("name", 3, Text), ("in", 4, Text)],
        extensions: 9,
    };

    /// A schema or a reference to one.
    pub fn schema(value: &Value, out: &mut Vec<u8>) {
        match value.get("$ref") {
            Some(reference) => message(2, reference, |v, out| bytes(1, v.str().as_bytes(), out), out),
            None => message(1, value, |v, out| table(&SCHEMA, v, out), out),
        }
    }

    fn additional_properties(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Bool(_) => write_member(2, &Bool, value, out),
            _ => message(1, value, schema, out),
        }
    }

    /// Gnostic knows defaults that are numbers, booleans or strings; of others only that there is one.
    fn default(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Int(_) | Value::Float(_) => write_member(1, &Double, value, out),
            Value::Bool(_) => write_member(2, &Bool, value, out),
            Value::String(_) => write_member(3, &Text, value, out),
            _ => {}
        }
    }

    pub fn path(value: &Value, out: &mut Vec<u8>) {
        table(&PATH, value, out);
    }

    fn operation(value: &Value, out: &mut Vec<u8>) {
        table(&OPERATION, value, out);
    }

    fn parameter(value: &Value, out: &mut Vec<u8>) {
        message(1, value, |v, out| table(&PARAMETER, v, out), out);
    }

    fn content(value: &Value, out: &mut Vec<u8>) {
        entries(value, |v, out| table(&MEDIA_TYPE, v, out), out);
    }

    fn responses(value: &Value, out: &mut Vec<u8>) {
        for (code, response) in value.entries() {
            named(2, code, response, |v, out| message(1, v, |v, out| table(&RESPONSE, v, out), out), out);
        }
    }

    pub fn head(info: &Value, out: &mut Vec<u8>) {
        bytes(1, b"3.0.0", out);
        const INFO: Table = Table { members: &[("title", 1, Text), ("version", 6, Text)], extensions: 7 };
        message(2, info, |v, out| table(&INFO, v, out), out);
    }

    /// Within the components.
    pub fn security(schemes: &Value, out: &mut Vec<u8>) {
        let scheme: Encode = |v, out| message(1, v, |v, out| table(&SECURITY_SCHEME, v, out), out);
        let mut body = Vec::new();
        for (name, value) in schemes.entries() {
            named(1, name, value, scheme, &mut body);
        }
        bytes(7, &body, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn a_schema_is_written_member_by_member() {
        let mut out = Vec::new();
        v2::schema(&value!({"type": "string", "enum": ["A"], "x-kubernetes-list-type": "set"}), &mut out);
        let mut want = Vec::new();
        want.extend(b"\xa2\x01\x06\x12\x04\"A\"\n"); // enum = 20: Any { yaml = 2 }
        want.extend(b"\xb2\x01\x08\x0a\x06string"); // type = 22: TypeItem { value = 1 }
        want.extend(b"\xfa\x01\x22\x0a\x16x-kubernetes-list-type\x12\x08\x12\x06\"set\"\n"); // vendor_extension = 31
        assert_eq!(out, want);
    }

    #[test]
    fn references_and_defaults_of_version_3() {
        let mut out = Vec::new();
        v3::schema(&value!({"$ref": "#/x"}), &mut out);
        assert_eq!(out, b"\x12\x05\x0a\x03#/x");
        out.clear();
        v3::schema(&value!({"default": false}), &mut out);
        assert_eq!(out, b"\x0a\x05\x8a\x02\x02\x10\x00");
    }
}
