//! Merging lists by key or value, and putting the result in order.

use super::fault::Fault;
use super::place::ListField;
use super::{DIRECTIVE, Merged, SET_ORDER_PREFIX, merge_maps};
use crate::fields::value_element;
use crate::go;
use meta::{Map, Str, Value};
use std::collections::{HashMap, HashSet};

/// What all items of a list are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ElementKind {
    Map,
    Scalar,
}

/// A list to be put in order.
pub(super) struct Items<'a> {
    pub items: Vec<Value>,
    pub kind: ElementKind,
    pub merge_key: &'a str,
}

/// The one kind of the items of several lists.
pub(super) fn element_kind(lists: &[&[Value]]) -> Merged<ElementKind> {
    let mut kind: Option<&str> = None;
    for item in lists.iter().flat_map(|l| l.iter()) {
        let found = go::type_name(item);
        match kind {
            None if item.is_null() => return Err(Fault::Panic),
            None if matches!(item, Value::Array(_)) => return Err(Fault::ListOfLists),
            None => kind = Some(found),
            Some(kind) if kind == found => {}
            Some(_) => {
                let printed: Vec<String> = lists.iter().map(|l| go::print(&Value::Array(l.to_vec()))).collect();
                return Err(Fault::Other(format!("list element types are not identical: [{}]", printed.join(" "))));
            }
        }
    }
    match kind {
        None => Err(Fault::Other("no elements in any of the given slices".to_string())),
        Some("map[string]interface {}") => Ok(ElementKind::Map),
        Some(_) => Ok(ElementKind::Scalar),
    }
}

/// The text by which two items are the same: of the merge key's value, or of the item.
fn identity(item: &Value, kind: ElementKind, merge_key: &str) -> Str {
    match kind {
        ElementKind::Map => value_element(&item[merge_key]),
        ElementKind::Scalar => value_element(item),
    }
}

/// Without the items listed, whatever the field's strategy.
pub(super) fn delete_items(field: &ListField, original: Vec<Value>, delete: Vec<Value>) -> Merged<Vec<Value>> {
    if original.is_empty() && delete.is_empty() {
        return Ok(original);
    }
    if element_kind(&[&original, &delete])? == ElementKind::Map {
        return merge_items(field, original, delete);
    }
    let delete: HashSet<Str> = delete.iter().map(value_element).collect();
    Ok(original.into_iter().filter(|item| !delete.contains(&value_element(item))).collect())
}

/// `patch` merged into `original`: the patch's items in its order, with what only the original has around them as before.
pub(super) fn merge_items(field: &ListField, original: Vec<Value>, patch: Vec<Value>) -> Merged<Vec<Value>> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    let kind = element_kind(&[&original, &patch])?;
    let merge_key = field.merge_key;
    if kind == ElementKind::Scalar {
        let mut seen = HashSet::new();
        let all = original.iter().chain(&patch).filter(|item| seen.insert(value_element(item)));
        let items: Vec<Value> = all.cloned().collect();
        return reorder(Items { items, kind, merge_key }, &patch, &original);
    }
    if merge_key.is_empty() {
        let name = field.item.kind_name();
        return Err(Fault::Other(format!("cannot merge lists without merge key for {name}")));
    }
    let (original, patch) = apply_directives(original, patch, merge_key)?;
    let items = merge_by_key(field, original.clone(), &patch)?;
    reorder(Items { items, kind, merge_key }, &patch, &original)
}

/// Does what items with `$patch` say, and returns the lists without them.
fn apply_directives(original: Vec<Value>, patch: Vec<Value>, key: &str) -> Merged<(Vec<Value>, Vec<Value>)> {
    let (mut deleted, mut replace, mut plain) = (HashSet::new(), false, Vec::with_capacity(patch.len()));
    for item in patch {
        let Some(directive) = item.get(DIRECTIVE) else {
            plain.push(item);
            continue;
        };
        match directive.str() {
            "delete" => match item.get(key) {
                Some(value) => drop(deleted.insert(value_element(value))),
                None => return Err(Fault::no_merge_key(&item, key)),
            },
            "replace" => replace = true,
            "merge" => return Err(Fault::Other("merging lists cannot yet be specified in the patch".to_string())),
            _ => return Err(Fault::directive(directive, &item)),
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    let gone = |item: &Value| item.get(key).is_some_and(|v| deleted.contains(&value_element(v)));
    Ok((original.into_iter().filter(|item| !gone(item)).collect(), plain))
}

fn merge_by_key(field: &ListField, mut items: Vec<Value>, patch: &[Value]) -> Merged<Vec<Value>> {
    let key = field.merge_key;
    let mut by_key: HashMap<Str, usize> = HashMap::with_capacity(items.len() + patch.len());
    for (i, item) in items.iter().enumerate() {
        if let Some(value) = item.get(key) {
            by_key.entry(value_element(value)).or_insert(i);
        }
    }
    for item in patch {
        let value = item.get(key).ok_or_else(|| Fault::no_merge_key(item, key))?;
        let found = by_key.get(&value_element(value)).and_then(|i| items.get_mut(*i));
        match (found, item) {
            (Some(Value::Object(current)), Value::Object(change)) => {
                let merged = merge_maps(&field.item, std::mem::take(current), change.clone())?;
                *current = merged;
            }
            _ => {
                by_key.insert(value_element(value), items.len());
                items.push(item.clone());
            }
        }
    }
    Ok(items)
}

/// Items that `order` names in its order; the others keep their places relative to these as in `server_order`.
pub(super) fn reorder(list: Items, order: &[Value], server_order: &[Value]) -> Merged<Vec<Value>> {
    let Items { items, kind, merge_key } = list;
    if kind == ElementKind::Map {
        let all = items.iter().chain(order).chain(server_order);
        if let Some(item) = all.into_iter().find(|item| item.get(merge_key).is_none()) {
            return Err(match item {
                Value::Object(_) => Fault::no_merge_key(item, merge_key),
                other => Fault::wrong_type("map[string]interface {}", other),
            });
        }
    }
    let index = |order: &[Value]| {
        let mut at: HashMap<Str, usize> = HashMap::with_capacity(order.len());
        for (i, item) in order.iter().enumerate() {
            at.entry(identity(item, kind, merge_key)).or_insert(i);
        }
        at
    };
    let (wanted, served) = (index(order), index(server_order));
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in items {
        let identity = identity(&item, kind, merge_key);
        let serve_at = served.get(&identity).copied();
        match wanted.get(&identity) {
            Some(at) => named.push((*at, serve_at, item)),
            None => others.push((serve_at.unwrap_or(usize::MAX), serve_at, item)),
        }
    }
    named.sort_by_key(|(at, ..)| *at);
    others.sort_by_key(|(at, ..)| *at);
    Ok(interleave(others, named))
}

type Placed = (usize, Option<usize>, Value);

/// Each of `others` goes before the first of `named` that the server had after it.
fn interleave(others: Vec<Placed>, named: Vec<Placed>) -> Vec<Value> {
    let mut out = Vec::with_capacity(others.len() + named.len());
    let mut others = others.into_iter().peekable();
    for (_, served, item) in named {
        while let Some((.., other)) = others.next_if(|(_, other, _)| other.zip(served).is_some_and(|(o, n)| o < n)) {
            out.push(other);
        }
        out.push(item);
    }
    out.extend(others.map(|(.., item)| item));
    out
}

/// That a patch list's items are in an order's order, and all in it.
pub(super) fn check_order(patch: &[Value], order: &[Value], merge_key: &str) -> Merged<()> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::with_capacity(patch.len());
    for item in patch {
        if merge_key.is_empty() {
            kept.push(item);
            continue;
        }
        let Value::Object(map) = item else { return Err(Fault::wrong_type("map[string]interface {}", item)) };
        if !map.contains_key(DIRECTIVE) {
            kept.push(item);
        }
    }
    let mut kept = kept.into_iter().peekable();
    for wanted in order {
        let Some(item) = kept.peek() else { return Ok(()) };
        if same_item(item, wanted, merge_key)? {
            kept.next();
        }
    }
    if kept.peek().is_none() {
        return Ok(());
    }
    let (patch, order) = (Value::Array(patch.to_vec()), Value::Array(order.to_vec()));
    Err(Fault::Other(format!(
        "The order in patch list:\n{}\n doesn't match {SET_ORDER_PREFIX} list:\n{}\n",
        go::print(&patch),
        go::print(&order)
    )))
}

fn same_item(a: &Value, b: &Value, merge_key: &str) -> Merged<bool> {
    if merge_key.is_empty() {
        return Ok(a == b);
    }
    let key_of = |item: &Value| -> Merged<Value> {
        let map: Option<&Map> = item.as_object();
        let map = map.ok_or_else(|| Fault::wrong_type("map[string]interface {}", item))?;
        map.get(merge_key).cloned().ok_or_else(|| Fault::no_merge_key(item, merge_key))
    };
    Ok(key_of(a)? == key_of(b)?)
}
