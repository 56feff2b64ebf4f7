//! How upstream's messages show parts of a pod: as JSON of its internal types, which have Go's field names, their own
//! order, and write every zero. The facts list the types: a name, then its fields with JSON name and form.

use meta::field::Shown;
use meta::{Map, Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

const FACTS: &str = include_str!("internal.facts");

/// The fields of ObjectMeta, in declaration order.
pub const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

struct Field {
    go_name: &'static str,
    json_name: &'static str,
    form: Form,
}

enum Form {
    /// As in the API; null when missing.
    Raw,
    /// The text that stands for a missing scalar.
    Zero(&'static str),
    Selector,
    /// ObjectMeta, flattened.
    Metadata,
    Struct(&'static str),
    Pointer(&'static str),
    List(&'static str),
}

static TYPES: LazyLock<HashMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut types: HashMap<&str, Vec<Field>> = HashMap::new();
    let mut current = "";
    for line in FACTS.lines() {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        match words.as_slice() {
            [name] if !line.starts_with(' ') => current = name,
            [go_name, json_name, form] => {
                let form = match *form {
                    "raw" => Form::Raw,
                    "string" => Form::Zero("\"\""),
                    "int" => Form::Zero("0"),
                    "bool" => Form::Zero("false"),
                    "quantity" => Form::Zero("\"0\""),
                    "selector" => Form::Selector,
                    other => match (other.strip_prefix('*'), other.strip_prefix("[]")) {
                        (Some(name), _) => Form::Pointer(name),
                        (_, Some(name)) => Form::List(name),
                        _ => Form::Struct(other),
                    },
                };
                types.entry(current).or_default().push(Field { go_name, json_name, form });
            }
            _ => types.entry(current).or_default().push(Field { go_name: "", json_name: "", form: Form::Metadata }),
        }
    }
    types
});

/// JSON in an order of its own.
enum Tree {
    Text(String),
    Object(Vec<(String, Tree)>),
    List(Vec<Tree>),
}

/// A value of an internal type as a message shows it.
pub fn shown(kind: &str, value: &Value) -> Shown {
    let mut out = String::new();
    write(&of_type(kind, value), None, &mut out);
    Shown(out)
}

/// A LabelSelector as a message shows it; null when it is missing.
pub fn selector_shown(value: &Value) -> Shown {
    let mut out = String::new();
    write(&selector(value), None, &mut out);
    Shown(out)
}

/// A pod spec as pretty JSON of the internal type, for diffs.
pub fn pod_spec_text(spec: &Value) -> String {
    text("PodSpec", spec)
}

/// The internal type has some of the spec's fields in the security context.
fn move_into_context(spec: &Value) -> Value {
    let mut internal = spec.clone();
    let mut moved = Map::new();
    for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"] {
        if let Some(value) = internal.remove(field) {
            moved.insert(field, value);
        }
    }
    if !moved.is_empty() || !spec["securityContext"].is_null() {
        let context = internal.entry("securityContext").object_mut();
        for (key, value) in moved.into_entries() {
            context.insert(key, value);
        }
    }
    internal
}

/// Any value of an internal type as pretty JSON.
pub fn text(kind: &str, value: &Value) -> String {
    let mut out = String::new();
    write(&of_type(kind, value), Some(0), &mut out);
    out
}

fn of_type(kind: &str, value: &Value) -> Tree {
    let moved = if kind == "PodSpec" { Some(move_into_context(value)) } else { None };
    let value = moved.as_ref().unwrap_or(value);
    let fields = TYPES.get(kind).map_or(&[][..], Vec::as_slice);
    let mut out = Vec::with_capacity(fields.len());
    for field in fields {
        let own = &value[field.json_name];
        let tree = match field.form {
            Form::Metadata => {
                out.extend(
                    METADATA
                        .iter()
                        .filter_map(|name| Some(((*name), value["metadata"].get(name).filter(|v| !v.is_empty())?)))
                        .map(|(name, v)| (name.to_string(), raw(v))),
                );
                continue;
            }
            Form::Zero(zero) if own.is_null() => Tree::Text(zero.into()),
            Form::Raw | Form::Zero(_) => raw(own),
            Form::Selector => selector(own),
            Form::Struct(kind) => of_type(kind, own),
            Form::Pointer(_) | Form::List(_) if own.is_null() => Tree::Text("null".into()),
            Form::Pointer(kind) => of_type(kind, own),
            Form::List(kind) => Tree::List(own.items().iter().map(|item| of_type(kind, item)).collect()),
        };
        out.push((field.go_name.to_string(), tree));
    }
    Tree::Object(out)
}

fn raw(value: &Value) -> Tree {
    match value {
        Value::Array(items) => Tree::List(items.iter().map(raw).collect()),
        Value::Object(map) => Tree::Object(map.iter().map(|(k, v)| (k.to_string(), raw(v))).collect()),
        other => Tree::Text(go_json(other)),
    }
}

/// LabelSelector has JSON names and omits what is empty, labels first.
fn selector(value: &Value) -> Tree {
    if value.is_null() {
        return Tree::Text("null".into());
    }
    let members = ["matchLabels", "matchExpressions"].into_iter();
    let present = members.filter(|key| !value[*key].is_empty());
    let member = |key: &str| match value[key].items() {
        [] => raw(&value[key]),
        expressions => Tree::List(expressions.iter().map(expression).collect()),
    };
    Tree::Object(present.map(|key| (key.to_string(), member(key))).collect())
}

fn expression(value: &Value) -> Tree {
    let present = value.entries().filter(|(key, value)| *key != "values" || !value.is_empty());
    Tree::Object(present.map(|(key, value)| (key.to_string(), raw(value))).collect())
}

/// A scalar as Go writes it: with `<`, `>` and `&` escaped.
fn go_json(value: &Value) -> String {
    let text = json::to_string(value);
    if !text.contains(['<', '>', '&']) {
        return text;
    }
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// `indent`: the depth when pretty, one space a step; `None` for compact text.
fn write(tree: &Tree, indent: Option<usize>, out: &mut String) {
    let line = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth));
        }
    };
    let inner = indent.map(|depth| depth + 1);
    match tree {
        Tree::Text(text) => out.push_str(text),
        Tree::Object(members) if members.is_empty() => out.push_str("{}"),
        Tree::List(items) if items.is_empty() => out.push_str("[]"),
        Tree::Object(members) => {
            out.push('{');
            for (i, (key, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, inner);
                out.push_str(&go_json(&Value::from(key)));
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(member, inner, out);
            }
            line(out, indent);
            out.push('}');
        }
        Tree::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, inner);
                write(item, inner, out);
            }
            line(out, indent);
            out.push(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn zeros_are_written_with_gos_names() {
        let claim = value!({"name": "gpu"});
        assert_eq!(
            shown("PodResourceClaim", &claim).0,
            r#"{"Name":"gpu","ResourceClaimName":null,"ResourceClaimTemplateName":null}"#
        );
        let spec = value!({"hostNetwork": true, "containers": [{"name": "a", "image": "b"}]});
        let text = pod_spec_text(&spec);
        assert!(text.contains("\n \"SecurityContext\": {\n  \"HostNetwork\": true,\n  \"HostPID\": false,"), "{text}");
    }

    #[test]
    fn every_type_that_a_field_names_is_there() {
        for (name, fields) in TYPES.iter() {
            for field in fields {
                if let Form::Struct(kind) | Form::Pointer(kind) | Form::List(kind) = field.form {
                    assert!(TYPES.contains_key(kind), "{name}.{} is a {kind}", field.go_name);
                }
            }
        }
    }
}
