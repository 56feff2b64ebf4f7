//! One immutable state of a resource: its objects in key order, and the indexes over them.

use crate::object::Object;
use crate::tree::Tree;
use meta::Str;
use std::sync::Arc;

/// Something that an index can find objects by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    Label {
        key: Str,
        value: Str,
    },
    /// By position in `Meta::fields`.
    Field {
        index: usize,
        value: Str,
    },
}

/// The keys of the objects that a term finds.
pub(crate) type Posting = Tree<Arc<str>, ()>;

/// Cloning is cheap; changing copies what clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    pub(crate) objects: Tree<Arc<str>, Arc<Object>>,
    pub(crate) postings: Tree<Arc<Term>, Posting>,
    /// The sum of the objects' stored bytes.
    pub(crate) bytes: u64,
    /// The last transaction that changed this resource.
    pub(crate) revision: u64,
}

impl Version {
    /// Sets an object; returns its previous revision.
    pub(crate) fn put(&mut self, object: Arc<Object>) -> Option<Arc<Object>> {
        let old = self.objects.insert(object.key.clone(), object.clone());
        self.bytes += object.bytes_len() as u64;
        if let Some(old) = &old {
            self.bytes -= old.bytes_len() as u64;
        }
        self.index(old.as_deref(), Some(&object));
        old
    }

    /// Removes an object; returns its last revision.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Arc<Object>> {
        let old = self.objects.remove(key)?;
        self.bytes -= old.bytes_len() as u64;
        self.index(Some(&old), None);
        Some(old)
    }

    /// Builds a version from objects in key order, distinct.
    pub(crate) fn from_sorted(objects: Vec<Arc<Object>>, revision: u64) -> Version {
        let mut postings: std::collections::HashMap<Term, Vec<(Arc<str>, ())>> = std::collections::HashMap::new();
        for object in &objects {
            for term in terms(object) {
                postings.entry(term).or_default().push((object.key.clone(), ()));
            }
        }
        let mut postings: Vec<(Arc<Term>, Posting)> =
            postings.into_iter().map(|(term, keys)| (Arc::new(term), Tree::from_sorted(keys))).collect();
        postings.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let bytes = objects.iter().map(|object| object.bytes_len() as u64).sum();
        let objects = objects.into_iter().map(|object| (object.key.clone(), object));
        Version { objects: Tree::from_sorted(objects), postings: Tree::from_sorted(postings), bytes, revision }
    }

    /// Moves the key between postings: only where the two revisions differ, since most updates change no label and no field.
    fn index(&mut self, old: Option<&Object>, new: Option<&Object>) {
        let (before, after) = (old.map(|o| &o.meta), new.map(|o| &o.meta));
        if let Some(old) = old {
            for (key, value) in &old.meta.labels {
                if after.is_none_or(|meta| meta.label(key) != Some(value)) {
                    self.unpost(&Term::Label { key: key.clone(), value: value.clone() }, &old.key);
                }
            }
            for (index, value) in old.meta.fields.iter().enumerate() {
                if after.is_none_or(|meta| meta.fields.get(index) != Some(value)) {
                    self.unpost(&Term::Field { index, value: value.clone() }, &old.key);
                }
            }
        }
        if let Some(new) = new {
            for (key, value) in &new.meta.labels {
                if before.is_none_or(|meta| meta.label(key) != Some(value)) {
                    self.post(Term::Label { key: key.clone(), value: value.clone() }, &new.key);
                }
            }
            for (index, value) in new.meta.fields.iter().enumerate() {
                if before.is_none_or(|meta| meta.fields.get(index) != Some(value)) {
                    self.post(Term::Field { index, value: value.clone() }, &new.key);
                }
            }
        }
    }

    fn post(&mut self, term: Term, key: &Arc<str>) {
        if let Some(posting) = self.postings.get_mut(&term) {
            posting.insert(key.clone(), ());
            return;
        }
        self.postings.insert(Arc::new(term), Tree::from_sorted([(key.clone(), ())]));
    }

    fn unpost(&mut self, term: &Term, key: &str) {
        let Some(posting) = self.postings.get_mut(term) else { return };
        posting.remove(key);
        if posting.is_empty() {
            self.postings.remove(term);
        }
    }
}

/// Everything that an object is indexed by.
pub(crate) fn terms(object: &Object) -> impl Iterator<Item = Term> + '_ {
    let labels = object.meta.labels.iter();
    let labels = labels.map(|(key, value)| Term::Label { key: key.clone(), value: value.clone() });
    let fields = object.meta.fields.iter().enumerate();
    labels.chain(fields.map(|(index, value)| Term::Field { index, value: value.clone() }))
}
