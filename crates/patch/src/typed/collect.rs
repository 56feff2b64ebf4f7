//! Which fields an object sets.

use super::Typed;
use super::compare::{NotComparable, field_element, indexed};
use super::view::{ListKind, Map, Ref, View, view};
use crate::fields::{Node, Set};
use meta::Value;
use schema::Schema;

impl Typed<'_> {
    /// Every leaf field and list item of an object.
    ///
    /// # Errors
    /// A list with keys has items without them.
    pub fn collect(&self, object: &Value) -> Result<Set, NotComparable> {
        collect(self.schema, self.root(), object).map(|(_, set)| set)
    }
}

/// Whether the path itself is set, and the paths below.
fn collect(schema: &Schema, at: Ref, value: &Value) -> Result<(bool, Set), NotComparable> {
    match view(schema, at, Some(value)) {
        View::Scalar(_) => Ok((true, Set::default())),
        View::Map(map) if map.atomic => Ok((true, Set::default())),
        View::List(list) if list.kind == ListKind::Atomic => Ok((true, Set::default())),
        View::Map(map) => Ok((false, collect_members(schema, &map, value)?)),
        View::List(list) => {
            let items = indexed(&list, value.items())?;
            let mut set = Set::default();
            for group in items.chunk_by(|a, b| a.0 == b.0) {
                let [(element, item), ..] = group else { continue };
                // Of items that share an element none can be told apart: only the element is owned.
                let children = match group {
                    [_] => collect(schema, list.item, item)?.1,
                    _ => Set::default(),
                };
                set.nodes.push(Node { element: element.clone(), member: true, children });
            }
            Ok((false, set))
        }
    }
}

fn collect_members(schema: &Schema, map: &Map, value: &Value) -> Result<Set, NotComparable> {
    let mut set = Set { nodes: Vec::with_capacity(value.entries().len()) };
    let mut types = map.members();
    for (name, member) in value.entries() {
        let declared = types.field(name).is_some();
        let Some(at) = types.member(name) else { continue };
        let (own, children) = collect(schema, at, member)?;
        let empty = member.is_null() || member.as_object().is_some_and(meta::Map::is_empty);
        let own = own || empty || !declared;
        if own || !children.is_empty() {
            set.nodes.push(Node { element: field_element(name), member: own, children });
        }
    }
    Ok(set)
}
