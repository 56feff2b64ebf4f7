//! A consistent view of the objects under a prefix.

use crate::object::Object;
use crate::version::{Posting, Term, Version};
use meta::Str;
use std::sync::Arc;

/// The objects under a prefix as of one revision. Immutable and cheap to make, to clone and to keep for the length of a
/// response; what it holds is freed with it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) version: Version,
    pub(crate) revision: u64,
    pub(crate) prefix: Str,
}

impl Snapshot {
    /// Every transaction up to this one is seen, and none after.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn get(&self, key: &str) -> Option<&Arc<Object>> {
        self.version.objects.get(key).filter(|_| key.starts_with(self.prefix.as_str()))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        let first = self.version.objects.rank(self.prefix.as_str());
        match end_of(&self.prefix) {
            Some(end) => self.version.objects.rank(end.as_str()) - first,
            None => self.version.objects.len() - first,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// How many objects have keys at or after `start`: what remains after a page.
    pub fn count_from(&self, start: &str) -> usize {
        let passed = self.version.objects.rank(self.prefix.as_str().max(start));
        self.len() - (passed - self.version.objects.rank(self.prefix.as_str())).min(self.len())
    }

    /// The stored bytes of all objects; an estimate when the prefix covers a part of a resource.
    pub fn bytes(&self) -> u64 {
        let all = self.version.objects.len().max(1) as u64;
        self.version.bytes / all * self.len() as u64
    }

    /// The stored bytes of all objects of the resource, whatever the prefix.
    pub fn resource_bytes(&self) -> u64 {
        self.version.bytes
    }

    /// All objects in key order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.iter_from("")
    }

    /// The objects with keys at or after `start`, in key order.
    pub fn iter_from<'a>(&'a self, start: &str) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let start = self.prefix.as_str().max(start);
        let objects = self.version.objects.iter_from(start).map(|(_, object)| object);
        objects.take_while(|object| object.key.starts_with(self.prefix.as_str()))
    }

    /// Objects that may satisfy all of `conditions`, with keys at or after `start`, in key order: those that the rarest
    /// condition finds. A condition is satisfied by one of its terms. The caller checks the rest. Costs what it returns.
    /// With no conditions: all objects.
    pub fn select<'a>(
        &'a self,
        conditions: &[Vec<Term>],
        start: &str,
    ) -> Box<dyn Iterator<Item = &'a Arc<Object>> + Send + 'a> {
        let mut rarest: Option<(usize, Vec<&Posting>)> = None;
        for terms in conditions {
            let postings: Vec<&Posting> = terms.iter().filter_map(|term| self.version.postings.get(term)).collect();
            let count = postings.iter().map(|posting| posting.len()).sum();
            if rarest.as_ref().is_none_or(|(least, _)| count < *least) {
                rarest = Some((count, postings));
            }
        }
        let start = self.prefix.as_str().max(start);
        match rarest {
            None => Box::new(self.iter_from(start)),
            Some((_, postings)) => match postings.as_slice() {
                [] => Box::new(std::iter::empty()),
                [posting] => Box::new(self.objects_at(keys_in(posting, &self.prefix, start))),
                // Nearly everything: found in order without sorting.
                _ if postings.iter().map(|p| p.len()).sum::<usize>() > self.version.objects.len() / 4 => {
                    Box::new(self.iter_from(start))
                }
                _ => {
                    let mut keys: Vec<&Arc<str>> =
                        postings.iter().flat_map(|posting| keys_in(posting, &self.prefix, start)).collect();
                    keys.sort_unstable();
                    keys.dedup();
                    Box::new(self.objects_at(keys.into_iter()))
                }
            },
        }
    }

    fn objects_at<'a>(
        &'a self,
        keys: impl Iterator<Item = &'a Arc<str>> + 'a,
    ) -> impl Iterator<Item = &'a Arc<Object>> + 'a {
        keys.filter_map(|key| self.version.objects.get(key))
    }

    /// How many objects of the whole resource a term finds.
    pub fn frequency(&self, term: &Term) -> usize {
        self.version.postings.get(term).map_or(0, Posting::len)
    }

    /// The distinct values of a label over the whole resource, with how many objects have each.
    pub fn label_values<'a>(&'a self, key: &str) -> impl Iterator<Item = (&'a Str, usize)> + use<'a> {
        let key = Str::from(key);
        let first = Term::Label { key: key.clone(), value: Str::default() };
        self.version.postings.iter_from(&first).map_while(move |(term, posting)| match &**term {
            Term::Label { key: k, value } if *k == key => Some((value, posting.len())),
            _ => None,
        })
    }
}

/// The keys of a posting under a prefix, at or after `start`.
fn keys_in<'a>(posting: &'a Posting, prefix: &'a str, start: &str) -> impl Iterator<Item = &'a Arc<str>> + use<'a> {
    posting.iter_from(start).map(|(key, ())| key).take_while(move |key| key.starts_with(prefix))
}

/// The smallest text after everything that begins with `prefix`; prefixes are ASCII, so bumping the last byte is enough.
fn end_of(prefix: &str) -> Option<String> {
    let last = prefix.bytes().next_back().filter(|byte| *byte < 0x7E)?;
    let mut end = prefix.get(..prefix.len() - 1)?.to_owned();
    end.push(char::from(last + 1));
    Some(end)
}
