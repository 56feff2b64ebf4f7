//! Taking types from one schema into another: a custom resource's schema has metadata's types of the built-in one.

use crate::{Schema, Shape, Type, TypeId};
use std::collections::HashMap;

impl Schema {
    /// Copies the type `id` of `from`, and every type it refers to, into this schema. Its kinds are not copied.
    pub fn copy(&mut self, from: &Schema, id: TypeId) -> TypeId {
        let mut done = HashMap::new();
        self.copy_type(from, id, &mut done)
    }

    fn copy_type(&mut self, from: &Schema, id: TypeId, done: &mut HashMap<TypeId, TypeId>) -> TypeId {
        if let Some(copied) = done.get(&id) {
            return *copied;
        }
        let mut ty = from.ty(id).clone();
        ty.gvks.clear();
        // The place is taken first, so that types which refer to themselves find it.
        let copied = self.add(Type { name: ty.name.clone(), ..Type::default() });
        done.insert(id, copied);
        for field in &mut ty.fields {
            field.shape = self.copy_shape(from, &field.shape, done);
        }
        self.replace(copied, ty);
        copied
    }

    fn copy_shape(&mut self, from: &Schema, shape: &Shape, done: &mut HashMap<TypeId, TypeId>) -> Shape {
        match shape {
            Shape::Object(id) => Shape::Object(self.copy_type(from, *id, done)),
            Shape::List(item) => Shape::List(Box::new(self.copy_shape(from, item, done))),
            Shape::Map(item) => Shape::Map(Box::new(self.copy_shape(from, item, done))),
            Shape::SchemaOr { object, other } => {
                Shape::SchemaOr { object: self.copy_type(from, *object, done), other: *other }
            }
            plain => plain.clone(),
        }
    }
}
