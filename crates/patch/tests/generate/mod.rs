//! Objects with arbitrary content that their type allows and that apply can tell apart: items of lists have keys, each once.

use meta::{Map, Str, Value, value};
use schema::{ListType, Schema, Shape, TypeId};
use std::collections::HashSet;

/// Below this depth nothing more is put in.
const DEPTH_MAX: usize = 8;

/// A small generator of numbers: the same ones in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Any JSON; nulls when asked for, but none in lists.
pub fn any(dice: &mut Dice, depth: usize, nulls: bool) -> Value {
    match dice.below(if depth > 3 { 4 } else { 8 }) {
        0 if nulls => Value::Null,
        0 | 1 => Value::Int(dice.below(4) as i64),
        2 => dice.pick(&["", "x", "é", "a/b", "~"]).into(),
        3 => Value::Bool(dice.below(2) == 1),
        4 => (0..dice.below(4)).map(|_| any(dice, depth + 1, false)).collect::<Vec<_>>().into(),
        _ => Value::Object(
            (0..dice.below(4))
                .map(|_| (Str::from(dice.pick(&["a", "b", "c/d", "~e", ""])), any(dice, depth + 1, nulls)))
                .collect::<Map>(),
        ),
    }
}

/// An object of a kind with a name.
pub fn object(schema: &Schema, id: TypeId, dice: &mut Dice) -> Value {
    let mut object = of_type(schema, id, dice, 0);
    let gvk = schema.ty(id).gvks[0].clone();
    object.set("apiVersion", gvk.api_version());
    object.set("kind", &gvk.kind);
    let labels: Map =
        (0..dice.below(3)).map(|_| (Str::from(dice.pick(&["a", "b", "c"])), dice.pick(&["1", "2"]).into())).collect();
    object.set("metadata", value!({"name": "a", "labels": (Value::Object(labels))}));
    object.object_mut().remove("status");
    object
}

fn of_type(schema: &Schema, id: TypeId, dice: &mut Dice, depth: usize) -> Value {
    let mut map = Map::new();
    for field in &schema.ty(id).fields {
        if depth < DEPTH_MAX && dice.below(depth / 2 + 2) == 0 {
            let keys: &[Str] = if let Some(ListType::Map(keys)) = &field.list_type { keys } else { &[] };
            let merge_key = field.patch_merge_key.as_slice();
            let value = of_shape(schema, &field.shape, dice, depth);
            map.insert(field.name.clone(), distinct(distinct(value, keys, dice), merge_key, dice));
        }
    }
    Value::Object(map)
}

/// The items that are unlike those before them; each has all the keys.
fn distinct(list: Value, keys: &[Str], dice: &mut Dice) -> Value {
    let Value::Array(mut items) = list else { return list };
    for item in &mut items {
        for key in if item.as_object().is_some() { keys } else { &[] } {
            let number = matches!(key.as_str(), "port" | "containerPort");
            item.set(
                key.as_str(),
                if number { Value::Int(dice.below(3) as i64) } else { dice.pick(&["x", "y", "z"]).into() },
            );
        }
    }
    let mut seen = HashSet::new();
    items.retain(|item| {
        let id: Vec<&Value> = keys.iter().map(|k| &item[k.as_str()]).collect();
        seen.insert(if keys.is_empty() { meta::json::to_string(item) } else { format!("{id:?}") })
    });
    items.into()
}

fn of_shape(schema: &Schema, shape: &Shape, dice: &mut Dice, depth: usize) -> Value {
    match shape {
        Shape::Bool => Value::Bool(dice.below(2) == 1),
        Shape::Int32 | Shape::Int64 => Value::Int(dice.below(3) as i64),
        Shape::Float64 => Value::Float(1.5),
        Shape::String | Shape::IntOrString => dice.pick(&["x", "y", "z"]).into(),
        Shape::Bytes => dice.pick(&["YQ==", "YWJj"]).into(),
        Shape::Time => dice.pick(&["2024-02-29T23:59:59Z", "2025-02-28T00:00:00Z"]).into(),
        Shape::MicroTime => "2024-02-29T23:59:59.123456Z".into(),
        Shape::Duration => dice.pick(&["1h", "10ms"]).into(),
        Shape::Quantity => dice.pick(&["1", "100m"]).into(),
        Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::Any => any(dice, 2, false),
        Shape::SchemaOr { object, .. } | Shape::Object(object) => of_type(schema, *object, dice, depth + 1),
        Shape::List(item) => {
            (0..dice.below(4)).map(|_| of_shape(schema, item, dice, depth + 1)).collect::<Vec<_>>().into()
        }
        Shape::Map(item) => Value::Object(
            (0..dice.below(3))
                .map(|_| (Str::from(dice.pick(&["k", "l", "m"])), of_shape(schema, item, dice, depth + 1)))
                .collect::<Map>(),
        ),
    }
}
