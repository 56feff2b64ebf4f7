//! What changed between two objects.

use super::view::{List, ListKind, Map, Ref, View, item_element, view};
use super::{Typed, equal};
use crate::fields::{Element, Node, Set};
use meta::Value;
use schema::Schema;
use std::cmp::Ordering;

/// The paths that differ. A path is in at most one of the three.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    pub removed: Set,
    pub modified: Set,
    pub added: Set,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }
}

/// Some item of a list has no path element, so the lists cannot be compared.
#[derive(Debug)]
pub struct NotComparable;

type Compared<T> = Result<T, NotComparable>;

impl Typed<'_> {
    /// The fields that are different in `new`.
    ///
    /// # Errors
    /// A list with keys has items without them.
    pub fn compare(&self, old: &Value, new: &Value) -> Compared<Change> {
        let mut change = Change::default();
        let root = Spot { schema: self.schema, at: self.root(), depth: 0 };
        compare(root, Some(old), Some(new), &mut change)?;
        Ok(change)
    }
}

/// Which of the three sets the path itself is in.
#[derive(Clone, Copy, Default)]
struct Own {
    removed: bool,
    modified: bool,
    added: bool,
}

fn leaf(old: &Value, new: &Value) -> Own {
    Own { modified: !equal(old, new), ..Own::default() }
}

/// Down to this depth equal parts are skipped at once. Deeper it would cost more than it saves, and without a bound a
/// hostile nest would be compared once for each of its levels.
const SKIP_DEPTH_MAX: usize = 4;

/// What is compared: a place in the types, and how deep it is.
#[derive(Clone, Copy)]
struct Spot<'a> {
    schema: &'a Schema,
    at: Ref<'a>,
    depth: usize,
}

impl<'a> Spot<'a> {
    fn below(self, at: Ref<'a>) -> Spot<'a> {
        Spot { at, depth: self.depth + 1, ..self }
    }
}

/// Compares at one place: what lies below goes into `below`, the path itself is returned.
fn compare(spot: Spot, old: Option<&Value>, new: Option<&Value>, below: &mut Change) -> Compared<Own> {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, Some(new)) => {
            below.added = every_path(spot.schema, spot.at, new)?;
            return Ok(Own { added: true, ..Own::default() });
        }
        (Some(old), None) => {
            below.removed = every_path(spot.schema, spot.at, old)?;
            return Ok(Own { removed: true, ..Own::default() });
        }
        (None, None) => return Ok(Own::default()),
    };
    if spot.depth <= SKIP_DEPTH_MAX && old == new {
        return Ok(Own::default());
    }
    let (was, is) = (view(spot.schema, spot.at, Some(old)), view(spot.schema, spot.at, Some(new)));
    let own = compare_as(spot, &is, old, new, below)?;
    if std::mem::discriminant(&was) == std::mem::discriminant(&is) {
        return Ok(own);
    }
    // An undeclared value changed its kind: the parts of the old go, those of the new come.
    let before = compare_as(spot, &was, old, new, below)?;
    Ok(Own { modified: own.modified || before.modified, ..Own::default() })
}

/// All paths below a value that is there on one side only. The value's own path is in the set too.
fn every_path(schema: &Schema, at: Ref, value: &Value) -> Compared<Set> {
    let mut set = Set::default();
    match (view(schema, at, Some(value)), value) {
        (View::Map(map), Value::Object(members)) if !map.atomic => {
            set.nodes.reserve(members.len());
            let mut types = map.members();
            for (name, value) in members.iter() {
                let Some(at) = types.member(name) else { continue };
                let children = every_path(schema, at, value)?;
                set.nodes.push(Node { element: field_element(name), member: true, children });
            }
        }
        (View::List(list), Value::Array(items)) if list.kind != ListKind::Atomic => {
            let items = indexed(&list, items)?;
            set.nodes.reserve(items.len());
            for group in items.chunk_by(|a, b| a.0 == b.0) {
                let children = match group {
                    [(_, item)] => every_path(schema, list.item, item)?,
                    // Items that share an element cannot be told apart: only the element is owned.
                    _ => Set::default(),
                };
                let element = group.first().map(|(e, _)| e.clone()).unwrap_or_default();
                set.nodes.push(Node { element, member: true, children });
            }
        }
        _ => {}
    }
    Ok(set)
}

fn compare_as(spot: Spot, as_: &View, old: &Value, new: &Value, below: &mut Change) -> Compared<Own> {
    match as_ {
        View::Scalar(_) => return Ok(leaf(old, new)),
        View::Map(map) => {
            let members = |v: &Value| v.as_object().is_some_and(|m| !m.is_empty());
            if map.atomic || (!members(old) && !members(new)) {
                return Ok(leaf(old, new));
            }
            compare_members(spot, map, old, new, below)?;
        }
        View::List(list) => {
            let (a, b) = (old.items(), new.items());
            if list.kind == ListKind::Atomic || (a.is_empty() && b.is_empty()) {
                return Ok(leaf(old, new));
            }
            compare_items(spot, list, a, b, below)?;
        }
    }
    Ok(Own::default())
}

fn compare_members(spot: Spot, map: &Map, old: &Value, new: &Value, below: &mut Change) -> Compared<()> {
    let mut olds = old.entries().peekable();
    let mut news = new.entries().peekable();
    let mut types = map.members();
    loop {
        let order = match (olds.peek(), news.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(()),
        };
        let was = if order.is_le() { olds.next() } else { None };
        let is = if order.is_ge() { news.next() } else { None };
        let Some((name, _)) = was.or(is) else { return Ok(()) };
        let Some(member) = types.member(name) else { continue };
        let mut change = Change::default();
        let own = compare(spot.below(member), was.map(|e| e.1), is.map(|e| e.1), &mut change)?;
        record(below, own, change, || field_element(name));
    }
}

pub(super) fn field_element(name: &str) -> Element {
    let mut element = Element::with_capacity(2 + name.len());
    element.push_str("f:");
    element.push_str(name);
    element
}

/// Adds what was found at one element, which comes after those before it.
fn record(into: &mut Change, own: Own, below: Change, element: impl Fn() -> Element) {
    let sets = [
        (&mut into.removed, own.removed, below.removed),
        (&mut into.modified, own.modified, below.modified),
        (&mut into.added, own.added, below.added),
    ];
    for (set, member, children) in sets {
        if member || !children.is_empty() {
            set.nodes.push(Node { element: element(), member, children });
        }
    }
}

/// The items with their elements, sorted by element; equal elements keep their order.
pub(super) fn indexed<'v>(list: &List, items: &'v [Value]) -> Compared<Vec<(Element, &'v Value)>> {
    let element = |item| item_element(list, item).map(|e| (e, item)).map_err(|_| NotComparable);
    let mut out: Vec<(Element, &Value)> = items.iter().map(element).collect::<Compared<_>>()?;
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

fn compare_items(spot: Spot, list: &List, old: &[Value], new: &[Value], below: &mut Change) -> Compared<()> {
    if old == new {
        return Ok(());
    }
    let (olds, news) = (indexed(list, old)?, indexed(list, new)?);
    let (mut olds, mut news) = (olds.as_slice(), news.as_slice());
    loop {
        let element = match (olds.first(), news.first()) {
            (Some((a, _)), Some((b, _))) => a.min(b),
            (Some((a, _)), None) => a,
            (None, Some((b, _))) => b,
            (None, None) => break,
        };
        let was = take_equal(&mut olds, element);
        let is = take_equal(&mut news, element);
        let mut change = Change::default();
        let own = compare_item(spot, list, was, is, &mut change)?;
        record(below, own, change, || element.clone());
    }
    Ok(())
}

fn take_equal<'s, 'v>(items: &mut &'s [(Element, &'v Value)], element: &Element) -> &'s [(Element, &'v Value)] {
    let count = items.iter().take_while(|(e, _)| e == element).count();
    let (taken, rest) = items.split_at(count);
    *items = rest;
    taken
}

type Indexed<'v> = (Element, &'v Value);

/// Items of one element. There may be several: then the element itself is owned and nothing below it.
fn compare_item(spot: Spot, list: &List, was: &[Indexed], is: &[Indexed], below: &mut Change) -> Compared<Own> {
    let (old, new) = (was.first().map(|e| e.1), is.first().map(|e| e.1));
    match (was.len() >= 2, is.len() >= 2) {
        (false, false) => compare(spot.below(list.item), old, new, below),
        (true, true) => {
            let same = was.len() == is.len() && was.iter().zip(is).all(|(a, b)| equal(a.1, b.1));
            Ok(Own { modified: !same, ..Own::default() })
        }
        (true, false) => {
            let mut own = Own::default();
            if new.is_some() {
                own = compare(spot.below(list.item), None, new, below)?;
            }
            own.removed = true;
            Ok(own)
        }
        (false, true) => {
            let mut own = Own::default();
            if old.is_some() {
                own = compare(spot.below(list.item), old, None, below)?;
            }
            own.added = true;
            Ok(own)
        }
    }
}
