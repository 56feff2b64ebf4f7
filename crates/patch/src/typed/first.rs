//! The fields of a new object as the text of `fieldsV1`. Most writes that record many fields are creates, and between an
//! object and this text no set is needed.

use super::compare::{field_element, indexed};
use super::view::{List, ListKind, Map, Ref, View, view};
use super::{Typed, equal};
use crate::fields::{Node, Set};
use meta::{Value, json};
use schema::Schema;
use std::ops::Range;

/// What is not recorded.
#[derive(Clone, Copy, Debug)]
pub struct Unowned<'s> {
    /// With all that lies below.
    pub trees: &'s Set,
    /// What lies below stays.
    pub paths: &'s Set,
}

/// What nobody owns, and so what lies below it neither.
struct InTree;

impl<'s> Unowned<'s> {
    /// Whether an element is unowned, and what is so below it, where anything is.
    fn at(self, element: &str) -> Result<(bool, Option<Unowned<'s>>), InTree> {
        let (in_trees, in_paths) = (self.trees.get(element), self.paths.get(element));
        if in_trees.is_some_and(|node| node.member) {
            return Err(InTree);
        }
        let below = |node: Option<&'s Node>| node.map_or(&NOTHING, |node| &node.children);
        let below = Unowned { trees: below(in_trees), paths: below(in_paths) };
        let ends = below.trees.is_empty() && below.paths.is_empty();
        Ok((in_paths.is_some_and(|node| node.member), (!ends).then_some(below)))
    }
}

static NOTHING: Set = Set { nodes: Vec::new() };

/// The set is not that easily told.
struct Unclear;

type Told<T> = Result<T, Unclear>;

impl Typed<'_> {
    /// What [`Typed::compare`] finds added and modified in an object that is compared with the zero object, less what is
    /// `unowned`, as text: "{}" for nothing. `None` where that takes a comparison.
    pub fn first_fields(&self, object: &Value, unowned: Unowned) -> Option<String> {
        let zero = self.zero();
        let mut writer = Writer { schema: self.schema, out: Vec::with_capacity(2048) };
        writer.out.push(b'{');
        let owned = writer.compare(self.root(), Some(&zero), object, Some(unowned)).ok()?;
        writer.close();
        // A root that is owned itself has no text.
        String::from_utf8(writer.out).ok().filter(|_| !owned)
    }
}

/// Writes every member with a comma behind it; the last comma becomes the closing bracket.
struct Writer<'a> {
    schema: &'a Schema,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn close(&mut self) {
        match self.out.last_mut() {
            Some(comma) if *comma == b',' => *comma = b'}',
            _ => self.out.push(b'}'),
        }
    }

    /// Appends what lies below a place; whether its own path is in the set.
    fn compare(&mut self, at: Ref<'a>, old: Option<&Value>, new: &Value, unowned: Option<Unowned>) -> Told<bool> {
        let Some(old) = old else {
            match (view(self.schema, at, Some(new)), new) {
                (View::Map(map), Value::Object(_)) if !map.atomic => self.members(&map, None, new, unowned)?,
                (View::List(list), Value::Array(items)) if list.kind != ListKind::Atomic => {
                    self.items(&list, items, unowned)?;
                }
                _ => {}
            }
            return Ok(true);
        };
        if old == new {
            return Ok(false);
        }
        let (was, is) = (view(self.schema, at, Some(old)), view(self.schema, at, Some(new)));
        if std::mem::discriminant(&was) != std::mem::discriminant(&is) {
            return Err(Unclear);
        }
        match is {
            View::Map(map) => {
                let has_members = |v: &Value| v.as_object().is_some_and(|m| !m.is_empty());
                if !map.atomic && (has_members(old) || has_members(new)) {
                    return self.members(&map, Some(old), new, unowned).map(|()| false);
                }
            }
            View::List(list) if list.kind != ListKind::Atomic => match (old.items(), new.items()) {
                ([], []) => {}
                ([], items) => return self.items(&list, items, unowned).map(|()| false),
                _ => return Err(Unclear),
            },
            _ => {}
        }
        Ok(!equal(old, new))
    }

    fn members(&mut self, map: &Map<'a>, old: Option<&Value>, new: &Value, unowned: Option<Unowned>) -> Told<()> {
        for (name, value) in new.entries() {
            let field = map.field(name);
            let Some(at) = field.map(|f| Ref::Shape(&f.shape, Some(f))).or(map.other) else { continue };
            let before = old.and_then(|old| old.get(name));
            let (is_unowned, below) = match unowned.map(|unowned| unowned.at(&field_element(name))) {
                None => (false, None),
                Some(Ok(known)) => known,
                Some(Err(InTree)) => continue,
            };
            let begin = self.out.len();
            self.out.reserve(name.len() + 16);
            self.out.extend_from_slice(b"\"f:");
            match field {
                // Names of protobuf's fields need no escapes.
                Some(field) if field.number != 0 => self.out.extend_from_slice(name.as_bytes()),
                _ => json::write_escaped(name.as_bytes(), &mut self.out),
            }
            self.out.extend_from_slice(b"\":{");
            let inside = self.open(before.is_none() && !is_unowned);
            let is_owned = self.compare(at, before, value, below)? && !is_unowned;
            self.close_node(begin, inside, is_owned);
        }
        Ok(())
    }

    fn items(&mut self, list: &List<'a>, items: &[Value], unowned: Option<Unowned>) -> Told<()> {
        let items = indexed(list, items).map_err(|_| Unclear)?;
        for group in items.chunk_by(|a, b| a.0 == b.0) {
            let Some((element, item)) = group.first() else { continue };
            let (is_unowned, below) = match unowned.map(|unowned| unowned.at(element)) {
                None => (false, None),
                Some(Ok(known)) => known,
                Some(Err(InTree)) => continue,
            };
            let begin = self.out.len();
            json::write_string(element, &mut self.out);
            self.out.extend_from_slice(b":{");
            let inside = self.open(!is_unowned);
            if let [_] = group {
                self.compare(list.item, None, item, below)?;
            }
            // Items that share an element cannot be told apart: only the element is owned.
            self.close_node(begin, inside, !is_unowned);
        }
        Ok(())
    }

    /// Begins what lies below an element. `is_owned`: its own path is in the set, which is said first. Where that begins.
    fn open(&mut self, is_owned: bool) -> Range<usize> {
        let begin = self.out.len();
        if is_owned {
            self.out.extend_from_slice(b"\".\":{},");
        }
        begin..self.out.len()
    }

    /// Ends the node that was begun at `begin`, or takes it back when it says nothing.
    fn close_node(&mut self, begin: usize, inside: Range<usize>, is_owned: bool) {
        if self.out.len() > inside.end {
            self.close();
            self.out.push(b',');
        } else if is_owned {
            // Where nothing lies below it goes without saying.
            self.out.truncate(inside.start);
            self.out.extend_from_slice(b"},");
        } else {
            self.out.truncate(begin);
        }
    }
}
