//! The facts against an independent publication of the same OpenAPI definitions: the Python package
//! `kubernetes-validate`, which carries them for 1.36 with alpha and beta versions. `cargo xtask test` fetches it and names the
//! file in KYBERN_DEFINITIONS; without that this test says so and passes.

use meta::Value;
use schema::{Field, ListType, Schema, Shape, Type};

/// Names that Go declares as another name of a type that is known.
const ALIASES: &[&str] = &["io.k8s.api.admissionregistration.v1alpha1.MatchCondition"];

/// Types that are not written as objects with fields.
const OTHER_FORMS: usize = 12;

#[test]
fn every_definition_is_known_with_all_it_says() {
    let Some(path) = std::env::var_os("KYBERN_DEFINITIONS") else {
        println!("skipped: KYBERN_DEFINITIONS names no file");
        return;
    };
    let text = std::fs::read(path).expect("the file");
    let definitions = meta::json::parse(&text).expect("JSON").value;
    let schema = schema::builtin();
    let mut differences = Vec::new();
    let (mut compared, mut other) = (0, 0);
    for (name, definition) in definitions["$defs"].entries() {
        match schema.named(name) {
            Some(id) => {
                compared += 1;
                compare(&schema, name, schema.ty(id), definition, &mut differences);
            }
            None if ALIASES.contains(&name) => {}
            None if definition.get("properties").is_none() => other += 1,
            None => differences.push(format!("{name} is not known")),
        }
    }
    println!("{compared} types compared, {other} of other forms");
    assert!(differences.is_empty(), "{} differences: {differences:#?}", differences.len());
    assert!(compared > 700 && other <= OTHER_FORMS, "{compared} types compared, {other} of other forms");
}

fn compare(schema: &Schema, name: &str, ty: &Type, definition: &Value, out: &mut Vec<String>) {
    let mut check = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            out.push(format!("{name} {what}: {ours} instead of {theirs}"));
        }
    };
    let names = |items: Vec<&str>| {
        let mut items = items;
        items.sort_unstable();
        items.join(",")
    };
    let fields = names(ty.fields.iter().map(|f| f.name.as_str()).collect());
    check("fields", fields, names(definition["properties"].entries().map(|(name, _)| name).collect()));
    let required = names(ty.fields.iter().filter(|f| f.required).map(|f| f.name.as_str()).collect());
    check("required", required, names(definition["required"].items().iter().map(Value::str).collect()));
    check("atomic", ty.atomic.to_string(), (definition["x-kubernetes-map-type"].str() == "atomic").to_string());
    for field in &ty.fields {
        let property = &definition["properties"][field.name.as_str()];
        let mut check =
            |what: &str, ours: String, theirs: String| check(&format!("{}: {what}", field.name), ours, theirs);
        check("list type", list_type(field), their_list_type(property));
        check("strategy", field.patch_strategies.join(","), property["x-kubernetes-patch-strategy"].str().to_string());
        let key = field.patch_merge_key.clone().unwrap_or_default();
        check("merge key", key.to_string(), property["x-kubernetes-patch-merge-key"].str().to_string());
        check("shape", shape(schema, &field.shape), their_shape(property));
    }
}

fn list_type(field: &Field) -> String {
    match &field.list_type {
        None => String::new(),
        Some(ListType::Atomic) => "atomic".into(),
        Some(ListType::Set) => "set".into(),
        Some(ListType::Map(keys)) => format!("map {}", keys.join(",")),
    }
}

fn their_list_type(property: &Value) -> String {
    let keys: Vec<&str> = property["x-kubernetes-list-map-keys"].items().iter().map(Value::str).collect();
    format!("{} {}", property["x-kubernetes-list-type"].str(), keys.join(",")).trim().to_string()
}

/// A shape in OpenAPI's words: "array of integer int32", the last part of a reference's name.
fn shape(schema: &Schema, shape: &Shape) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    match shape {
        Shape::Bool => "boolean".into(),
        Shape::Int32 => "integer int32".into(),
        Shape::Int64 => "integer int64".into(),
        Shape::Float64 => "number double".into(),
        Shape::String => "string".into(),
        Shape::Bytes => "string byte".into(),
        Shape::Object(id) => last(&schema.ty(*id).name),
        Shape::List(item) => format!("array of {}", self::shape(schema, item)),
        Shape::Map(item) => format!("map of {}", self::shape(schema, item)),
        Shape::Json => "JSON".into(),
        Shape::SchemaOr { other: schema::SchemaOther::Bool, .. } => "JSONSchemaPropsOrBool".into(),
        Shape::SchemaOr { other: schema::SchemaOther::SchemaArray, .. } => "JSONSchemaPropsOrArray".into(),
        Shape::SchemaOr { other: schema::SchemaOther::StringArray, .. } => "JSONSchemaPropsOrStringArray".into(),
        other => format!("{other:?}"),
    }
}

fn their_shape(node: &Value) -> String {
    if let Some(reference) = node["$ref"].as_str() {
        return reference.rsplit(['.', '/']).next().unwrap_or_default().to_string();
    }
    // The package adds null to the types of fields that are not required.
    let kind = node["type"].as_str().unwrap_or_else(|| node["type"][0].str());
    if kind == "array" {
        return format!("array of {}", their_shape(&node["items"]));
    }
    if node.get("additionalProperties").is_some_and(|p| p.as_object().is_some()) {
        return format!("map of {}", their_shape(&node["additionalProperties"]));
    }
    format!("{kind} {}", node["format"].str()).trim().to_string()
}
