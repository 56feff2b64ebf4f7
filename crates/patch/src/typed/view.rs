//! From a place in the schema to what apply must know of a value there.

use crate::fields::{Element, Set, key_element, value_element};
use meta::{Str, Value};
use schema::{Field, ListType, Schema, Shape, Type, TypeId};
use std::cmp::Ordering;

/// A place in the schema.
#[derive(Clone, Copy)]
pub(super) enum Ref<'a> {
    Type(TypeId),
    /// A value's shape with the field that declares how lists and maps merge; items of lists and maps have none.
    Shape(&'a Shape, Option<&'a Field>),
    /// Nothing is declared: maps are merged, lists replaced.
    Deduced,
    /// Nothing is declared and all is replaced.
    Untyped,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Numeric,
    String,
    Boolean,
    Untyped,
}

/// What a value at a place is taken for.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Scalar(Scalar),
    List(List<'a>),
    Map(Map<'a>),
}

#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub kind: ListKind<'a>,
    pub item: Ref<'a>,
    /// The item's struct type, for the defaults of keys.
    pub item_type: Option<&'a Type>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum ListKind<'a> {
    Atomic,
    Set,
    Keyed(&'a [Str]),
}

/// A struct or a map.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub atomic: bool,
    pub ty: Option<&'a Type>,
    /// What members that are not declared are; `None` when there may be none.
    pub other: Option<Ref<'a>>,
}

impl<'a> Map<'a> {
    pub fn field(&self, name: &str) -> Option<&'a Field> {
        self.ty.and_then(|ty| ty.field(name))
    }

    pub fn member(&self, name: &str) -> Option<Ref<'a>> {
        self.field(name).map(|f| Ref::Shape(&f.shape, Some(f))).or(self.other)
    }
}

/// Looks members up in the order of their names, each from where the last one was found.
pub(super) struct Members<'a> {
    map: Map<'a>,
    at: usize,
}

impl<'a> Map<'a> {
    pub fn members(self) -> Members<'a> {
        Members { map: self, at: 0 }
    }
}

impl<'a> Members<'a> {
    /// The declared field of a name that is not below the one asked for before.
    pub fn field(&mut self, name: &str) -> Option<&'a Field> {
        let ty = self.map.ty?;
        while let Some(field) = ty.by_name.get(self.at).and_then(|i| ty.fields.get(usize::from(*i))) {
            match field.name.as_str().cmp(name) {
                Ordering::Less => self.at += 1,
                Ordering::Equal => return Some(field),
                Ordering::Greater => return None,
            }
        }
        None
    }

    pub fn member(&mut self, name: &str) -> Option<Ref<'a>> {
        self.field(name).map(|f| Ref::Shape(&f.shape, Some(f))).or(self.map.other)
    }
}

/// The view of `value` at a place. Where several kinds of value are allowed, the value decides; null is taken for a map.
pub(super) fn view<'a>(schema: &'a Schema, at: Ref<'a>, value: Option<&Value>) -> View<'a> {
    match at {
        Ref::Type(id) => object(schema, id, false),
        Ref::Deduced | Ref::Untyped => deduce(at, value),
        Ref::Shape(shape, field) => match shape {
            Shape::Bool => View::Scalar(Scalar::Boolean),
            Shape::Int32 | Shape::Int64 | Shape::Float64 => View::Scalar(Scalar::Numeric),
            Shape::String | Shape::Bytes | Shape::Duration => View::Scalar(Scalar::String),
            Shape::Time | Shape::MicroTime | Shape::Quantity => View::Scalar(Scalar::Untyped),
            Shape::RawExtension => deduce(Ref::Untyped, value),
            Shape::IntOrString | Shape::Json | Shape::FieldsV1 | Shape::SchemaOr { .. } | Shape::Any => {
                deduce(Ref::Deduced, value)
            }
            Shape::Object(id) => match object(schema, *id, field.is_some_and(|f| f.map_atomic)) {
                // The field's word is stronger than its type's: `claimRef`.
                View::Map(map) if map.atomic && field.is_some_and(granular) => View::Map(Map { atomic: false, ..map }),
                other => other,
            },
            Shape::List(item) => View::List(list(schema, item, field)),
            Shape::Map(item) => View::Map(Map {
                atomic: field.is_some_and(|f| f.map_atomic),
                ty: None,
                other: Some(Ref::Shape(item, None)),
            }),
        },
    }
}

fn granular(field: &Field) -> bool {
    field.rules.as_ref().is_some_and(|rules| rules.source["x-kubernetes-map-type"].str() == "granular")
}

fn object<'a>(schema: &'a Schema, id: TypeId, atomic: bool) -> View<'a> {
    let ty = schema.ty(id);
    let open = ty.preserve_unknown || ty.fields.is_empty();
    View::Map(Map { atomic: atomic || ty.atomic, ty: Some(ty), other: open.then_some(Ref::Deduced) })
}

fn list<'a>(schema: &'a Schema, item: &'a Shape, field: Option<&'a Field>) -> List<'a> {
    let kind = match field {
        None => ListKind::Atomic,
        Some(field) => match &field.list_type {
            Some(ListType::Atomic) => ListKind::Atomic,
            Some(ListType::Set) => ListKind::Set,
            Some(ListType::Map(keys)) => ListKind::Keyed(keys),
            // Without a list type the strategy of strategic merge patch speaks.
            None if field.patch_strategies.iter().any(|s| s == "merge") => match &field.patch_merge_key {
                Some(key) => ListKind::Keyed(std::slice::from_ref(key)),
                None => ListKind::Set,
            },
            None => ListKind::Atomic,
        },
    };
    let item_type = match item {
        Shape::Object(id) => Some(schema.ty(*id)),
        _ => None,
    };
    List { kind, item: Ref::Shape(item, None), item_type }
}

fn deduce<'a>(at: Ref<'a>, value: Option<&Value>) -> View<'a> {
    match value {
        None | Some(Value::Null | Value::Object(_)) => {
            View::Map(Map { atomic: matches!(at, Ref::Untyped), ty: None, other: Some(at) })
        }
        Some(Value::Array(_)) => View::List(List { kind: ListKind::Atomic, item: Ref::Untyped, item_type: None }),
        Some(_) => View::Scalar(Scalar::Untyped),
    }
}

/// The path element of a list's item.
///
/// # Errors
/// The item cannot be told apart from others; upstream's text.
pub(super) fn item_element(list: &List, item: &Value) -> Result<Element, String> {
    match list.kind {
        ListKind::Keyed(keys) => keyed_element(list, keys, item),
        ListKind::Set => match item {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".to_string()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".to_string()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".to_string()),
            scalar => Ok(value_element(scalar)),
        },
        ListKind::Atomic => Err("invalid indexing of non-associative list".to_string()),
    }
}

fn keyed_element(list: &List, keys: &[Str], item: &Value) -> Result<Element, String> {
    match item {
        Value::Object(_) => {}
        Value::Null => return Err("associative list with keys may not have a null element".to_string()),
        _ => return Err("associative list with keys may not have non-map elements".to_string()),
    }
    let mut fields: Vec<(&str, &Value)> = Vec::with_capacity(keys.len());
    for key in keys {
        let default = || list.item_type.and_then(|ty| ty.field(key)).and_then(|f| f.default.as_ref());
        if let Some(value) = item.get(key).or_else(default) {
            fields.push((key, value));
        }
    }
    if fields.is_empty() {
        let names: Vec<String> = keys.iter().map(|k| meta::field::quote(k)).collect();
        let names = names.join(" ");
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{names}] (and doesn't have default values for any key fields)"
        ));
    }
    fields.sort_by(|a, b| a.0.cmp(b.0));
    Ok(key_element(&fields))
}

/// See [`super::Typed::reconcile`].
pub(super) fn reconcile(schema: &Schema, at: Ref, set: &mut Set) {
    let place = view(schema, at, None);
    for node in &mut set.nodes {
        if node.children.is_empty() {
            continue;
        }
        let Some(below) = step(&place, &node.element) else { continue };
        let atomic = match below {
            // Nothing is declared, so nothing can have been declared otherwise.
            Ref::Deduced | Ref::Untyped | Ref::Shape(Shape::Any | Shape::Json, _) => continue,
            _ => match view(schema, below, None) {
                View::Map(map) => map.atomic,
                View::List(list) => list.kind == ListKind::Atomic,
                View::Scalar(_) => false,
            },
        };
        if atomic {
            node.member = true;
            node.children = Set::default();
        } else {
            reconcile(schema, below, &mut node.children);
        }
    }
}

/// See [`super::Typed::name_parents`].
pub(super) fn name_parents(schema: &Schema, at: Ref, set: &mut Set) {
    let place = view(schema, at, None);
    for node in &mut set.nodes {
        if node.children.is_empty() {
            continue;
        }
        if let (View::Map(map), Some(name)) = (&place, node.element.strip_prefix("f:")) {
            node.member |= map.field(name).is_some();
        }
        if let Some(below) = step(&place, &node.element) {
            name_parents(schema, below, &mut node.children);
        }
    }
}

/// The place one element further; `None` when the schema has none.
fn step<'a>(place: &View<'a>, element: &str) -> Option<Ref<'a>> {
    match place {
        View::Map(map) => map.member(element.strip_prefix("f:")?),
        View::List(list) => element.starts_with("k:").then_some(list.item),
        View::Scalar(_) => None,
    }
}
