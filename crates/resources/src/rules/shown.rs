//! Values as upstream shows them in messages: the JSON of Go's internal structs, whose fields have their Go names, are
//! never left out, and come in the order of declaration.

use meta::field::{Shown, quote};
use meta::{Value, json};
use schema::{Field, Presence, Schema, Shape};

/// A struct of a built-in type by its OpenAPI name.
pub fn internal(type_name: &str, value: &Value) -> Shown {
    let schema = schema::builtin();
    match schema.named(type_name) {
        Some(id) => {
            let mut out = String::new();
            write(&schema, &Shape::Object(id), value, &mut out);
            Shown(out)
        }
        None => Shown::from(value),
    }
}

/// A struct of a built-in type by its OpenAPI name, as JSON whose fields come in the order of declaration.
pub fn declared(type_name: &str, value: &Value) -> Shown {
    let schema = schema::builtin();
    let Some(id) = schema.named(type_name) else { return Shown::from(value) };
    let mut out = String::new();
    write_declared(&schema, &Shape::Object(id), value, &mut out);
    Shown(out)
}

fn write_declared(schema: &Schema, shape: &Shape, value: &Value, out: &mut String) {
    match (shape, value) {
        (Shape::Object(id), Value::Object(map)) => {
            let present = schema.ty(*id).fields.iter().filter_map(|f| Some((f, map.get(&f.name)?)));
            let fields: Vec<String> = present
                .map(|(field, value)| {
                    let mut text = format!("{}:", quote(&field.name));
                    write_declared(schema, &field.shape, value, &mut text);
                    text
                })
                .collect();
            out.extend(["{", &fields.join(","), "}"]);
        }
        (Shape::List(item), Value::Array(items)) => {
            for (i, value) in items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                write_declared(schema, item, value, out);
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        _ => out.push_str(&json::to_string(value)),
    }
}

/// A list of structs.
pub fn internal_list(type_name: &str, list: &Value) -> Shown {
    if list.is_null() {
        return Shown("null".into());
    }
    let items: Vec<String> = list.items().iter().map(|item| internal(type_name, item).0).collect();
    Shown(format!("[{}]", items.join(",")))
}

fn write(schema: &Schema, shape: &Shape, value: &Value, out: &mut String) {
    match shape {
        Shape::Object(id) => {
            out.push('{');
            for (i, field) in schema.ty(*id).fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&quote(&go_name(&field.name)));
                out.push(':');
                write_field(schema, field, value.get(&field.name), out);
            }
            out.push('}');
        }
        Shape::List(item) => {
            out.push('[');
            for (i, value) in value.items().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(schema, item, value, out);
            }
            out.push(']');
        }
        Shape::Map(item) => {
            out.push('{');
            for (i, (key, value)) in value.entries().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&quote(key));
                out.push(':');
                write(schema, item, value, out);
            }
            out.push('}');
        }
        _ => out.push_str(&json::to_string(value)),
    }
}

fn write_field(schema: &Schema, field: &Field, value: Option<&Value>, out: &mut String) {
    match value {
        Some(value) if !value.is_null() => write(schema, &field.shape, value, out),
        _ if field.presence == Presence::Pointer => out.push_str("null"),
        _ => match &field.shape {
            Shape::Object(_) => write(schema, &field.shape, &Value::Null, out),
            Shape::String => out.push_str("\"\""),
            Shape::Bool => out.push_str("false"),
            Shape::Int32 | Shape::Int64 | Shape::Float64 | Shape::IntOrString => out.push('0'),
            Shape::Quantity => out.push_str("\"0\""),
            _ => out.push_str("null"),
        },
    }
}

/// Words that Go writes in capitals at the beginning of a name.
const CAPITALS: [&str; 15] =
    ["api", "cel", "uid", "csi", "nfs", "iscsi", "rbd", "fc", "aws", "gce", "tls", "http", "cidr", "url", "ip"];

/// The Go name of a field from its JSON name: `apiVersion` is APIVersion.
fn go_name(name: &str) -> String {
    let word_end = name.find(|c: char| c.is_ascii_uppercase()).unwrap_or(name.len());
    let (word, rest) = name.split_at(word_end);
    if CAPITALS.contains(&word) {
        return format!("{}{rest}", word.to_ascii_uppercase());
    }
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn every_field_is_there_in_order() {
        let reference = value!({"kind": "Pod", "uid": "u", "apiVersion": "v1"});
        assert_eq!(
            internal("io.k8s.api.core.v1.ObjectReference", &reference).0,
            r#"{"Kind":"Pod","Namespace":"","Name":"","UID":"u","APIVersion":"v1","ResourceVersion":"","FieldPath":""}"#
        );
    }
}
