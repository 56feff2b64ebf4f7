//! Whether a tree is in the form that storage gives it: most are after hooks and admission, and a look costs a fifth of
//! building the tree anew.

use crate::scalar;
use crate::typed::is_custom_kind;
use crate::zero::{in_protobuf, is_settled, zero};
use meta::{Map, Str, Value};
use schema::{Schema, SchemaOther, Shape, Type, TypeId};

/// Whether [`crate::canonicalise_stored`] would find nothing and change nothing. Says no where it does not know.
pub fn is_canonical_stored(schema: &Schema, ty: TypeId, value: &Value) -> bool {
    match value {
        Value::Object(map) => is_object(schema, schema.ty(ty), map),
        _ => false,
    }
}

/// Members of an object that need no work.
pub struct Aside(Vec<(Str, Value)>);

/// Takes those members out of an object that are canonical: whatever was done to it, it was done to few of them. Who
/// reads the rest as the type finds all that there is to find.
pub fn set_aside(schema: &Schema, ty: TypeId, object: &mut Value) -> Aside {
    let (ty, mut aside) = (schema.ty(ty), Vec::new());
    let Value::Object(map) = object else { return Aside(aside) };
    if is_custom_kind(ty) {
        return Aside(aside);
    }
    map.retain(|name, value| {
        let field = ty.field(name).filter(|field| value.as_object().is_some() && in_protobuf(field));
        let done = field.is_some_and(|f| is_settled(schema, f, value) && is_value(schema, &f.shape, value));
        if done {
            aside.push((name.into(), std::mem::take(value)));
        }
        !done
    });
    Aside(aside)
}

impl Aside {
    /// The whole object, for messages.
    pub fn joined(&self, rest: &Value) -> Value {
        let mut whole = rest.clone();
        for (name, value) in &self.0 {
            whole.set(name, value);
        }
        whole
    }

    /// Puts them where they were.
    pub fn put_back(self, object: &mut Value) {
        for (name, value) in self.0 {
            object.set(&name, value);
        }
    }
}

fn is_object(schema: &Schema, ty: &Type, map: &Map) -> bool {
    let mut seen = 0_u128;
    for (name, value) in map.iter() {
        let Some(index) = ty.field_index(name) else {
            if ty.preserve_unknown {
                continue;
            }
            return false;
        };
        let Some(field) = ty.fields.get(index) else { return false };
        seen |= 1_u128.checked_shl(index as u32).unwrap_or(0);
        if !is_settled(schema, field, value) || !is_value(schema, &field.shape, value) {
            return false;
        }
    }
    ty.always.iter().all(|index| seen & 1_u128.checked_shl((*index).into()).unwrap_or(0) != 0)
}

fn is_value(schema: &Schema, shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (_, Value::Null) => true,
        (Shape::String, Value::String(_)) | (Shape::Bool, Value::Bool(_)) | (Shape::Int64, Value::Int(_)) => true,
        (Shape::Int32, Value::Int(n)) => i32::try_from(*n).is_ok(),
        (Shape::Float64, Value::Float(_)) => true,
        (Shape::Object(id), Value::Object(map)) => is_object(schema, schema.ty(*id), map),
        (Shape::List(item), Value::Array(items)) => {
            let nothing = items.iter().any(Value::is_null) && !zero(schema, item).is_null();
            !nothing && items.iter().all(|value| is_value(schema, item, value))
        }
        (Shape::Map(item), Value::Object(map)) => {
            let nothing = map.iter().any(|(_, value)| value.is_null()) && !zero(schema, item).is_null();
            !nothing && map.iter().all(|(_, value)| is_value(schema, item, value))
        }
        (Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::Any, _) => true,
        (Shape::IntOrString, Value::String(_)) => true,
        (Shape::IntOrString, Value::Int(n)) => i32::try_from(*n).is_ok(),
        (Shape::Quantity | Shape::Time | Shape::MicroTime | Shape::Duration | Shape::Bytes, Value::String(text)) => {
            is_text(shape, text)
        }
        (Shape::SchemaOr { object, other }, value) => is_schema_or(schema, *object, *other, value),
        _ => false,
    }
}

fn is_schema_or(schema: &Schema, object: TypeId, other: SchemaOther, value: &Value) -> bool {
    match (other, value) {
        (_, Value::Object(map)) => is_object(schema, schema.ty(object), map),
        (SchemaOther::Bool, Value::Bool(_)) => true,
        (SchemaOther::SchemaArray, Value::Array(items)) => {
            items.iter().all(|item| !item.is_null() && is_value(schema, &Shape::Object(object), item))
        }
        (SchemaOther::StringArray, Value::Array(items)) => items.iter().all(|item| item.as_str().is_some()),
        _ => false,
    }
}

/// Whether a text is the one that its value prints.
fn is_text(shape: &Shape, text: &Str) -> bool {
    let printed = match shape {
        Shape::Quantity => scalar::quantity(text.clone()).map(Value::String),
        Shape::Time => scalar::time(text.clone()),
        Shape::MicroTime => scalar::micro_time(text.clone()),
        Shape::Duration => scalar::duration(text),
        _ => scalar::bytes(text.clone()).map(Value::String),
    };
    printed.is_ok_and(|printed| printed.as_str() == Some(text))
}
