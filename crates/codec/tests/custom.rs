//! Custom resources take the same road: structure is pruned, metadata is typed, and values are left for validation to judge.

use meta::{Value, json};
use schema::{Field, Schema, Shape, Type, TypeId};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn field(name: &str, shape: Shape) -> Field {
    Field { name: name.into(), shape, ..Field::default() }
}

/// A kind with `spec: {size, parts: [{name}], labels: {}, open: {…}}`; its metadata has labels and a name.
fn widget() -> (Schema, TypeId) {
    let mut schema = Schema::default();
    let ty = |name: &str, fields: Vec<Field>| Type {
        name: name.into(),
        go_name: name.rsplit('.').next().unwrap_or("").into(),
        fields,
        ..Type::default()
    };
    let text = |name: &str, number| Field { number, ..field(name, Shape::String) };
    let labels = Field { number: 11, ..field("labels", Shape::Map(Box::new(Shape::String))) };
    let metadata = schema.add(ty(OBJECT_META, vec![text("name", 1), labels]));
    let part = schema.add(ty("part", vec![field("name", Shape::Any)]));
    let open = schema.add(Type { preserve_unknown: true, ..ty("open", vec![field("part", Shape::Object(part))]) });
    let spec = schema.add(ty(
        "spec",
        vec![
            field("size", Shape::Any),
            field("parts", Shape::List(Box::new(Shape::Object(part)))),
            field("labels", Shape::Map(Box::new(Shape::Any))),
            field("open", Shape::Object(open)),
        ],
    ));
    let root = ty(
        "widget",
        vec![
            field("apiVersion", Shape::Any),
            field("kind", Shape::Any),
            field("metadata", Shape::Object(metadata)),
            field("spec", Shape::Object(spec)),
        ],
    );
    let root = schema.add(root);
    (schema, root)
}

fn decode(body: &str) -> Result<(String, Vec<String>), String> {
    let (schema, ty) = widget();
    let decoded = codec::decode_json(&schema, ty, body.as_bytes()).map_err(|e| e.text)?;
    Ok((json::to_string(&decoded.value), decoded.strict))
}

#[test]
fn structure_is_pruned_and_reported_in_upstreams_order() {
    let body = r#"{"spec":{"zzz":1,"open":{"x":{"y":1},"part":{"name":1,"q":2}},"parts":[{"name":"a","a":1}],"size":1,"size":2},
        "metadata":{"name":"n","bogus":1}}"#;
    let want =
        r#"{"metadata":{"name":"n"},"spec":{"open":{"part":{"name":1},"x":{"y":1}},"parts":[{"name":"a"}],"size":2}}"#;
    let strict = [
        r#"duplicate field "spec.size""#,
        r#"unknown field "metadata.bogus""#,
        r#"unknown field "spec.open.part.q""#,
        r#"unknown field "spec.parts[0].a""#,
        r#"unknown field "spec.zzz""#,
    ];
    assert_eq!(decode(body), Ok((want.into(), strict.map(String::from).to_vec())));
}

#[test]
fn values_of_the_wrong_type_and_nulls_stay() {
    for body in [
        r#"{"spec":"text"}"#,
        r#"{"spec":{"labels":[1],"open":null,"parts":{"x":1},"size":null}}"#,
        r#"{"spec":{"parts":[null,7]}}"#,
    ] {
        assert_eq!(decode(body), Ok((body.into(), vec![])));
    }
}

#[test]
fn metadata_is_decoded_by_its_type() {
    for (body, want) in [
        (
            r#"{"metadata":{"labels":{"a":1}}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
        ),
        (r#"{"metadata":"x"}"#, "json: cannot unmarshal string into Go value of type v1.ObjectMeta"),
    ] {
        assert_eq!(decode(body), Err(want.into()), "{body}");
    }
}

#[test]
fn canonical_form_is_a_fixed_point() {
    let (schema, ty) = widget();
    let body = br#"{"metadata":{"name":"n","labels":{}},"spec":{"parts":[{"name":null}],"size":1.5}}"#;
    let mut value: Value = codec::decode_json(&schema, ty, body).expect("well formed").value;
    let once = value.clone();
    assert_eq!(codec::canonicalise(&schema, ty, &mut value).map(|found| found.strict), Ok(vec![]));
    assert_eq!(value, once);
}
