//! Lists, of data or made.

use super::Value;
use crate::schema::Node;
use std::rc::Rc;

#[derive(Clone)]
pub struct List<'a> {
    items: Items<'a>,
    pub(crate) kind: ListKind<'a>,
}

#[derive(Clone)]
enum Items<'a> {
    Data(&'a [meta::Value], Option<&'a Node>),
    Owned(Rc<Vec<Value<'a>>>),
}

/// What a schema says of a list: equality and addition of sets, and of lists that are maps by keys of their items, do not
/// look at order.
#[derive(Debug, Clone, Copy)]
pub enum ListKind<'a> {
    Atomic,
    Set,
    Map(&'a [Box<str>]),
}

impl<'a> List<'a> {
    pub(crate) fn data(items: &'a [meta::Value], node: Option<&'a Node>, kind: ListKind<'a>) -> List<'a> {
        List { items: Items::Data(items, node), kind }
    }

    pub(crate) fn owned(items: Vec<Value<'a>>) -> List<'a> {
        List { items: Items::Owned(Rc::new(items)), kind: ListKind::Atomic }
    }

    pub(crate) fn of_kind(items: Vec<Value<'a>>, kind: ListKind<'a>) -> List<'a> {
        List { items: Items::Owned(Rc::new(items)), kind }
    }

    pub fn len(&self) -> usize {
        match &self.items {
            Items::Data(items, _) => items.len(),
            Items::Owned(items) => items.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match &self.items {
            Items::Data(items, node) => items.get(index).map(|item| Value::shape_of(*node, item)),
            Items::Owned(items) => items.get(index).cloned(),
        }
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Value<'a>> + '_ {
        // The index is always within.
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Appends the items of another list, in place when nobody else holds this one.
    pub(crate) fn extend(&mut self, more: &List<'a>) {
        if let Items::Data(..) = self.items {
            self.items = Items::Owned(Rc::new(self.iter().collect()));
        }
        if let Items::Owned(items) = &mut self.items {
            Rc::make_mut(items).extend(more.iter());
        }
    }
}
