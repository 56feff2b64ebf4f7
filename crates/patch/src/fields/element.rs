//! One step of a field path, in the text form of FieldsV1: `f:name`, `k:{"name":"a"}`, `v:"text"`, `i:3`.
//! The text of an element is canonical, so two elements are equal when their texts are.

use meta::{Str, Value};
use std::cmp::Ordering;

/// The canonical text of an element.
pub type Element = Str;

/// The element of the list item with these key fields, which must be sorted by name.
pub fn key_element(fields: &[(&str, &Value)]) -> Element {
    let mut text = Vec::with_capacity(32);
    text.extend_from_slice(b"k:{");
    for (i, (name, value)) in fields.iter().enumerate() {
        if i > 0 {
            text.push(b',');
        }
        meta::json::write_string(name, &mut text);
        text.push(b':');
        meta::json::write(value, &mut text);
    }
    text.push(b'}');
    Element::from_utf8(text).unwrap_or_default()
}

/// The element of a set's item.
pub fn value_element(value: &Value) -> Element {
    let mut text = b"v:".to_vec();
    meta::json::write(value, &mut text);
    Element::from_utf8(text).unwrap_or_default()
}

pub fn index_element(index: usize) -> Element {
    format!("i:{index}").into()
}

/// Whether an element from outside is understood: `Ok(false)` is one of an unknown kind, which is dropped.
///
/// # Errors
/// The text is no element at all.
pub fn check_element(text: &str) -> Result<bool, String> {
    let (kind, rest) = match (text.as_bytes().first(), text.as_bytes().get(1)) {
        (Some(kind), Some(b':')) => (*kind, text.get(2..).unwrap_or_default()),
        (Some(_), Some(_)) => return Err(format!("missing colon: {text}")),
        _ => return Err("key must be 2 characters long:".to_string()),
    };
    match kind {
        b'f' => Ok(true),
        b'v' => parse(rest).map(|_| true),
        b'k' => match parse(rest)? {
            Value::Object(_) => Ok(true),
            _ => Err(format!("expected a JSON object: {rest}")),
        },
        b'i' => rest.parse::<i64>().map(|_| true).map_err(|_| format!("invalid index: {rest}")),
        _ => Ok(false),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    meta::json::parse(text.as_bytes()).map(|p| p.value).map_err(|e| e.to_string())
}

/// A path as upstream prints it: `.spec.containers[name="a"].image`.
pub fn display_path(path: &[&str]) -> String {
    let mut out = String::new();
    for element in path {
        let rest = element.get(2..).unwrap_or_default();
        match element.as_bytes().first() {
            Some(b'f') => {
                out.push('.');
                out.push_str(rest);
            }
            Some(b'k') => display_key(rest, &mut out),
            Some(b'v') => {
                out.push_str("[=");
                out.push_str(&parse(rest).map_or_else(|_| rest.to_string(), |v| display_value(&v)));
                out.push(']');
            }
            _ => {
                out.push('[');
                out.push_str(rest);
                out.push(']');
            }
        }
    }
    out
}

fn display_key(json: &str, out: &mut String) {
    out.push('[');
    let parsed = parse(json).unwrap_or_default();
    for (i, (name, value)) in parsed.entries().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(&display_value(value));
    }
    out.push(']');
}

/// A value within a path: strings are quoted as Go's %q; maps and lists are no keys, but may be what a client sent.
fn display_value(value: &Value) -> String {
    match value {
        Value::String(s) => meta::field::quote(s),
        Value::Array(items) => format!("[{}]", items.iter().map(display_value).collect::<Vec<_>>().join(",")),
        Value::Object(map) => map.iter().map(|(k, v)| format!("{k}={}", display_value(v))).collect(),
        other => meta::json::to_string(other),
    }
}

/// Upstream's order of elements: fields, keys, values, indexes; numbers by value.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let rank = |e: &str| match e.as_bytes().first() {
        Some(b'f') => 0,
        Some(b'k') => 1,
        Some(b'v') => 2,
        _ => 3,
    };
    let by_kind = rank(a).cmp(&rank(b));
    if by_kind.is_ne() || rank(a) == 0 {
        return by_kind.then_with(|| a.cmp(b));
    }
    let value = |e: &str| parse(e.get(2..).unwrap_or_default()).unwrap_or_default();
    compare_values(&value(a), &value(b))
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    let rank = |v: &Value| match v {
        Value::Int(_) | Value::Float(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        // An element's text is parsed, which gives no raw values.
        Value::Null | Value::Raw(_) => 5,
    };
    let number = |v: &Value| match v {
        Value::Int(n) => *n as f64,
        Value::Float(n) => *n,
        _ => 0.0,
    };
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Object(x), Value::Object(y)) => {
            let fields = x.iter().zip(y.iter());
            let unequal =
                fields.map(|((k, v), (l, w))| k.cmp(l).then_with(|| compare_values(v, w))).find(|o| o.is_ne());
            unequal.unwrap_or_else(|| x.len().cmp(&y.len()))
        }
        _ => rank(a).cmp(&rank(b)).then_with(|| number(a).total_cmp(&number(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn elements_have_upstream_s_text() {
        let key = [("containerPort", &value!(80)), ("protocol", &value!("TCP"))];
        assert_eq!(key_element(&key), r#"k:{"containerPort":80,"protocol":"TCP"}"#);
        assert_eq!(value_element(&value!("a<b")), r#"v:"a\u003cb""#);
        assert_eq!(value_element(&value!(true)), "v:true");
        assert_eq!(index_element(3), "i:3");
    }

    #[test]
    fn paths_print_as_upstream_prints_them() {
        let path = ["f:spec", r#"k:{"containerPort":80,"name":"a"}"#, r#"v:"x""#, "i:2"];
        assert_eq!(display_path(&path), r#".spec[containerPort=80,name="a"][="x"][2]"#);
    }

    #[test]
    fn numbers_in_keys_order_by_value() {
        assert_eq!(compare(r#"k:{"p":80}"#, r#"k:{"p":443}"#), Ordering::Less);
        assert_eq!(compare("f:z", r#"k:{"p":1}"#), Ordering::Less);
        assert_eq!(compare(r#"v:"b""#, "i:0"), Ordering::Less);
    }

    #[test]
    fn elements_from_outside_are_checked() {
        assert_eq!(check_element("f:"), Ok(true));
        assert_eq!(check_element("x:future"), Ok(false));
        for bad in ["", "f", "spec", "v:{", "k:1", "i:x", "v:1 2"] {
            assert!(check_element(bad).is_err(), "{bad}");
        }
    }
}
