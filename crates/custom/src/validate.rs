//! Values against the value rules of a structural schema, in the order and with the texts of upstream's validator
//! (k8s.io/kube-openapi/pkg/validation).

use crate::defaults::member;
use crate::formats;
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use regex::Regex;
use std::collections::HashMap;

/// The compiled patterns of a schema, by their text. Go and Rust share RE2's syntax; a pattern that does not compile
/// was refused with the definition, so it is absent here and matches nothing.
#[derive(Default)]
pub struct Patterns(HashMap<String, Regex>);

impl Patterns {
    pub fn of(node: &Value) -> Patterns {
        let mut patterns = Patterns::default();
        patterns.collect(node);
        patterns
    }

    fn collect(&mut self, node: &Value) {
        if let Some(text) = node["pattern"].as_str()
            && let Ok(regex) = Regex::new(text)
        {
            self.0.insert(text.to_string(), regex);
        }
        for (key, child) in node.entries() {
            match key {
                "properties" => child.entries().for_each(|(_, node)| self.collect(node)),
                "anyOf" | "oneOf" | "allOf" => child.items().iter().for_each(|node| self.collect(node)),
                "items" | "additionalProperties" | "not" => self.collect(child),
                _ => {}
            }
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        self.0.get(pattern).is_some_and(|regex| regex.is_match(text))
    }
}

/// One run over a value. With an old value, what did not change is not held against new rules (ratcheting).
pub struct Validator<'a> {
    pub patterns: &'a Patterns,
}

impl Validator<'_> {
    /// Reports what is wrong with `value`; `path` is dotted, "" for the whole.
    pub fn validate(&self, node: &Value, value: &Value, old: Option<&Value>, path: &str, errs: &mut ErrorList) {
        if old == Some(value) || node.as_object().is_none_or(|node| node.is_empty()) {
            return;
        }
        validate_type(node, value, path, errs);
        if value.is_null() {
            self.validate_enum(node, value, path, errs);
            return;
        }
        self.validate_logic(node, value, path, errs);
        match value {
            Value::String(text) => {
                self.validate_string(node, text, path, errs);
                validate_format(node, text, path, errs);
            }
            Value::Int(_) | Value::Float(_) => validate_number(node, value, path, errs),
            Value::Array(items) => self.validate_list(node, items, old, path, errs),
            _ => {}
        }
        self.validate_enum(node, value, path, errs);
        if value.as_object().is_some() {
            self.validate_object(node, value, old, path, errs);
        }
    }

    fn is_valid(&self, node: &Value, value: &Value, path: &str) -> ErrorList {
        let mut errs = ErrorList::new();
        self.validate(node, value, None, path, &mut errs);
        errs
    }

    fn validate_logic(&self, node: &Value, value: &Value, path: &str, errs: &mut ErrorList) {
        if let Some(any) = node["anyOf"].as_array() {
            let results: Vec<ErrorList> = any.iter().map(|node| self.is_valid(node, value, path)).collect();
            if !results.iter().any(ErrorList::is_empty) {
                composite(errs, format!("\"{path}\" must validate at least one schema (anyOf)"));
                errs.extend(closest(results));
            }
        }
        if let Some(one) = node["oneOf"].as_array() {
            let results: Vec<ErrorList> = one.iter().map(|node| self.is_valid(node, value, path)).collect();
            let valid = results.iter().filter(|result| result.is_empty()).count();
            if valid == 0 {
                composite(errs, format!("\"{path}\" must validate one and only one schema (oneOf). Found none valid"));
                errs.extend(closest(results));
            } else if valid > 1 {
                let found = format!("Found {valid} valid alternatives");
                composite(errs, format!("\"{path}\" must validate one and only one schema (oneOf). {found}"));
            }
        }
        if let Some(all) = node["allOf"].as_array() {
            let results: Vec<ErrorList> = all.iter().map(|node| self.is_valid(node, value, path)).collect();
            let valid = results.iter().filter(|result| result.is_empty()).count();
            let total = results.len();
            results.into_iter().for_each(|result| errs.extend(result));
            if valid != total {
                let none = if valid == 0 && total > 1 { ". None validated" } else { "" };
                composite(errs, format!("\"{path}\" must validate all the schemas (allOf){none}"));
            }
        }
        if let Some(not) = node.get("not")
            && self.is_valid(not, value, path).is_empty()
        {
            composite(errs, format!("\"{path}\" must not validate the schema (not)"));
        }
    }

    fn validate_string(&self, node: &Value, text: &str, path: &str, errs: &mut ErrorList) {
        let length = text.chars().count() as i64;
        let at = Path::root().child_named(path);
        if let Some(max) = node["maxLength"].as_int().filter(|max| length > *max) {
            errs.too_long(&at, max.max(0) as usize);
        } else if let Some(min) = node["minLength"].as_int().filter(|min| length < *min) {
            errs.invalid(&at, text, &format!("{path} in body should be at least {min} chars long"));
        } else if let Some(pattern) = node["pattern"].as_str().filter(|p| !self.patterns.matches(p, text)) {
            errs.invalid(&at, text, &format!("{path} in body should match '{pattern}'"));
        }
    }

    fn validate_enum(&self, node: &Value, value: &Value, path: &str, errs: &mut ErrorList) {
        let Some(allowed) = node["enum"].as_array() else { return };
        if allowed.is_empty() || allowed.iter().any(|one| one == value) || (value.is_null() && node["nullable"].bool())
        {
            return;
        }
        let texts: Vec<String> =
            allowed.iter().map(|one| one.as_str().map_or_else(|| meta::json::to_string(one), str::to_string)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        errs.not_supported_in_order(&Path::root().child_named(path), value, &texts);
    }

    fn validate_list(&self, node: &Value, items: &[Value], old: Option<&Value>, path: &str, errs: &mut ErrorList) {
        let keys = node["x-kubernetes-list-map-keys"].items();
        for (index, item) in items.iter().enumerate() {
            let same_key = |old: &&Value| keys.iter().all(|key| old[key.str()] == item[key.str()]);
            // Only the items of a map have an identity; those of other lists count as new.
            let old = if keys.is_empty() { None } else { old.and_then(|old| old.items().iter().find(same_key)) };
            self.validate(&node["items"], item, old, &format!("{path}[{index}]"), errs);
        }
        let (size, at) = (items.len() as i64, Path::root().child_named(path));
        if let Some(min) = node["minItems"].as_int().filter(|min| size < *min) {
            errs.invalid(&at, size, &format!("{path} in body should have at least {min} items"));
        }
        if let Some(max) = node["maxItems"].as_int().filter(|max| size > *max) {
            errs.too_many(&at, items.len(), max.max(0) as usize);
        }
    }

    fn validate_object(&self, node: &Value, object: &Value, old: Option<&Value>, path: &str, errs: &mut ErrorList) {
        let (size, at) = (object.entries().len() as i64, Path::root().child_named(path));
        if let Some(min) = node["minProperties"].as_int().filter(|min| size < *min) {
            errs.invalid(&at, size, &format!("{path} in body should have at least {min} properties"));
        }
        if let Some(max) = node["maxProperties"].as_int().filter(|max| size > *max) {
            errs.too_many(&at, size as usize, max.max(0) as usize);
        }
        let below = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        for (key, value) in object.entries() {
            let old = old.and_then(|old| old.get(key));
            self.validate(member(node, key), value, old, &below(key), errs);
        }
        let embedded: &[&str] =
            if node["x-kubernetes-embedded-resource"].bool() { &["apiVersion", "kind"] } else { &[] };
        let required = node["required"].items().iter().map(Value::str).chain(embedded.iter().copied());
        for key in required {
            if object.get(key).is_none() {
                errs.required(&Path::root().child_named(&below(key)), "");
            }
        }
    }
}

/// An error of several schemas together: upstream gives it no field.
fn composite(errs: &mut ErrorList, text: String) {
    errs.invalid(&Path::root(), "", &text);
}

/// Of several failures the one that came closest: the fewest errors, the first of equals.
fn closest(results: Vec<ErrorList>) -> ErrorList {
    results.into_iter().min_by_key(ErrorList::len).unwrap_or_default()
}

/// The JSON type's name.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Raw(raw) => type_name(raw.tree()),
    }
}

/// What a schema node wants: its types, and the format as far as it is one for that type.
fn wanted(node: &Value) -> (&str, &str) {
    let kind = if node["x-kubernetes-int-or-string"].bool() { "integer,string" } else { node["type"].str() };
    let format = node["format"].str();
    let ignored = SINGLE_TYPES.contains(&kind) && !formats::is_known(kind, format);
    (kind, if ignored { "" } else { format })
}

const SINGLE_TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];

fn validate_type(node: &Value, value: &Value, path: &str, errs: &mut ErrorList) {
    let (want, format) = wanted(node);
    if want.is_empty() || (value.is_null() && node["nullable"].bool()) {
        return;
    }
    let got = type_name(value);
    let wants = |kind: &str| want.split(',').any(|want| want == kind);
    let number = wants("number") || wants("integer");
    let integral = matches!(value, Value::Float(n) if n.fract() == 0.0);
    let fits = wants(got) || (got == "integer" && wants("number")) || (integral && wants("integer"));
    let has_text_format = matches!(value, Value::String(_) | Value::Array(_));
    let own_format = match value {
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        _ => "",
    };
    let (want, got) = match value {
        Value::Null => (want, got),
        _ if !has_text_format && !format.is_empty() && !fits && own_format != format => (format, own_format),
        _ if has_text_format && !format.is_empty() && !number => return,
        _ if fits => return,
        _ => (want, got),
    };
    let text = format!("{path} in body must be of type {want}: \"{got}\"");
    errs.type_invalid(&Path::root().child_named(path), got, &text);
}

fn validate_format(node: &Value, text: &str, path: &str, errs: &mut ErrorList) {
    let format = node["format"].str();
    if !format.is_empty() && !formats::is_valid(format, text) {
        let detail = format!("{path} in body must be of type {format}: {}", meta::field::quote(text));
        errs.type_invalid(&Path::root().child_named(path), text, &detail);
    }
}

/// A rule's number that is of the value's type is converted to it first, as Go does: a fraction held against an integer
/// loses its fraction. One that is not of that type is an error besides, and held against the value as it is.
fn validate_number(node: &Value, value: &Value, path: &str, errs: &mut ErrorList) {
    let at = Path::root().child_named(path);
    let (kind, format) = wanted(node);
    // Of several types none is held against a number.
    let kind = if kind.contains(',') { "" } else { kind };
    let rule = |name: &str| match &node[name] {
        Value::Int(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        _ => None,
    };
    let (number, native): (f64, fn(f64) -> f64) = match value {
        Value::Int(n) => (*n as f64, f64::trunc),
        Value::Float(n) => (*n, |n| n),
        _ => return,
    };
    let check = |n: f64, what: &str, errs: &mut ErrorList| match is_of_type(n, kind, format) {
        true => native(n),
        false => {
            let of = if format.is_empty() { "(default format)".into() } else { format!("with format {format}") };
            composite(errs, format!("{what} value must be of type {kind} {of} in {path}"));
            n
        }
    };
    check(number, "Checked", errs);
    let shown = || Shown(meta::json::to_string(value));
    if let Some(factor) = rule("multipleOf") {
        let native = check(factor, "MultipleOf", errs);
        if native <= 0.0 {
            let factor = show(native);
            let text = format!("factor MultipleOf declared for {path} must be positive: {factor}");
            errs.invalid(&at, Shown(factor), &text);
        } else if !is_multiple(number, native) {
            errs.invalid(&at, shown(), &format!("{path} in body should be a multiple of {}", show(factor)));
        }
    }
    if let Some(min) = rule("minimum") {
        let min = check(min, "Minimum boundary", errs);
        let exclusive = node["exclusiveMinimum"].bool();
        if number < min || (exclusive && number == min) {
            let words = if exclusive { "greater than" } else { "greater than or equal to" };
            errs.invalid(&at, shown(), &format!("{path} in body should be {words} {}", show(min)));
        }
    }
    if let Some(max) = rule("maximum") {
        let max = check(max, "Maximum boundary", errs);
        let exclusive = node["exclusiveMaximum"].bool();
        if number > max || (exclusive && number == max) {
            let words = if exclusive { "less than" } else { "less than or equal to" };
            errs.invalid(&at, shown(), &format!("{path} in body should be {words} {}", show(max)));
        }
    }
}

/// Whether a number can be one of a type and format.
fn is_of_type(n: f64, kind: &str, format: &str) -> bool {
    let whole_within = |min: f64, max: f64| n.fract() == 0.0 && n >= min && n <= max;
    match (kind, format) {
        ("integer", "int32") => whole_within(f64::from(i32::MIN), f64::from(i32::MAX)),
        ("integer", _) => whole_within(i64::MIN as f64, i64::MAX as f64),
        (_, "float" | "float32") => n.abs() <= f64::from(f32::MAX),
        _ => true,
    }
}

fn is_multiple(number: f64, factor: f64) -> bool {
    let times = number / factor;
    times.fract() == 0.0
}

/// A number as Go's `%v` prints it.
fn show(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{}", number as i64) } else { format!("{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn check(node: &Value, value: &Value, want: &[&str]) {
        let patterns = Patterns::of(node);
        let mut errs = ErrorList::new();
        Validator { patterns: &patterns }.validate(node, value, None, "spec", &mut errs);
        let got: Vec<String> = errs.iter().map(|e| e.to_string()).collect();
        assert_eq!(got, want, "{value:?}");
    }

    #[test]
    fn scalars() {
        let int = value!({"type": "integer", "minimum": 1, "maximum": 5});
        check(&int, &value!(3), &[]);
        check(&int, &value!(0), &["spec: Invalid value: 0: spec in body should be greater than or equal to 1"]);
        check(
            &int,
            &value!("x"),
            &["spec: Invalid value: \"string\": spec in body must be of type integer: \"string\""],
        );
        check(
            &int,
            &value!(1.5),
            &[
                "spec: Invalid value: \"number\": spec in body must be of type integer: \"number\"",
                "<nil>: Invalid value: \"\": Checked value must be of type integer (default format) in spec",
            ],
        );
        let number = value!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "multipleOf": 0.5});
        check(
            &number,
            &value!(0),
            &[
                "spec: Invalid value: 0: factor MultipleOf declared for spec must be positive: 0",
                "spec: Invalid value: 0: spec in body should be greater than 0",
            ],
        );
        check(&number, &value!(0.7), &["spec: Invalid value: 0.7: spec in body should be a multiple of 0.5"]);
        let text = value!({"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"});
        check(&text, &value!("abcde"), &["spec: Too long: may not be more than 4 bytes"]);
        check(&text, &value!("AB"), &["spec: Invalid value: \"AB\": spec in body should match '^[a-z]+$'"]);
        let either = value!({"x-kubernetes-int-or-string": true});
        check(&either, &value!("5%"), &[]);
        check(
            &either,
            &value!(true),
            &["spec: Invalid value: \"boolean\": spec in body must be of type integer,string: \"boolean\""],
        );
    }

    #[test]
    fn logic() {
        let one = value!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
        check(&one, &value!({"a": 1}), &[]);
        check(
            &one,
            &value!({}),
            &[
                "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
                "spec.a: Required value",
            ],
        );
        check(
            &one,
            &value!({"a": 1, "b": 1}),
            &[
                "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
            ],
        );
    }

    #[test]
    fn what_did_not_change_is_not_held_against_new_rules() {
        let node = value!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-z]*$"}}});
        let patterns = Patterns::of(&node);
        let validator = Validator { patterns: &patterns };
        let old = value!({"a": "LOUD", "b": 1});
        let mut errs = ErrorList::new();
        validator.validate(&node, &value!({"a": "LOUD", "b": 2}), Some(&old), "spec", &mut errs);
        assert!(errs.is_empty());
        validator.validate(&node, &value!({"a": "STILL"}), Some(&old), "spec", &mut errs);
        assert_eq!(errs.len(), 1);
    }
}
