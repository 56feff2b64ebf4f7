//! The fields of one manager. Most writes have nothing to do with most managers, whose text then stays as it is.

use crate::fields::Set;
use meta::{Raw, Value, json};
use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};

/// Changes of more fields are not looked for in texts.
const SOUGHT_MAX: usize = 32;

/// A set that is read from its text when somebody looks into it.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned {
    /// What the set is read from, while it is the same.
    text: Option<Raw>,
    set: OnceCell<Set>,
}

impl Owned {
    /// From stored `fieldsV1`.
    pub(super) fn of_stored(fields: &Value) -> Owned {
        match fields {
            Value::Raw(raw) => Owned { text: Some(raw.clone()), set: OnceCell::new() },
            tree => Set::from_stored(tree).into(),
        }
    }

    /// From text that this project has just made.
    pub(super) fn of_text(text: String) -> Owned {
        Owned { text: Some(Raw::new(text)), set: OnceCell::new() }
    }

    fn read(&self) -> Set {
        self.text.as_ref().map(|raw| Set::from_stored(&Value::Raw(raw.clone()))).unwrap_or_default()
    }

    /// The set itself.
    pub(super) fn into_set(mut self) -> Set {
        std::mem::take(&mut *self)
    }

    /// As `fieldsV1` holds it.
    pub(super) fn into_value(self) -> Value {
        match self.text {
            Some(raw) => Value::Raw(raw),
            None => self.to_value(),
        }
    }

    /// Whether its text shows that it has none of the paths in `others`. Says no where that is not plain.
    pub(super) fn is_apart(&self, others: [&Set; 2]) -> bool {
        let unread = self.text.as_ref().filter(|raw| self.set.get().is_none() && raw.text() != "{}");
        let Some(text) = unread else { return false };
        let mut sought = Vec::new();
        others.iter().all(|set| seek(set, &mut sought)) && !sought.iter().any(|key| text.text().contains(key))
    }
}

/// Adds the last element of each path as a key of JSON; false for too many, and for one that may be written otherwise.
fn seek(set: &Set, sought: &mut Vec<String>) -> bool {
    set.nodes.iter().all(|node| {
        if node.member {
            let plain = |b: u8| (b.is_ascii_graphic() || b == b' ') && !matches!(b, b'<' | b'>' | b'&');
            if sought.len() >= SOUGHT_MAX || !node.element.bytes().all(plain) {
                return false;
            }
            let mut key = Vec::with_capacity(node.element.len() + 4);
            json::write_string(&node.element, &mut key);
            sought.push(String::from_utf8(key).unwrap_or_default());
        }
        seek(&node.children, sought)
    })
}

impl From<Set> for Owned {
    fn from(set: Set) -> Owned {
        Owned { text: None, set: OnceCell::from(set) }
    }
}

impl Deref for Owned {
    type Target = Set;

    fn deref(&self) -> &Set {
        self.set.get_or_init(|| self.read())
    }
}

impl DerefMut for Owned {
    fn deref_mut(&mut self) -> &mut Set {
        let set = self.set.take().unwrap_or_else(|| self.read());
        *self = Owned::from(set);
        match self.set.get_mut() {
            Some(set) => set,
            None => unreachable!("set above"),
        }
    }
}

impl PartialEq for Owned {
    fn eq(&self, other: &Owned) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&[&str]]) -> Set {
        let mut out = Set::default();
        paths.iter().for_each(|path| out.insert(path));
        out
    }

    #[test]
    fn sets_that_have_nothing_in_common_are_told_by_their_text() {
        let stored =
            set(&[&["f:spec", "f:list", "k:{\"name\":\"a\"}"], &["f:spec", "f:list", "k:{\"name\":\"a\"}", "f:x"]]);
        let owned = || Owned::of_stored(&stored.to_value());
        let none = Set::default();
        assert!(owned().is_apart([&none, &set(&[&["f:status", "f:phase"]])]));
        assert!(!owned().is_apart([&set(&[&["f:spec", "f:list", "k:{\"name\":\"a\"}"]]), &none]));
        assert!(!owned().is_apart([&none, &set(&[&["f:other", "f:x"]])]), "may be the same");
        assert!(!owned().is_apart([&none, &set(&[&["f:<"]])]), "may be written otherwise");
        assert_eq!(*owned(), stored);
        assert!(!Owned::from(stored.clone()).is_apart([&none, &none]), "has no text");
        let mut changed = owned();
        changed.remove(&stored);
        assert!(changed.is_empty() && changed.into_value() == Set::default().to_value());
        assert_eq!(owned().into_value(), stored.to_value());
    }
}
