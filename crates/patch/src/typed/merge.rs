//! Merging an applied configuration into an object.

use super::Typed;
use super::view::{List, ListKind, Ref, View, item_element, view};
use crate::fields::Element;
use meta::{Str, Value};
use schema::Schema;
use std::collections::{HashMap, HashSet, VecDeque};

impl Typed<'_> {
    /// `live` with everything that `applied` sets. Both must be valid.
    pub fn merge(&self, live: &Value, applied: &Value) -> Value {
        merge(self.schema, self.root(), live, applied)
    }
}

fn merge(schema: &Schema, at: Ref, live: &Value, applied: &Value) -> Value {
    match (view(schema, at, Some(applied)), live, applied) {
        (View::Map(map), Value::Object(a), Value::Object(b)) if !(map.atomic || a.is_empty() && b.is_empty()) => {
            let mut out: Vec<(Str, Value)> = Vec::with_capacity(a.len() + b.len());
            let mut lives = a.iter().peekable();
            let mut types = map.members();
            for (name, value) in b.iter() {
                while let Some((k, v)) = lives.next_if(|(k, _)| *k < name) {
                    out.push((k.into(), v.clone()));
                }
                let merged = match (lives.next_if(|(k, _)| *k == name), types.member(name)) {
                    (Some((_, old)), Some(at)) => merge(schema, at, old, value),
                    _ => value.clone(),
                };
                out.push((name.into(), merged));
            }
            out.extend(lives.map(|(k, v)| (Str::from(k), v.clone())));
            Value::Object(meta::Map::from_entries(out).0)
        }
        // Null takes no members away: what is there stays.
        (View::Map(map), Value::Object(a), Value::Null) if !map.atomic && !a.is_empty() => live.clone(),
        (View::List(list), Value::Array(a), Value::Null) if list.kind != ListKind::Atomic && !a.is_empty() => {
            live.clone()
        }
        (View::List(list), Value::Array(a), Value::Array(b))
            if list.kind != ListKind::Atomic && !(a.is_empty() && b.is_empty()) =>
        {
            Value::Array(merge_items(schema, &list, a, b))
        }
        _ => applied.clone(),
    }
}

/// Items in the order of the applied list, with those that only the live list has where they were relative to their neighbours.
fn merge_items(schema: &Schema, list: &List, live: &[Value], applied: &[Value]) -> Vec<Value> {
    if live == applied {
        return applied.to_vec();
    }
    let elements = |items: &[Value]| -> Vec<Element> {
        items.iter().map(|item| item_element(list, item).unwrap_or_default()).collect()
    };
    let (lefts, rights) = (elements(live), elements(applied));
    if lefts == rights && distinct(&rights) {
        return live.iter().zip(applied).map(|(old, item)| merge(schema, list.item, old, item)).collect();
    }
    let mut in_live: HashMap<&str, Option<&Value>> = HashMap::with_capacity(live.len());
    for (element, item) in lefts.iter().zip(live) {
        // Duplicates in the live list are not merged with the applied item, but replaced by it.
        in_live.entry(element).and_modify(|v| *v = None).or_insert(Some(item));
    }
    let in_applied: HashSet<&str> = rights.iter().map(Element::as_str).collect();
    let mut shared: VecDeque<&str> = rights.iter().map(Element::as_str).filter(|e| in_live.contains_key(e)).collect();
    let mut done: HashSet<&str> = HashSet::new();
    let mut out = Vec::with_capacity(live.len().max(applied.len()));
    let merged = |element: &str, item: &Value| match in_live.get(element) {
        Some(Some(old)) => merge(schema, list.item, old, item),
        _ => item.clone(),
    };
    let (mut l, mut r) = (0, 0);
    loop {
        let (left, right) = (lefts.get(l).map(Element::as_str), rights.get(r).map(Element::as_str));
        if let (Some(left), Some(right)) = (left, right) {
            if left == right {
                out.extend(applied.get(r).map(|item| merged(right, item)));
                done.insert(right);
                shared.pop_front();
                l += 1;
                r += 1;
                continue;
            }
            if in_applied.contains(left) && shared.front().is_some_and(|next| *next != left) {
                l += 1; // shared, but not the one whose turn it is
                continue;
            }
        }
        if let Some(left) = left {
            if !in_applied.contains(left) {
                out.extend(live.get(l).cloned());
                l += 1;
                continue;
            }
            if done.contains(left) {
                l += 1;
            }
        }
        let Some(right) = right else {
            if left.is_none() {
                return out;
            }
            continue;
        };
        out.extend(applied.get(r).map(|item| merged(right, item)));
        done.insert(right);
        if shared.front() == Some(&right) {
            shared.pop_front();
        }
        r += 1;
    }
}

fn distinct(elements: &[Element]) -> bool {
    let mut seen = HashSet::with_capacity(elements.len());
    elements.iter().all(|e| seen.insert(e.as_str()))
}
