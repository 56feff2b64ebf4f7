//! Objects of every kind with arbitrary content that its type allows.

mod agree;

use agree::{Dice, agree, named};
use meta::{Map, Str, Value, value};
use schema::{Schema, SchemaOther, Shape, TypeId};

/// Below this depth nothing more is put in.
const DEPTH_MAX: usize = 9;

const TEXTS: [&str; 14] = [
    "",
    "a",
    "true",
    "12",
    "1e3",
    "null",
    "a: b",
    "- x",
    "two\nlines\n",
    " edge ",
    "é😀\u{2028}",
    "<&>",
    "tab\t\"q\"\\",
    "~",
];
const QUANTITIES: [&str; 9] = ["0", "100m", "1.5Gi", "1024Mi", "5e3", "+7", "0.0001", "12345678901234567890", "-3k"];
const TIMES: [&str; 4] =
    ["2024-02-29T23:59:59Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2030-01-01T00:00:00+05:30"];
const MICRO_TIMES: [&str; 3] =
    ["2024-02-29T23:59:59.123456Z", "1969-12-31T23:59:59.000001Z", "2030-01-01T00:00:00.999999-01:00"];
const INTEGERS: [i64; 6] = [0, 1, -1, 300, 2_147_483_647, -2_147_483_648];

fn text(dice: &mut Dice) -> Str {
    TEXTS[dice.below(TEXTS.len())].into()
}

/// Any JSON that a raw value may hold.
fn any(dice: &mut Dice) -> Value {
    match dice.below(4) {
        0 => value!({"k": [1, (text(dice)), null, {"deep": true}], "": 1.5}),
        1 => Value::from(text(dice)),
        2 => Value::Array(vec![]),
        _ => Value::object(),
    }
}

fn generate(schema: &Schema, shape: &Shape, dice: &mut Dice, depth: usize) -> Value {
    if depth > DEPTH_MAX || dice.below(8) == 0 {
        return Value::Null;
    }
    let pick = |dice: &mut Dice, from: &[&str]| Value::from(from[dice.below(from.len())]);
    match shape {
        Shape::Bool => Value::Bool(dice.below(2) == 1),
        Shape::Int32 => Value::Int(INTEGERS[dice.below(INTEGERS.len())]),
        Shape::Int64 => Value::Int(INTEGERS[dice.below(INTEGERS.len())] * 4_000_000_000),
        Shape::Float64 => Value::Float([0.0, 1.5, -2.0, 1e21, 1e-7][dice.below(5)]),
        Shape::String => Value::from(text(dice)),
        Shape::Bytes => pick(dice, &["", "YQ==", "AP8=", "YWJj"]),
        Shape::Time => pick(dice, &TIMES),
        Shape::MicroTime => pick(dice, &MICRO_TIMES),
        Shape::Duration => pick(dice, &["0", "1h", "-1.5s", "10ms"]),
        Shape::Quantity => pick(dice, &QUANTITIES),
        Shape::IntOrString if dice.below(2) == 0 => Value::Int(INTEGERS[dice.below(INTEGERS.len())]),
        Shape::IntOrString => Value::from(text(dice)),
        Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::Any => any(dice),
        Shape::SchemaOr { object, other } => match (dice.below(2), other) {
            (0, SchemaOther::Bool) => Value::Bool(dice.below(2) == 1),
            (0, SchemaOther::StringArray) => value!([(text(dice)), (text(dice))]),
            (0, SchemaOther::SchemaArray) => Value::Array(vec![generate_object(schema, *object, dice, depth + 1)]),
            _ => generate_object(schema, *object, dice, depth + 1),
        },
        Shape::Object(id) => generate_object(schema, *id, dice, depth + 1),
        Shape::List(item) => {
            (0..dice.below(3)).map(|_| generate(schema, item, dice, depth + 1)).collect::<Vec<_>>().into()
        }
        Shape::Map(item) => {
            let entries = (0..dice.below(3)).map(|_| (text(dice), generate(schema, item, dice, depth + 1)));
            Value::Object(entries.collect::<Map>())
        }
    }
}

fn generate_object(schema: &Schema, id: TypeId, dice: &mut Dice, depth: usize) -> Value {
    let mut map = Map::new();
    for field in &schema.ty(id).fields {
        // Deeper down, fewer fields: whole trees of schemas would never end.
        if dice.below(depth / 2 + 2) == 0 {
            map.insert(field.name.clone(), generate(schema, &field.shape, dice, depth));
        }
    }
    Value::Object(map)
}

/// What is encoded over a former state is what is encoded anew.
fn keeps_bytes(schema: &Schema, id: TypeId, gvk: &meta::Gvk, old: &Value, other: Value, dice: &mut Dice) {
    let mut bytes = Vec::new();
    codec::encode_protobuf(schema, id, gvk, old, &mut bytes);
    let mut new = old.clone();
    for (name, value) in other.entries() {
        if dice.below(2) == 0 {
            new.set(name, value);
        }
    }
    assert!(codec::canonicalise_stored(schema, id, &mut new).is_ok(), "{gvk}");
    for new in [&new, old] {
        let (mut over, mut anew) = (Vec::new(), Vec::new());
        codec::encode_protobuf_over(schema, id, gvk, new, (old, &bytes), &mut over);
        codec::encode_protobuf(schema, id, gvk, new, &mut anew);
        assert_eq!(over, anew, "{gvk}");
    }
}

#[test]
fn generated_objects_survive_every_form() {
    let schema = schema::builtin();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut objects = 0;
    for (id, ty) in schema.types().filter(|(_, ty)| !ty.gvks.is_empty() && ty.field("apiVersion").is_some()) {
        if ty.fields.iter().all(|f| f.number == 0) {
            continue; // no protobuf form: Table
        }
        for _ in 0..3 {
            let mut object = named(generate_object(&schema, id, &mut dice, 0), &ty.gvks[0]);
            let strict = codec::canonicalise(&schema, id, &mut object).map(|found| found.strict);
            assert_eq!(strict, Ok(vec![]), "{}", ty.name);
            agree(&schema, id, &ty.gvks[0], &object);
            let mut stored = object.clone();
            let seen = codec::is_canonical_stored(&schema, id, &object);
            assert_eq!(codec::canonicalise_stored(&schema, id, &mut stored), Ok(vec![]), "{}", ty.name);
            assert!(!seen || stored == object, "{}: called canonical and is not", ty.name);
            assert!(codec::is_canonical_stored(&schema, id, &stored), "{}: is canonical and not known", ty.name);
            assert_eq!(codec::canonicalise(&schema, id, &mut stored.clone()).map(|f| f.strict), Ok(vec![]));
            let other = named(generate_object(&schema, id, &mut dice, 0), &ty.gvks[0]);
            keeps_bytes(&schema, id, &ty.gvks[0], &stored, other, &mut dice);
            objects += 1;
        }
    }
    assert!(objects > 500, "{objects}");
}
