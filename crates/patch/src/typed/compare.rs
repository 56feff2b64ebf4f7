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
        compare(self.schema, self.root(), Some(old), Some(new), &mut change)?;
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

fn leaf(old: Option<&Value>, new: Option<&Value>) -> Own {
    match (old, new) {
        (None, _) => Own { added: true, ..Own::default() },
        (_, None) => Own { removed: true, ..Own::default() },
        (Some(old), Some(new)) => Own { modified: !equal(old, new), ..Own::default() },
    }
}

/// Compares at one place: what lies below goes into `below`, the path itself is returned.
fn compare(schema: &Schema, at: Ref, old: Option<&Value>, new: Option<&Value>, below: &mut Change) -> Compared<Own> {
    let (was, is) = (view(schema, at, old), view(schema, at, new));
    let same_kind = std::mem::discriminant(&was) == std::mem::discriminant(&is);
    if old.is_none() || same_kind {
        return compare_as(schema, &is, old, new, below);
    }
    if new.is_none() {
        return compare_as(schema, &was, old, new, below);
    }
    // An undeclared value changed its kind: the parts of the old go, those of the new come.
    let a = compare_as(schema, &was, old, new, below)?;
    let b = compare_as(schema, &is, old, new, below)?;
    let modified = a.modified || b.modified;
    Ok(Own { removed: a.removed || b.removed, modified, added: a.added || b.added })
}

fn compare_as(
    schema: &Schema,
    as_: &View,
    old: Option<&Value>,
    new: Option<&Value>,
    below: &mut Change,
) -> Compared<Own> {
    match as_ {
        View::Scalar(_) => return Ok(leaf(old, new)),
        View::Map(map) => {
            let members = |v: Option<&Value>| v.and_then(Value::as_object).is_some_and(|m| !m.is_empty());
            if map.atomic || (!members(old) && !members(new)) {
                return Ok(leaf(old, new));
            }
            compare_members(schema, map, old, new, below)?;
        }
        View::List(list) => {
            let (a, b) = (old.map_or(&[][..], Value::items), new.map_or(&[][..], Value::items));
            if list.kind == ListKind::Atomic || (a.is_empty() && b.is_empty()) {
                return Ok(leaf(old, new));
            }
            compare_items(schema, list, a, b, below)?;
        }
    }
    Ok(Own { removed: new.is_none(), modified: false, added: old.is_none() })
}

fn compare_members(
    schema: &Schema,
    map: &Map,
    old: Option<&Value>,
    new: Option<&Value>,
    below: &mut Change,
) -> Compared<()> {
    let mut olds = old.into_iter().flat_map(Value::entries).peekable();
    let mut news = new.into_iter().flat_map(Value::entries).peekable();
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
        let Some(member) = map.member(name) else { continue };
        let mut change = Change::default();
        let own = compare(schema, member, was.map(|e| e.1), is.map(|e| e.1), &mut change)?;
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

fn compare_items(schema: &Schema, list: &List, old: &[Value], new: &[Value], below: &mut Change) -> Compared<()> {
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
        let own = compare_item(schema, list, was, is, &mut change)?;
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

/// Items of one element. There may be several: then the element itself is owned and nothing below it.
fn compare_item(
    schema: &Schema,
    list: &List,
    was: &[(Element, &Value)],
    is: &[(Element, &Value)],
    below: &mut Change,
) -> Compared<Own> {
    let one = |items: &[(Element, &'_ Value)]| items.first().map(|(_, v)| (*v).clone());
    match (was, is) {
        ([] | [_], [] | [_]) => compare(schema, list.item, was.first().map(|e| e.1), is.first().map(|e| e.1), below),
        ([_, _, ..], [_, _, ..]) => {
            let same = was.len() == is.len() && was.iter().zip(is).all(|(a, b)| equal(a.1, b.1));
            Ok(Own { modified: !same, ..Own::default() })
        }
        ([_, _, ..], rest) => {
            let mut own = Own::default();
            if let Some(new) = one(rest) {
                own = compare(schema, list.item, None, Some(&new), below)?;
            }
            own.removed = true;
            Ok(own)
        }
        (rest, _) => {
            let mut own = Own::default();
            if let Some(old) = one(rest) {
                own = compare(schema, list.item, Some(&old), None, below)?;
            }
            own.added = true;
            Ok(own)
        }
    }
}
