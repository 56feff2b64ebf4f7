//! Paths into an object and the errors found there, with upstream's texts
//! (k8s.io/apimachinery/pkg/util/validation/field).

use crate::{Str, Value, json};
use std::fmt::{self, Write};
use std::rc::Rc;

/// Where in an object: `spec.containers[0].name`, `metadata.labels[app]`. Cheap to extend and to clone.
#[derive(Clone, Debug, Default)]
pub struct Path(Option<Rc<Step>>);

#[derive(Debug)]
struct Step {
    parent: Path,
    what: What,
}

#[derive(Debug)]
enum What {
    Field(&'static str),
    Name(Str),
    Index(usize),
    Key(Str),
}

impl Path {
    /// The object itself; prints as "".
    pub fn root() -> Path {
        Path(None)
    }

    /// A path of one field.
    pub fn new(field: &'static str) -> Path {
        Path::root().child(field)
    }

    fn step(&self, what: What) -> Path {
        Path(Some(Rc::new(Step { parent: self.clone(), what })))
    }

    /// A field of this object: `.name`.
    pub fn child(&self, field: &'static str) -> Path {
        self.step(What::Field(field))
    }

    /// A field whose name is known only at run time: `.name`.
    pub fn child_named(&self, field: &str) -> Path {
        self.step(What::Name(field.into()))
    }

    /// An item of this list: `[3]`.
    pub fn index(&self, index: usize) -> Path {
        self.step(What::Index(index))
    }

    /// An entry of this map: `[key]`.
    pub fn key(&self, key: &str) -> Path {
        self.step(What::Key(key.into()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return Ok(()) };
        step.parent.fmt(f)?;
        let dot = if step.parent.0.is_some() { "." } else { "" };
        match &step.what {
            What::Field(name) => write!(f, "{dot}{name}"),
            What::Name(name) => write!(f, "{dot}{name}"),
            What::Index(i) => write!(f, "[{i}]"),
            What::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// The kinds of field errors, with upstream's cause reasons and opening words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    NotFound,
    Required,
    Duplicate,
    Invalid,
    NotSupported,
    Forbidden,
    TooLong,
    TooMany,
    TooFew,
    Internal,
    TypeInvalid,
}

impl ErrorKind {
    /// The `reason` of the cause in a Status.
    pub fn reason(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "FieldValueNotFound",
            ErrorKind::Required => "FieldValueRequired",
            ErrorKind::Duplicate => "FieldValueDuplicate",
            ErrorKind::Invalid => "FieldValueInvalid",
            ErrorKind::NotSupported => "FieldValueNotSupported",
            ErrorKind::Forbidden => "FieldValueForbidden",
            ErrorKind::TooLong => "FieldValueTooLong",
            ErrorKind::TooMany => "FieldValueTooMany",
            ErrorKind::TooFew => "FieldValueTooFew",
            ErrorKind::Internal => "InternalError",
            ErrorKind::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn words(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "Not found",
            ErrorKind::Required => "Required value",
            ErrorKind::Duplicate => "Duplicate value",
            ErrorKind::Invalid | ErrorKind::TypeInvalid => "Invalid value",
            ErrorKind::NotSupported => "Unsupported value",
            ErrorKind::Forbidden => "Forbidden",
            ErrorKind::TooLong => "Too long",
            ErrorKind::TooMany => "Too many",
            ErrorKind::TooFew => "Too few",
            ErrorKind::Internal => "Internal error",
        }
    }
}

/// The offending value as the message shows it: strings quoted as Go's `%q`, objects as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown(pub String);

impl From<&str> for Shown {
    fn from(s: &str) -> Shown {
        Shown(quote(s))
    }
}

impl From<&String> for Shown {
    fn from(s: &String) -> Shown {
        Shown(quote(s))
    }
}

impl From<&Str> for Shown {
    fn from(s: &Str) -> Shown {
        Shown(quote(s))
    }
}

impl From<String> for Shown {
    fn from(s: String) -> Shown {
        Shown(quote(&s))
    }
}

impl From<i64> for Shown {
    fn from(n: i64) -> Shown {
        Shown(n.to_string())
    }
}

impl From<bool> for Shown {
    fn from(b: bool) -> Shown {
        Shown(b.to_string())
    }
}

impl From<&Value> for Shown {
    fn from(v: &Value) -> Shown {
        match v {
            Value::String(s) => Shown(quote(s)),
            other => Shown(json::to_string(other)),
        }
    }
}

/// One thing wrong with an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub kind: ErrorKind,
    pub field: String,
    /// The message without the field: the `message` of the cause.
    pub body: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body)
    }
}

/// What validation found, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorList(Vec<Error>);

impl ErrorList {
    pub fn new() -> ErrorList {
        ErrorList::default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }

    pub fn extend(&mut self, other: ErrorList) {
        self.0.extend(other.0);
    }

    pub fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    pub fn retain(&mut self, keep: impl FnMut(&Error) -> bool) {
        self.0.retain(keep);
    }

    fn add(&mut self, kind: ErrorKind, path: &Path, shown: Option<Shown>, detail: &str) {
        let mut field = path.to_string();
        if field.is_empty() {
            field.push_str("<nil>");
        }
        let mut body = kind.words().to_string();
        if let Some(Shown(shown)) = shown {
            body.push_str(": ");
            body.push_str(&shown);
        }
        if !detail.is_empty() {
            body.push_str(": ");
            body.push_str(detail);
        }
        self.0.push(Error { kind, field, body });
    }

    /// `Required value[: detail]`
    pub fn required(&mut self, path: &Path, detail: &str) {
        self.add(ErrorKind::Required, path, None, detail);
    }

    /// `Invalid value: VALUE: detail`
    pub fn invalid(&mut self, path: &Path, value: impl Into<Shown>, detail: &str) {
        self.add(ErrorKind::Invalid, path, Some(value.into()), detail);
    }

    /// As [`ErrorList::invalid`], once for each detail: what the checks of [`crate::name`] return.
    pub fn invalid_each(&mut self, path: &Path, value: impl Into<Shown>, details: Vec<String>) {
        if details.is_empty() {
            return;
        }
        let shown = value.into();
        for detail in details {
            self.invalid(path, shown.clone(), &detail);
        }
    }

    /// `Invalid value: N: must be greater than or equal to 0` when it is negative.
    pub fn non_negative(&mut self, path: &Path, n: i64) {
        if n < 0 {
            self.invalid(path, n, "must be greater than or equal to 0");
        }
    }

    /// `Invalid value: VALUE: detail`, of the wrong type.
    pub fn type_invalid(&mut self, path: &Path, value: impl Into<Shown>, detail: &str) {
        self.add(ErrorKind::TypeInvalid, path, Some(value.into()), detail);
    }

    /// `Unsupported value: VALUE: supported values: "a", "b"`; the values are sorted as upstream does.
    pub fn not_supported(&mut self, path: &Path, value: impl Into<Shown>, supported: &[&str]) {
        let mut sorted = supported.to_vec();
        sorted.sort_unstable();
        self.not_supported_in_order(path, value, &sorted);
    }

    /// As [`ErrorList::not_supported`], the values in the order given.
    pub fn not_supported_in_order(&mut self, path: &Path, value: impl Into<Shown>, supported: &[&str]) {
        let mut detail = String::new();
        if !supported.is_empty() {
            let quoted: Vec<String> = supported.iter().map(|s| quote(s)).collect();
            detail = format!("supported values: {}", quoted.join(", "));
        }
        self.add(ErrorKind::NotSupported, path, Some(value.into()), &detail);
    }

    /// `Forbidden: detail`
    pub fn forbidden(&mut self, path: &Path, detail: &str) {
        self.add(ErrorKind::Forbidden, path, None, detail);
    }

    /// `Duplicate value: VALUE`
    pub fn duplicate(&mut self, path: &Path, value: impl Into<Shown>) {
        self.add(ErrorKind::Duplicate, path, Some(value.into()), "");
    }

    /// `Duplicate value: VALUE: detail`
    pub fn duplicate_because(&mut self, path: &Path, value: impl Into<Shown>, detail: &str) {
        self.add(ErrorKind::Duplicate, path, Some(value.into()), detail);
    }

    /// `Not found: VALUE: detail`
    pub fn not_found_because(&mut self, path: &Path, value: impl Into<Shown>, detail: &str) {
        self.add(ErrorKind::NotFound, path, Some(value.into()), detail);
    }

    /// `Not found: VALUE`
    pub fn not_found(&mut self, path: &Path, value: impl Into<Shown>) {
        self.add(ErrorKind::NotFound, path, Some(value.into()), "");
    }

    /// `Too long: may not be more than MAX bytes`
    pub fn too_long(&mut self, path: &Path, max: usize) {
        let unit = if max == 1 { "byte" } else { "bytes" };
        self.add(ErrorKind::TooLong, path, None, &format!("may not be more than {max} {unit}"));
    }

    /// `Too many: N: must have at most MAX items`
    pub fn too_many(&mut self, path: &Path, actual: usize, max: usize) {
        let unit = if max == 1 { "item" } else { "items" };
        let shown = Shown(actual.to_string());
        self.add(ErrorKind::TooMany, path, Some(shown), &format!("must have at most {max} {unit}"));
    }

    /// `Too few: N: must have at least MIN items`
    pub fn too_few(&mut self, path: &Path, actual: usize, min: usize) {
        let unit = if min == 1 { "item" } else { "items" };
        self.add(ErrorKind::TooFew, path, Some(Shown(actual.to_string())), &format!("must have at least {min} {unit}"));
    }

    /// `Too long: may not be more than MAX characters`
    pub fn too_long_characters(&mut self, path: &Path, max: usize) {
        let unit = if max == 1 { "character" } else { "characters" };
        self.add(ErrorKind::TooLong, path, None, &format!("may not be more than {max} {unit}"));
    }

    /// `Invalid value: detail`, the value itself not shown.
    pub fn invalid_omitted(&mut self, path: &Path, detail: &str) {
        self.add(ErrorKind::Invalid, path, None, detail);
    }

    /// `Internal error: detail`
    pub fn internal(&mut self, path: &Path, detail: &str) {
        self.add(ErrorKind::Internal, path, None, detail);
    }

    /// The aggregate's text: one error plain, several as `[a, b]`, the same text once (upstream's ToAggregate).
    pub fn message(&self) -> String {
        let mut texts: Vec<String> = Vec::with_capacity(self.0.len());
        for error in &self.0 {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        }
    }
}

impl IntoIterator for ErrorList {
    type Item = Error;
    type IntoIter = std::vec::IntoIter<Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A string in quotes as Go's `strconv.Quote` writes it.
pub fn quote(s: &str) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => drop(write!(out, "\\x{:02x}", c as u32)),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_errors_read_as_upstream() {
        let containers = Path::new("spec").child("containers");
        let labels = Path::new("metadata").child("labels");
        let mut errs = ErrorList::new();
        errs.required(&containers.index(0).child("name"), "");
        errs.invalid(&labels.key("a"), "b\n", "must be c");
        errs.not_supported(&containers, "x", &["b", "a"]);
        let texts: Vec<String> = errs.iter().map(Error::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.containers[0].name: Required value",
                "metadata.labels[a]: Invalid value: \"b\\n\": must be c",
                "spec.containers: Unsupported value: \"x\": supported values: \"a\", \"b\"",
            ]
        );
    }
}
