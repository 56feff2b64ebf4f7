//! Maps and objects, of data or made.

use super::Value;
use crate::schema::Members;
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Clone)]
pub struct Map<'a>(Entries<'a>);

#[derive(Clone)]
enum Entries<'a> {
    Data(&'a meta::Map, Members<'a>),
    Owned(Rc<Owned<'a>>),
}

/// A map that an expression made: entries in order, found by key.
#[derive(Clone, Default)]
pub struct Owned<'a> {
    entries: Vec<(Value<'a>, Value<'a>)>,
    index: HashMap<Key, usize>,
}

/// A key of a map. Numbers that are equal are one key, whatever their types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    Bool(bool),
    Number(i128),
    String(Box<str>),
}

impl Key {
    /// The key that a value is; `None` for values that no map has as a key.
    pub fn of(value: &Value) -> Option<Key> {
        Some(match value {
            Value::Bool(b) => Key::Bool(*b),
            Value::Int(n) => Key::Number(i128::from(*n)),
            Value::Uint(n) => Key::Number(i128::from(*n)),
            Value::Double(n) if n.fract() == 0.0 && n.abs() < 1e30 => {
                // In range, as just tested.
                Key::Number(*n as i128)
            }
            Value::String(text) => Key::String((&**text).into()),
            _ => return None,
        })
    }
}

impl<'a> Owned<'a> {
    /// Adds an entry; `false` when its key is there already or cannot be one.
    pub fn insert(&mut self, key: Value<'a>, value: Value<'a>) -> bool {
        let Some(found) = Key::of(&key) else {
            return false;
        };
        if self.index.contains_key(&found) {
            return false;
        }
        self.index.insert(found, self.entries.len());
        self.entries.push((key, value));
        true
    }
}

impl<'a> Map<'a> {
    pub(crate) fn data(map: &'a meta::Map, members: Members<'a>) -> Map<'a> {
        Map(Entries::Data(map, members))
    }

    pub(crate) fn owned(entries: Owned<'a>) -> Map<'a> {
        Map(Entries::Owned(Rc::new(entries)))
    }

    /// The entries for adding to, in place when nobody else holds them.
    pub(crate) fn make_owned(&mut self) -> &mut Owned<'a> {
        if let Entries::Data(..) = self.0 {
            let mut owned = Owned::default();
            for (key, value) in self.iter() {
                owned.insert(key, value);
            }
            self.0 = Entries::Owned(Rc::new(owned));
        }
        match &mut self.0 {
            Entries::Owned(owned) => Rc::make_mut(owned),
            Entries::Data(..) => unreachable!("made owned above"),
        }
    }

    pub fn len(&self) -> usize {
        match &self.0 {
            Entries::Data(map, _) => map.len(),
            Entries::Owned(owned) => owned.entries.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the type, when a schema says that this is an object with fields.
    pub(crate) fn object_name(&self) -> Option<&'a str> {
        match &self.0 {
            Entries::Data(_, Members::Fields(object)) => Some(object.type_name()),
            _ => None,
        }
    }

    pub fn get(&self, key: &Value) -> Option<Value<'a>> {
        match (&self.0, key) {
            (Entries::Data(..), Value::String(text)) => self.field(text),
            (Entries::Data(..), _) => None,
            (Entries::Owned(owned), key) => {
                owned.entries.get(*owned.index.get(&Key::of(key)?)?).map(|(_, value)| value.clone())
            }
        }
    }

    /// The value of a field, by the name expressions call it.
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        match &self.0 {
            Entries::Data(map, Members::Untyped) => map.get(name).map(Value::data),
            Entries::Data(map, Members::All(node)) => map.get(name).map(|value| Value::typed(value, node)),
            Entries::Data(map, Members::Fields(object)) => {
                let (key, node) = object.field(name)?;
                map.get(key).map(|value| Value::typed(value, node))
            }
            Entries::Owned(owned) => {
                let at = owned.index.get(&Key::String(name.into()))?;
                owned.entries.get(*at).map(|(_, value)| value.clone())
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> + '_ {
        (0..self.len()).filter_map(|at| self.entry(at))
    }

    fn entry(&self, at: usize) -> Option<(Value<'a>, Value<'a>)> {
        match &self.0 {
            Entries::Owned(owned) => owned.entries.get(at).cloned(),
            Entries::Data(map, members) => {
                let (key, value) = map.entry_at(at)?;
                let (name, value) = match members {
                    Members::Untyped => (key, Value::data(value)),
                    Members::All(node) => (key, Value::typed(value, node)),
                    Members::Fields(object) => match object.member(key) {
                        Some((name, node)) => (name, Value::typed(value, node)),
                        None => (key, Value::Preserved(value)),
                    },
                };
                Some((Value::String(super::Text::Borrowed(name)), value))
            }
        }
    }
}
