//! Strategic merge patch: a merge patch that knows which lists have keys (upstream: apimachinery/pkg/util/strategicpatch).
//! Linear in document and patch, but for sorting.

mod fault;
mod list;
mod place;
mod restore;

#[cfg(test)]
mod tests;

pub use restore::restore;

use fault::Fault;
use list::{Items, merge_items, reorder};
use meta::field::{ErrorList, Path};
use meta::{Map, Result, Status, Str, Value};
use place::Place;
use schema::{Schema, TypeId};
use std::collections::HashSet;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_PREFIX: &str = "$deleteFromPrimitiveList";
const SET_ORDER_PREFIX: &str = "$setElementOrder";

type Merged<T> = std::result::Result<T, Fault>;

/// The object of type `type_id` that `patch` makes of `doc`. What comes out still has to be read as that type
/// ([`restore`], then the codec's canonical form, then defaults).
///
/// # Errors
/// 400 for bodies and directives of a wrong form, 422 for lists of lists, 500 for what upstream does not classify.
pub fn apply(schema: &Schema, type_id: TypeId, doc: Value, patch: Value) -> Result<Value> {
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Null => Map::new(),
        other => {
            let found = crate::json::go_json_kind(&other);
            let into = "Go value of type map[string]interface {}";
            return Err(Status::bad_request(format!("json: cannot unmarshal {found} into {into}")));
        }
    };
    let doc = match doc {
        Value::Object(doc) => doc,
        _ => Map::new(),
    };
    let root = Place::of_type(schema, type_id);
    merge_maps(&root, doc, patch).map(Value::Object).map_err(Fault::into_status)
}

/// 422 for a patch whose result is no object of its type.
pub fn unusable(patch: &Value, why: &str) -> Status {
    let mut errs = ErrorList::default();
    errs.invalid(&Path::new("patch"), &Value::from(crate::go::print(patch)), why);
    Status::invalid("", "", "", errs)
}

/// What of a patch is merged member by member, once its directives are done.
struct Change {
    key: Str,
    value: Value,
    /// The value lists items to delete from a list of scalars.
    deletes: bool,
}

fn merge_maps(at: &Place, mut original: Map, mut patch: Map) -> Merged<Map> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.str() {
            "replace" => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            "delete" => Ok(Map::new()),
            _ => Err(Fault::directive(&directive.clone(), &Value::Object(patch))),
        };
    }
    if let Some(keys) = patch.remove(RETAIN_KEYS) {
        retain_keys(&mut original, &patch, &keys)?;
    }
    set_orders(at, &mut original, &mut patch)?;
    merge_changes(at, original, changes(patch)?)
}

/// Drops what `$retainKeys` does not name; all that the patch sets must be named.
fn retain_keys(original: &mut Map, patch: &Map, keys: &Value) -> Merged<()> {
    let Value::Array(keys) = keys else { return Err(Fault::BadRetainKeys) };
    let keys: HashSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    let directive = |k: &str| k.starts_with(DELETE_FROM_PREFIX) || k.starts_with(SET_ORDER_PREFIX);
    if patch.iter().any(|(k, v)| !v.is_null() && !directive(k) && !keys.contains(k)) {
        return Err(Fault::BadRetainKeys);
    }
    original.retain(|k, _| keys.contains(k));
    Ok(())
}

/// Merges and orders the lists that have a `$setElementOrder`. There are no more of them than the struct has fields.
fn set_orders(at: &Place, original: &mut Map, patch: &mut Map) -> Merged<()> {
    let mut orders: Vec<(Str, Value)> = Vec::new();
    patch.retain(|key, value| {
        let order = key.starts_with(SET_ORDER_PREFIX);
        if order {
            orders.push((key.into(), std::mem::take(value)));
        }
        !order
    });
    for (key, order) in orders {
        let Value::Array(order) = order else { return Err(Fault::wrong_type("[]interface {}", &order)) };
        let name = key.strip_prefix(SET_ORDER_PREFIX).and_then(|k| k.strip_prefix('/')).ok_or(Fault::BadSetOrder)?;
        let list = |value: Option<&Value>| match value {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items.clone())),
            Some(other) => Err(Fault::wrong_type("[]interface {}", other)),
        };
        let (live, patched) = (list(original.get(name))?, list(patch.get(name))?);
        let field = at.list(name)?;
        list::check_order(patched.as_deref().unwrap_or(&[]), &order, field.merge_key)?;
        let server_order = live.clone().unwrap_or_default();
        let patched_items = patched.clone().unwrap_or_default();
        let merged = match (live, patched) {
            (None, None) => continue,
            (Some(live), None) => live,
            (None, Some(patched)) => match without_directives(Value::Array(patched)) {
                Some(Value::Array(items)) => items,
                _ => continue,
            },
            (Some(live), Some(patched)) if field.merges() => merge_items(&field, live, patched)?,
            (Some(_), Some(patched)) => patched,
        };
        let kind = list::element_kind(&[&server_order, &patched_items])?;
        let ordered = reorder(Items { items: merged, kind, merge_key: field.merge_key }, &order, &server_order)?;
        original.insert(name, ordered);
        patch.remove(name);
    }
    Ok(())
}

/// The members of a patch sorted by the key they change.
fn changes(patch: Map) -> Merged<Vec<Change>> {
    let mut out = Vec::with_capacity(patch.len());
    for (key, value) in patch {
        let Some(rest) = key.strip_prefix(DELETE_FROM_PREFIX) else {
            out.push(Change { key, value, deletes: false });
            continue;
        };
        let key = rest.strip_prefix('/').ok_or(Fault::BadPrimitiveList)?.into();
        out.push(Change { key, value, deletes: true });
    }
    out.sort_by(|a, b| a.key.cmp(&b.key)); // stable: deletions of a key stay before its other change
    Ok(out)
}

fn merge_changes(at: &Place, original: Map, changes: Vec<Change>) -> Merged<Map> {
    let mut merged: Vec<(Str, Value)> = Vec::with_capacity(original.len() + changes.len());
    let mut old = original.into_entries().into_iter().peekable();
    let mut changes = changes.into_iter().peekable();
    while let Some(change) = changes.next() {
        while let Some(entry) = old.next_if(|(k, _)| *k < change.key) {
            merged.push(entry);
        }
        let key = change.key.clone();
        let current = old.next_if(|(k, _)| *k == key).map(|(_, v)| v);
        let mut current = merge_value(at, current, change)?;
        while let Some(change) = changes.next_if(|c| c.key == key) {
            current = merge_value(at, current, change)?;
        }
        merged.extend(current.map(|value| (key, value)));
    }
    merged.extend(old);
    Ok(Map::from_entries(merged).0)
}

/// One member after a change; `None` when it is gone.
fn merge_value(at: &Place, current: Option<Value>, change: Change) -> Merged<Option<Value>> {
    let Change { key, value, deletes } = change;
    match (current, value) {
        (_, Value::Null) => Ok(None),
        (Some(Value::Object(current)), Value::Object(patch)) => {
            let (below, replaces) = at.member(&key)?;
            if replaces {
                return Ok(Some(Value::Object(patch)));
            }
            merge_maps(&below, current, patch).map(|m| Some(Value::Object(m)))
        }
        (Some(Value::Array(current)), Value::Array(patch)) => {
            let field = at.list(&key)?;
            let items = if deletes {
                list::delete_items(&field, current, patch)?
            } else if field.merges() {
                merge_items(&field, current, patch)?
            } else {
                patch
            };
            Ok(Some(Value::Array(items)))
        }
        (current, _) if deletes => Ok(current),
        (current, mut value) => {
            if current.is_none_or(|c| crate::go::type_name(&c) != crate::go::type_name(&value)) {
                discard_nulls(&mut value);
            }
            Ok(without_directives(value))
        }
    }
}

/// Drops null members at every depth; null items of lists stay.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => map.retain(|_, v| {
            discard_nulls(v);
            !v.is_null()
        }),
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// The value without the maps that hold a `$patch`; `None` when it is one.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map.into_iter().filter_map(|(k, v)| without_directives(v).map(|v| (k, v)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}
