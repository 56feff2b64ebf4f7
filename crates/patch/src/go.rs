//! Values as Go's fmt prints them, for the messages that quote a Go value.

use meta::Value;

/// `%v`: `map[a:1 b:[x y]]`.
pub fn print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_string(),
        Value::String(s) => s.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(n) => float(*n),
        Value::Array(items) => format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let members: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", print(v))).collect();
            format!("map[{}]", members.join(" "))
        }
        Value::Raw(raw) => print(raw.tree()),
    }
}

/// `%#v`: Go source text.
pub fn source(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_string(),
        Value::String(s) => meta::field::quote(s),
        Value::Array(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(source).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let members: Vec<String> =
                map.iter().map(|(k, v)| format!("{}:{}", meta::field::quote(k), source(v))).collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
        Value::Raw(raw) => source(raw.tree()),
        other => print(other),
    }
}

/// `%T` of a decoded value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Raw(raw) => type_name(raw.tree()),
    }
}

/// `%v` of a float64: the shortest text, with an exponent below 1e-4 and from 1e21.
fn float(n: f64) -> String {
    if n != 0.0 && (n.abs() < 1e-4 || n.abs() >= 1e21) {
        let text = format!("{n:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |d| ('-', d));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{n}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn values_print_as_go_prints_them() {
        let v = value!({"a": 1, "b": ["x", null, 1.5], "c": {}});
        assert_eq!(print(&v), "map[a:1 b:[x <nil> 1.5] c:map[]]");
        let go = r#"map[string]interface {}{"a":1, "b":[]interface {}{"x", interface {}(nil), 1.5}, "c":map[string]interface {}{}}"#;
        assert_eq!(source(&v), go);
        assert_eq!((float(1e21).as_str(), float(0.00001).as_str(), float(3.0).as_str()), ("1e+21", "1e-05", "3"));
    }
}
