//! The one decoded form of every object: a small JSON-shaped tree.
//!
//! Keys of an object are kept sorted, so equality, lookup and the encoders need no second
//! structure, and two trees with the same content are the same bytes in memory order.

use crate::raw::Raw;
use compact_str::CompactString;
use std::ops::Index;

/// A short string, inline up to 24 bytes: most names, keys and label values allocate nothing.
pub type Str = CompactString;

/// A decoded value. Integers and floats are kept apart, as Go's unstructured JSON does.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Str),
    Array(Vec<Value>),
    Object(Map),
    /// What is mostly only passed on. Reads look through it; who matches on kinds asks [`Value::plain`] first where one
    /// may come.
    Raw(Raw),
}

/// What a missing key reads as, so that `v["a"]["b"]` never panics.
static NULL: Value = Value::Null;

impl Value {
    /// An empty object.
    pub fn object() -> Value {
        Value::Object(Map::new())
    }

    /// This as one of the other kinds: what a raw text stands for.
    pub fn plain(&self) -> &Value {
        match self {
            Value::Raw(raw) => raw.tree(),
            other => other,
        }
    }

    /// Makes a raw text the tree it stands for.
    fn plain_mut(&mut self) -> &mut Value {
        if let Value::Raw(raw) = self {
            *self = raw.tree().clone();
        }
        self
    }

    /// Makes all raw texts in this the trees they stand for.
    pub fn unfold(&mut self) {
        match self.plain_mut() {
            Value::Array(items) => items.iter_mut().for_each(Value::unfold),
            Value::Object(map) => map.iter_mut().for_each(|(_, value)| value.unfold()),
            _ => {}
        }
    }

    /// The member `key` of an object; `None` when this is no object or has no such member.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self.plain() {
            Value::Object(map) => map.get(key),
            _ => None,
        }
    }

    /// The member `key`, mutable.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        match self.plain_mut() {
            Value::Object(map) => map.get_mut(key),
            _ => None,
        }
    }

    /// The value at a dotted path of object keys (`"spec.template.spec"`); keys with dots need [`Value::get`].
    pub fn path(&self, path: &str) -> &Value {
        path.split('.').fold(self, |v, key| &v[key])
    }

    /// The value at a dotted path, mutable; `None` when a step is missing.
    pub fn path_mut(&mut self, path: &str) -> Option<&mut Value> {
        path.split('.').try_fold(self, |v, key| v.get_mut(key))
    }

    /// The member `key` for writing. Makes this an object when it is not one, and the member null when it is missing.
    pub fn entry(&mut self, key: &str) -> &mut Value {
        self.object_mut().entry(key)
    }

    /// This as an object for writing; anything else is replaced by an empty object.
    pub fn object_mut(&mut self) -> &mut Map {
        if !matches!(self.plain_mut(), Value::Object(_)) {
            *self = Value::object();
        }
        match self {
            Value::Object(map) => map,
            _ => unreachable!("made an object above"),
        }
    }

    /// This as an array for writing; anything else is replaced by an empty array.
    pub fn array_mut(&mut self) -> &mut Vec<Value> {
        if !matches!(self.plain_mut(), Value::Array(_)) {
            *self = Value::Array(Vec::new());
        }
        match self {
            Value::Array(items) => items,
            _ => unreachable!("made an array above"),
        }
    }

    /// Sets member `key`; makes this an object when it is not one.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        *self.entry(key) = value.into();
    }

    /// Sets member `key` only when it is missing or null; says whether it did.
    pub fn set_default(&mut self, key: &str, value: impl Into<Value>) -> bool {
        let slot = self.entry(key);
        let missing = slot.is_null();
        if missing {
            *slot = value.into();
        }
        missing
    }

    /// Removes member `key` and returns it.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        match self.plain_mut() {
            Value::Object(map) => map.remove(key),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Raw(raw) => !raw.is_object() && raw.tree().is_null(),
            _ => false,
        }
    }

    /// Null, "", [] or {}: what Go's `omitempty` leaves out (numbers and booleans are not judged here).
    pub fn is_empty(&self) -> bool {
        match self.plain() {
            Value::Null => true,
            Value::String(s) => s.is_empty(),
            Value::Array(a) => a.is_empty(),
            Value::Object(m) => m.is_empty(),
            _ => false,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self.plain() {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The string, or "" for anything else: Go's zero value.
    pub fn str(&self) -> &str {
        self.as_str().unwrap_or("")
    }

    pub fn as_int(&self) -> Option<i64> {
        match self.plain() {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The integer, or 0 for anything else: Go's zero value.
    pub fn int(&self) -> i64 {
        self.as_int().unwrap_or(0)
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.plain() {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The boolean, or false for anything else: Go's zero value.
    pub fn bool(&self) -> bool {
        self.as_bool().unwrap_or(false)
    }

    pub fn as_array(&self) -> Option<&[Value]> {
        match self.plain() {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The items of an array; none for anything else.
    pub fn items(&self) -> &[Value] {
        self.as_array().unwrap_or(&[])
    }

    /// The items of an array, mutable; none for anything else.
    pub fn items_mut(&mut self) -> &mut [Value] {
        match self.plain_mut() {
            Value::Array(a) => a,
            _ => &mut [],
        }
    }

    pub fn as_object(&self) -> Option<&Map> {
        match self.plain() {
            Value::Object(m) => Some(m),
            _ => None,
        }
    }

    /// The members of an object in key order; none for anything else.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        let entries: &[(Str, Value)] = self.as_object().map_or(&[], |m| &m.entries);
        entries.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The members of an object in key order, mutable; none for anything else.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        let entries: &mut [(Str, Value)] = match self.plain_mut() {
            Value::Object(m) => &mut m.entries,
            _ => &mut [],
        };
        entries.iter_mut().map(|(k, v)| (k.as_str(), v))
    }
}

impl Index<&str> for Value {
    type Output = Value;

    /// The member `key`, or null: never panics.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&NULL)
    }
}

impl Index<usize> for Value {
    type Output = Value;

    /// The item at `index`, or null: never panics.
    fn index(&self, index: usize) -> &Value {
        self.items().get(index).unwrap_or(&NULL)
    }
}

macro_rules! from {
    ($($t:ty => $e:expr),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from(x: $t) -> Value {
                let wrap: fn($t) -> Value = $e;
                wrap(x)
            }
        }
    )*};
}

from! {
    bool => Value::Bool,
    i32 => |n| Value::Int(n.into()),
    u32 => |n| Value::Int(n.into()),
    u16 => |n| Value::Int(n.into()),
    i64 => Value::Int,
    f64 => Value::Float,
    Str => Value::String,
    &str => |s| Value::String(s.into()),
    &&str => |s| Value::String((*s).into()),
    String => |s| Value::String(s.into()),
    &String => |s| Value::String(s.as_str().into()),
    &Str => |s| Value::String(s.clone()),
    Vec<Value> => Value::Array,
    Map => Value::Object,
    Raw => Value::Raw,
    &Value => Value::clone,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(x: Option<T>) -> Value {
        x.map_or(Value::Null, Into::into)
    }
}

/// The members of an object, sorted by key, each key once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Str, Value)>,
}

/// Up to this many entries a scan beats a binary search.
const SCAN_MAX: usize = 16;

impl Map {
    pub const fn new() -> Map {
        Map { entries: Vec::new() }
    }

    /// A map of entries in any order. Of entries with the same key the last wins; the others' keys are returned, in order of appearance.
    pub fn from_entries(mut entries: Vec<(Str, Value)>) -> (Map, Vec<Str>) {
        let sorted = entries.windows(2).all(|w| w[0].0 < w[1].0);
        let mut duplicates = Vec::new();
        if !sorted {
            entries.sort_by(|a, b| a.0.cmp(&b.0)); // stable: later duplicates stay later
            let mut kept: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
            for entry in entries {
                match kept.last_mut() {
                    Some(last) if last.0 == entry.0 => {
                        duplicates.push(entry.0.clone());
                        *last = entry;
                    }
                    _ => kept.push(entry),
                }
            }
            entries = kept;
        }
        (Map { entries }, duplicates)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        if self.entries.len() <= SCAN_MAX {
            for (i, (k, _)) in self.entries.iter().enumerate() {
                match k.as_str().cmp(key) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Ok(i),
                    std::cmp::Ordering::Greater => return Err(i),
                }
            }
            return Err(self.entries.len());
        }
        self.entries.binary_search_by(|(k, _)| k.as_str().cmp(key))
    }

    /// Where a key is. Unlike [`Map::find`] this need not know where it would be: of nearly all other keys the length
    /// tells that they are others.
    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= SCAN_MAX {
            return self.entries.iter().position(|(k, _)| k.as_str() == key);
        }
        self.find(key).ok()
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).and_then(|i| self.entries.get(i)).map(|(_, v)| v)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let i = self.position(key)?;
        self.entries.get_mut(i).map(|(_, v)| v)
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The member `key` for writing, null when it was missing.
    pub fn entry(&mut self, key: &str) -> &mut Value {
        let i = match self.find(key) {
            Ok(i) => i,
            Err(i) => {
                self.entries.insert(i, (key.into(), Value::Null));
                i
            }
        };
        &mut self.entries[i].1
    }

    /// Sets `key`; returns what was there.
    pub fn insert(&mut self, key: impl Into<Str>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Ok(i) => Some(std::mem::replace(&mut self.entries[i].1, value)),
            Err(i) => {
                self.entries.insert(i, (key, value));
                None
            }
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let i = self.position(key)?;
        Some(self.entries.remove(i).1)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry at a position in key order.
    pub fn entry_at(&self, index: usize) -> Option<(&str, &Value)> {
        self.entries.get(index).map(|(key, value)| (key.as_str(), value))
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(k, v)| (k.as_str(), v))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.entries.iter_mut().map(|(k, v)| (k.as_str(), v))
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.entries.iter().map(|(k, _)| k.as_str())
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.entries.retain_mut(|(k, v)| keep(k, v));
    }

    /// The entries, sorted by key: for merging two maps in one pass.
    pub fn into_entries(self) -> Vec<(Str, Value)> {
        self.entries
    }
}

impl FromIterator<(Str, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Str, Value)>>(entries: I) -> Map {
        Map::from_entries(entries.into_iter().collect()).0
    }
}

impl IntoIterator for Map {
    type Item = (Str, Value);
    type IntoIter = std::vec::IntoIter<(Str, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// Builds a [`Value`] from JSON-like text: `value!({"a": [1, x, null]})`. Keys and values are expressions.
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ([ $($item:tt),* $(,)? ]) => { $crate::Value::Array(vec![ $( $crate::value!($item) ),* ]) };
    ({ $($key:tt : $val:tt),* $(,)? }) => {{
        #[allow(unused_mut)]
        let mut map = $crate::Map::new();
        $( map.insert($key, $crate::value!($val)); )*
        $crate::Value::Object(map)
    }};
    ($other:expr) => { $crate::Value::from($other) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_what_is_missing_are_null() {
        let v = value!({"spec": {"n": 3, "on": true}, "list": ["a"]});
        assert_eq!(v["spec"]["n"].int(), 3);
        assert_eq!(v.path("spec.on"), &Value::Bool(true));
        assert!(v["nope"]["deeper"][7].is_null());
        assert_eq!(v["list"][0].str(), "a");
    }

    #[test]
    fn of_equal_keys_the_last_wins_and_is_reported() {
        let entries = vec![("b".into(), Value::Int(1)), ("a".into(), Value::Int(2)), ("b".into(), Value::Int(3))];
        let (map, duplicates) = Map::from_entries(entries);
        assert_eq!(map.get("b"), Some(&Value::Int(3)));
        assert_eq!(duplicates, ["b"]);
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn keys_stay_sorted_however_they_arrive() {
        let mut map = Map::new();
        for i in (0..100).rev() {
            map.insert(format!("k{i:03}"), i);
        }
        assert!(map.keys().zip(map.keys().skip(1)).all(|(a, b)| a < b));
        assert_eq!(map.get("k042"), Some(&Value::Int(42)));
        assert_eq!(map.remove("k042"), Some(Value::Int(42)));
        assert!(!map.contains_key("k042"));
    }
}
