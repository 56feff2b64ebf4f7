//! JSON patch (RFC 6902) with the behaviour of the Go library that kube-apiserver uses (evanphx/json-patch v4):
//! negative indexes count from the end, `replace` and `test` of a missing member see null, `remove` of one fails.
//! What went wrong is not sent to the client: every failure of an operation is the same 422.

use meta::{Reason, Result, Status, Str, Value};

/// More operations than this are refused with 413.
pub const OPERATIONS_MAX: usize = 10_000;
/// What all `copy` operations of one patch may add, in bytes of JSON text.
pub const COPIED_BYTES_MAX: usize = 3 << 20;
/// How many list items inserts and removals of one patch may shift. Upstream has no such bound, only a slow request.
const SHIFTED_ITEMS_MAX: usize = 200_000_000;

const MEMBERS: [&str; 4] = ["op", "path", "from", "value"];

/// The operations of a decoded patch body.
///
/// # Errors
/// 400 when this is no list of operations, 413 when there are too many.
pub fn operations(patch: &Value) -> Result<&[Value]> {
    let bad = |found: &Value, what: &str| {
        let found = go_json_kind(found);
        Status::bad_request(format!("error decoding patch: json: cannot unmarshal {found} into Go {what}"))
    };
    let ops = match patch {
        Value::Null => &[],
        Value::Array(ops) => ops.as_slice(),
        other => return Err(bad(other, "value of type []handlers.jsonPatchOp")),
    };
    for op in ops {
        match op {
            Value::Null => {}
            Value::Object(members) => {
                for name in ["op", "path", "from"] {
                    match members.get(name) {
                        None | Some(Value::Null | Value::String(_)) => {}
                        Some(other) => {
                            return Err(bad(other, &format!("struct field jsonPatchOp.{name} of type string")));
                        }
                    }
                }
            }
            other => return Err(bad(other, "value of type handlers.jsonPatchOp")),
        }
    }
    if ops.len() > OPERATIONS_MAX {
        let count = ops.len();
        let text = format!("The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {count}");
        return Err(Status::failure(413, Reason::RequestEntityTooLarge, too_large(&text)));
    }
    Ok(ops)
}

fn too_large(text: &str) -> String {
    format!("Request entity too large: {text}")
}

/// What strict decoding says of the operations, e.g. `json patch unknown field "[0].extra"`.
pub fn unknown_fields(ops: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for (i, op) in ops.iter().enumerate() {
        for (name, _) in op.entries().filter(|(name, _)| !MEMBERS.contains(name)) {
            found.push(format!("json patch unknown field \"[{i}].{name}\""));
        }
    }
    found
}

/// How Go's encoding/json names a JSON value in its errors.
pub fn go_json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Raw(raw) => go_json_kind(raw.tree()),
    }
}

/// Applies the operations in order. On an error `doc` is left half patched: the caller drops it.
///
/// # Errors
/// 422 with upstream's one text for all of them.
pub fn apply(doc: &mut Value, ops: &[Value]) -> Result<()> {
    apply_explained(doc, ops).map_err(|_| rejected())
}

/// Why a patch of good form does not fit a document, in the words of upstream's library.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// A `test` found something else.
    Test(String),
    Operation(String),
}

/// As [`apply`], for those who tell why not.
///
/// # Errors
/// Of the first operation that does not fit.
pub fn apply_explained(doc: &mut Value, ops: &[Value]) -> std::result::Result<(), Unfit> {
    let mut spent = Spent::default();
    let is_managed = |pointer: &Value| pointer.str().starts_with("/metadata/managedFields/");
    if ops.iter().any(|op| is_managed(&op["path"]) || is_managed(&op["from"])) {
        doc.unfold();
    }
    ops.iter().try_for_each(|op| apply_one(doc, op, &mut spent))
}

/// The answer to a patch of good form that does not fit the object.
pub(crate) fn rejected() -> Status {
    let text = "the server rejected our request due to an error in our request";
    let mut status = Status::failure(422, Reason::Invalid, text);
    status.details = Some(Box::default());
    status
}

/// Why an operation does not fit.
enum Fault {
    /// Nothing holds the pointer's last part.
    NoContainer,
    Inside(String),
}
type Step<T = ()> = std::result::Result<T, Fault>;

fn no_index(index: &str) -> Fault {
    Fault::Inside(format!("Unable to access invalid index: {index}: invalid index referenced"))
}

/// What one patch has used of its bounds.
#[derive(Default)]
struct Spent {
    copied_bytes: usize,
    shifted_items: usize,
}

fn apply_one(doc: &mut Value, op: &Value, spent: &mut Spent) -> std::result::Result<(), Unfit> {
    let name = op["op"].str();
    let unfit = |text: String| Unfit::Operation(text);
    let pointer = |field: &str| {
        let missing = || unfit(format!("{name} operation failed to decode {field}: missing value"));
        op[field].as_str().ok_or_else(missing)
    };
    let explained = |fault: Fault, what: &str, at: &str, inside: &str| match fault {
        Fault::NoContainer => {
            unfit(format!("{name} operation does not apply: doc is missing {what}: {at}: missing value"))
        }
        Fault::Inside(why) => unfit(format!("error in {inside}: {why}")),
    };
    let value = || op["value"].clone();
    match name {
        "add" | "remove" => {
            let path = pointer("path")?;
            let done = match name {
                "add" => add(doc, path, value(), spent),
                _ => remove(doc, path, spent).map(drop),
            };
            let quoted = format!("\"{path}\"");
            done.map_err(|fault| explained(fault, "path", &quoted, &format!("{name} for path: '{path}'")))
        }
        "replace" => {
            let path = pointer("path")?;
            replace(doc, path, value()).map_err(|fault| match fault {
                Fault::NoContainer => explained(fault, "path", path, ""),
                Fault::Inside(_) => explained(Fault::NoContainer, "key", path, ""),
            })
        }
        "move" => {
            let from = pointer("from")?;
            let key = from.rsplit('/').next().unwrap_or_default();
            let moved = remove(doc, from, spent);
            let moved =
                moved.map_err(|fault| explained(fault, "from path", from, &format!("move for path: '{key}'")))?;
            let path = pointer("path")?;
            let done = add(doc, path, moved, spent);
            done.map_err(|fault| explained(fault, "destination path", path, &format!("move for path: '{path}'")))
        }
        "copy" => {
            let from = pointer("from")?;
            let copy = get(doc, from).cloned();
            let copy =
                copy.map_err(|fault| explained(fault, "from path", from, &format!("copy for from: '{from}'")))?;
            spent.copied_bytes += meta::json::to_string(&copy).len();
            if spent.copied_bytes > COPIED_BYTES_MAX {
                let text = format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {COPIED_BYTES_MAX}",
                    spent.copied_bytes
                );
                return Err(unfit(text));
            }
            let path = pointer("path")?;
            let done = add(doc, path, copy, spent);
            done.map_err(|fault| explained(fault, "destination path", path, &format!("copy for path: '{path}'")))
        }
        "test" => {
            let path = pointer("path")?;
            let found = if path.is_empty() { Ok(&*doc) } else { get(doc, path) };
            let found = found.map_err(|fault| explained(fault, "path", path, &format!("test for path: '{path}'")))?;
            let is_so = *found == op["value"];
            if is_so { Ok(()) } else { Err(Unfit::Test(format!("testing value {path} failed: test failed"))) }
        }
        other => Err(unfit(format!("Unexpected kind: {other}"))),
    }
}

/// The container that holds the last part of a pointer, and that part unescaped.
fn container<'a>(doc: &'a mut Value, path: &str) -> Step<(&'a mut Value, Str)> {
    let mut parts = path.split('/').skip(1).map(unescape).peekable();
    let mut at = doc;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return if matches!(at, Value::Object(_) | Value::Array(_)) {
                Ok((at, part))
            } else {
                Err(Fault::NoContainer)
            };
        }
        at = match at {
            Value::Object(map) => map.get_mut(&part).ok_or(Fault::NoContainer)?,
            Value::Array(items) => {
                let index = position(&part, items.len()).map_err(|_| Fault::NoContainer)?;
                items.get_mut(index).ok_or(Fault::NoContainer)?
            }
            _ => return Err(Fault::NoContainer),
        };
    }
    Err(Fault::NoContainer)
}

fn unescape(part: &str) -> Str {
    if part.contains('~') { part.replace("~1", "/").replace("~0", "~").into() } else { part.into() }
}

/// An index that may be negative, within 0..=len.
fn position(text: &str, len: usize) -> Step<usize> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let magnitude: usize = digits.parse().map_err(|_| {
        let why = format!("strconv.Atoi: parsing {}: invalid syntax", meta::field::quote(text));
        Fault::Inside(format!("value was not a proper array index: '{text}': {why}"))
    })?;
    let index = if text.starts_with('-') { len.checked_sub(magnitude) } else { Some(magnitude) };
    index.filter(|i| *i <= len).ok_or_else(|| no_index(text))
}

fn get<'a>(doc: &'a mut Value, path: &str) -> Step<&'a Value> {
    let (at, key) = container(doc, path)?;
    match &*at {
        Value::Array(items) => items.get(position(&key, items.len())?).ok_or_else(|| no_index(&key)),
        object => Ok(&object[key.as_str()]),
    }
}

fn add(doc: &mut Value, path: &str, value: Value, spent: &mut Spent) -> Step {
    let (at, key) = container(doc, path)?;
    match at {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            // Go counts a negative index from the end of the longer list: -1 appends.
            let len = items.len();
            let index = if key.starts_with('-') { position(&key, len + 1)? } else { position(&key, len)? };
            shift(spent, len.saturating_sub(index))?;
            items.insert(index.min(len), value);
        }
        Value::Object(map) => drop(map.insert(key, value)),
        _ => return Err(Fault::NoContainer),
    }
    Ok(())
}

fn remove(doc: &mut Value, path: &str, spent: &mut Spent) -> Step<Value> {
    let (at, key) = container(doc, path)?;
    match at {
        Value::Array(items) => {
            let index = position(&key, items.len())?;
            if index >= items.len() {
                return Err(no_index(&key));
            }
            shift(spent, items.len() - index)?;
            Ok(items.remove(index))
        }
        Value::Object(map) => {
            let missing = || Fault::Inside(format!("Unable to remove nonexistent key: {key}: missing value"));
            map.remove(&key).ok_or_else(missing)
        }
        _ => Err(Fault::NoContainer),
    }
}

fn replace(doc: &mut Value, path: &str, value: Value) -> Step {
    if path.is_empty() {
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            return Err(Fault::Inside("replace operation value must be object or array".into()));
        }
        *doc = value;
        return Ok(());
    }
    let (at, key) = container(doc, path)?;
    match at {
        Value::Array(items) => {
            let index = position(&key, items.len())?;
            *items.get_mut(index).ok_or_else(|| no_index(&key))? = value;
        }
        Value::Object(map) => drop(map.insert(key, value)),
        _ => return Err(Fault::NoContainer),
    }
    Ok(())
}

fn shift(spent: &mut Spent, items: usize) -> Step {
    spent.shifted_items = spent.shifted_items.saturating_add(items);
    if spent.shifted_items <= SHIFTED_ITEMS_MAX {
        return Ok(());
    }
    Err(Fault::Inside("too many items would be shifted".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn patched(doc: &Value, ops: Value) -> Option<Value> {
        let mut doc = doc.clone();
        apply(&mut doc, ops.items()).ok().map(|()| doc)
    }

    #[test]
    fn operations_change_the_document() {
        let doc = value!({"a": {"b": 1, "x/y": 2}, "l": [1, 2, 3], "n": null});
        let cases = [
            (
                value!([{"op": "add", "path": "/a/c", "value": 5}]),
                value!({"a": {"b": 1, "c": 5, "x/y": 2}, "l": [1, 2, 3], "n": null}),
            ),
            (
                value!([{"op": "add", "path": "/l/1", "value": 9}]),
                value!({"a": {"b": 1, "x/y": 2}, "l": [1, 9, 2, 3], "n": null}),
            ),
            (
                value!([{"op": "add", "path": "/l/-", "value": 9}]),
                value!({"a": {"b": 1, "x/y": 2}, "l": [1, 2, 3, 9], "n": null}),
            ),
            (
                value!([{"op": "add", "path": "/l/-1", "value": 9}]),
                value!({"a": {"b": 1, "x/y": 2}, "l": [1, 2, 3, 9], "n": null}),
            ),
            (value!([{"op": "remove", "path": "/l/-1"}]), value!({"a": {"b": 1, "x/y": 2}, "l": [1, 2], "n": null})),
            (
                value!([{"op": "replace", "path": "/a/x~1y", "value": 7}]),
                value!({"a": {"b": 1, "x/y": 7}, "l": [1, 2, 3], "n": null}),
            ),
            (
                value!([{"op": "replace", "path": "/new", "value": 7}]),
                value!({"a": {"b": 1, "x/y": 2}, "l": [1, 2, 3], "n": null, "new": 7}),
            ),
            (
                value!([{"op": "move", "from": "/a/b", "path": "/l/0"}]),
                value!({"a": {"x/y": 2}, "l": [1, 1, 2, 3], "n": null}),
            ),
            (
                value!([{"op": "copy", "from": "/l", "path": "/m"}]),
                value!({"a": {"b": 1, "x/y": 2}, "l": [1, 2, 3], "m": [1, 2, 3], "n": null}),
            ),
            (value!([{"op": "test", "path": "/missing"}, {"op": "test", "path": "/n", "value": null}]), doc.clone()),
            (value!([{"op": "replace", "path": "", "value": {"z": 1}}]), value!({"z": 1})),
        ];
        for (ops, want) in cases {
            assert_eq!(patched(&doc, ops.clone()), Some(want), "{ops:?}");
        }
    }

    #[test]
    fn operations_that_do_not_fit_are_rejected() {
        let doc = value!({"a": {"b": 1}, "l": [1], "n": null});
        let cases = [
            value!([{"op": "remove", "path": "/x"}]),
            value!([{"op": "remove", "path": ""}]),
            value!([{"op": "remove", "path": "/l/1"}]),
            value!([{"op": "replace", "path": "/l/1", "value": 1}]),
            value!([{"op": "replace", "path": "/l/x", "value": 1}]),
            value!([{"op": "add", "path": "/l/2", "value": 1}]),
            value!([{"op": "add", "path": "/x/y", "value": 1}]),
            value!([{"op": "add", "path": "/n/y", "value": 1}]),
            value!([{"op": "add", "path": "/a/b/c", "value": 1}]),
            value!([{"op": "add", "value": 1}]),
            value!([{"op": "copy", "from": "/l/5", "path": "/x"}]),
            value!([{"op": "move", "from": "/x", "path": "/y"}]),
            value!([{"op": "test", "path": "/a/b", "value": 2}]),
            value!([{"op": "test", "path": "/missing", "value": "x"}]),
            value!([{"op": "bogus", "path": "/a"}]),
            value!([null]),
        ];
        for ops in cases {
            assert_eq!(patched(&doc, ops.clone()), None, "{ops:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_explained() {
        let why = |op: Value| apply_explained(&mut value!({"a": {"b": 1}, "l": [1]}), &[op]).unwrap_err();
        let operation = |text: &str| Unfit::Operation(text.to_owned());
        assert_eq!(
            why(value!({"op": "add", "path": "/x/y", "value": 1})),
            operation("add operation does not apply: doc is missing path: \"/x/y\": missing value")
        );
        assert_eq!(
            why(value!({"op": "remove", "path": "/a/c"})),
            operation("error in remove for path: '/a/c': Unable to remove nonexistent key: c: missing value")
        );
        assert_eq!(
            why(value!({"op": "replace", "path": "/l/7", "value": 1})),
            operation("replace operation does not apply: doc is missing key: /l/7: missing value")
        );
        assert_eq!(
            why(value!({"op": "add", "path": "/l/x", "value": 1})),
            operation(
                "error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax"
            )
        );
        assert_eq!(
            why(value!({"op": "test", "path": "/a/b", "value": 2})),
            Unfit::Test("testing value /a/b failed: test failed".into())
        );
        assert_eq!(why(value!({"op": "bogus", "path": "/a"})), operation("Unexpected kind: bogus"));
    }

    #[test]
    fn bodies_that_are_no_patch_get_go_s_words() {
        let text = |v: Value| operations(&v).err().map(|e| e.message);
        let want = |t: &str| Some(format!("error decoding patch: json: cannot unmarshal {t}"));
        assert_eq!(text(value!({})), want("object into Go value of type []handlers.jsonPatchOp"));
        assert_eq!(text(value!([1])), want("number into Go value of type handlers.jsonPatchOp"));
        assert_eq!(text(value!([{"op": 1}])), want("number into Go struct field jsonPatchOp.op of type string"));
        assert_eq!(text(Value::Array(vec![Value::Null; OPERATIONS_MAX])), None);
        let too_many = Value::Array(vec![Value::Null; OPERATIONS_MAX + 1]);
        assert_eq!(operations(&too_many).map_err(|e| e.code), Err(413));
        assert_eq!(
            unknown_fields(value!([{"op": "add", "extra": 1}]).items()),
            ["json patch unknown field \"[0].extra\""]
        );
    }

    #[test]
    fn copies_that_grow_without_end_are_rejected() {
        let mut ops = vec![value!({"op": "add", "path": "/a", "value": ["xxxxxxxxxxxxxxxx"]})];
        ops.extend((0..40).map(|_| value!({"op": "copy", "from": "/a", "path": "/a/-"})));
        assert!(apply(&mut value!({}), &ops).is_err());
    }
}
