//! Objects seen through their schema, as server-side apply sees them (upstream: structured-merge-diff/typed): which
//! lists have keys, which maps and structs are atomic, what changed between two objects, which fields one sets.

mod atomics;
mod collect;
mod compare;
mod first;
mod merge;
mod remove;
mod validate;
mod view;

pub use compare::{Change, NotComparable};
pub use first::Unowned;
pub use validate::message;

use crate::fields::Set;
use meta::Value;
use schema::{Presence, Schema, Shape, TypeId};
use view::Ref;

/// The type of whole objects.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    schema: &'a Schema,
    root: TypeId,
}

impl<'a> Typed<'a> {
    pub fn new(schema: &'a Schema, root: TypeId) -> Typed<'a> {
        Typed { schema, root }
    }

    fn root(&self) -> Ref<'a> {
        Ref::Type(self.root)
    }

    /// The object that Go has before anything is set: what a new object is compared with. Custom resources have nothing.
    pub fn zero(&self) -> Value {
        self.zero_of(self.root)
    }

    fn zero_of(&self, id: TypeId) -> Value {
        let ty = self.schema.ty(id);
        let always = ty.fields.iter().filter(|f| f.presence == Presence::Always);
        let zeros = always.map(|f| {
            let zero = match &f.shape {
                Shape::Bool => Value::Bool(false),
                Shape::Int32 | Shape::Int64 => Value::Int(0),
                Shape::Float64 => Value::Float(0.0),
                Shape::String => Value::String(meta::Str::default()),
                Shape::Quantity => Value::from("0"),
                Shape::Duration => Value::from("0s"),
                Shape::IntOrString => Value::Int(0),
                Shape::Object(id) => self.zero_of(*id),
                _ => Value::Null,
            };
            (f.name.clone(), zero)
        });
        Value::Object(zeros.collect())
    }

    /// Adjusts a set that was written when the schema was another: what is atomic now owns no parts.
    pub fn reconcile(&self, set: &mut Set) {
        view::reconcile(self.schema, self.root(), set);
    }

    /// Adds the named fields on the way to each path: of `a.b.c` also `a` when that is a declared field.
    pub fn name_parents(&self, mut set: Set) -> Set {
        view::name_parents(self.schema, self.root(), &mut set);
        set
    }
}

/// Deep equality as upstream's: integers and floats of the same value are equal.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(i), Value::Float(f)) | (Value::Float(f), Value::Int(i)) => *i as f64 == *f,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((k, v), (l, w))| k == l && equal(v, w))
        }
        _ => a == b,
    }
}
