//! Go's names of types and embedded structs, which appear in the errors of upstream's decoder and nowhere else.

use schema::{Field, Schema, Shape, Type};

/// One line per field whose Go type is not what its shape and the type of its strings say: `OPENAPI-TYPE FIELD GO-TYPE`.
const GO_TYPES: &str = include_str!("../facts/go-types.facts");

/// Embedded structs by the type that holds them.
const EMBEDS: &[(&str, &[&str])] = &[
    ("ConfigMapEnvSource", &["LocalObjectReference"]),
    ("ConfigMapKeySelector", &["LocalObjectReference"]),
    ("ConfigMapProjection", &["LocalObjectReference"]),
    ("ConfigMapVolumeSource", &["LocalObjectReference"]),
    ("DeviceAllocationConfiguration", &["DeviceConfiguration"]),
    ("DeviceClaimConfiguration", &["DeviceConfiguration"]),
    ("DeviceClassConfiguration", &["DeviceConfiguration"]),
    ("EphemeralContainer", &["EphemeralContainerCommon"]),
    ("IngressRule", &["IngressRuleValue"]),
    ("NamedRuleWithOperations", &["RuleWithOperations", "Rule"]),
    ("PersistentVolumeSpec", &["PersistentVolumeSource"]),
    ("Probe", &["ProbeHandler"]),
    ("RuleWithOperations", &["Rule"]),
    ("SecretEnvSource", &["LocalObjectReference"]),
    ("SecretKeySelector", &["LocalObjectReference"]),
    ("SecretProjection", &["LocalObjectReference"]),
    ("Volume", &["VolumeSource"]),
];

/// The embedded structs on the way from a type to one of its fields, outermost first.
pub(crate) fn embeds(ty: &Type, field: &Field) -> &'static [&'static str] {
    if field.number == 0 && (field.name == "kind" || field.name == "apiVersion") {
        return &["TypeMeta"];
    }
    let depth = field.path().count().saturating_sub(1);
    let names = EMBEDS.iter().find(|(name, _)| *name == ty.go_name).map_or(&[][..], |(_, names)| names);
    names.get(..depth).unwrap_or(names)
}

/// Go's text of the type of a value: that of `shape`, which is the shape of `field` or of something within it.
pub(crate) fn type_name(schema: &Schema, shape: &Shape, field: Option<(&Type, &Field)>) -> String {
    let named = field.and_then(|(ty, field)| {
        let depth = nesting(&field.shape)?.checked_sub(nesting(shape)?)?;
        let mut name = declared(ty, field)?;
        for _ in 0..depth {
            name = name.strip_prefix("[]").or_else(|| name.split_once(']').map(|(_, item)| item))?;
        }
        Some(name.trim_start_matches('*').to_string())
    });
    let string = field.and_then(|(_, field)| field.go_type.as_deref()).unwrap_or("string");
    named.unwrap_or_else(|| of_shape(schema, shape, string))
}

/// How many lists and maps are around the innermost shape.
fn nesting(shape: &Shape) -> Option<usize> {
    match shape {
        Shape::List(item) | Shape::Map(item) => Some(nesting(item)? + 1),
        _ => Some(0),
    }
}

fn declared(ty: &Type, field: &Field) -> Option<&'static str> {
    GO_TYPES.lines().find_map(|line| {
        let (name, rest) = line.strip_prefix(ty.name.as_str())?.strip_prefix(' ')?.split_once(' ')?;
        (name == field.name).then_some(rest)
    })
}

/// `string` is Go's name of the strings in it.
fn of_shape(schema: &Schema, shape: &Shape, string: &str) -> String {
    match shape {
        Shape::Bool => "bool".to_string(),
        Shape::Int32 => "int32".to_string(),
        Shape::Int64 => "int64".to_string(),
        Shape::Float64 => "float64".to_string(),
        Shape::String => string.to_string(),
        Shape::Bytes => "[]uint8".to_string(),
        Shape::Time => "v1.Time".to_string(),
        Shape::MicroTime => "v1.MicroTime".to_string(),
        Shape::Duration => "v1.Duration".to_string(),
        Shape::Quantity => "resource.Quantity".to_string(),
        Shape::IntOrString => "intstr.IntOrString".to_string(),
        Shape::RawExtension => "runtime.RawExtension".to_string(),
        Shape::Json => "v1.JSON".to_string(),
        Shape::FieldsV1 => "v1.FieldsV1".to_string(),
        Shape::SchemaOr { object, .. } | Shape::Object(object) => {
            let ty = schema.ty(*object);
            let package = ty.name.rsplit('.').nth(1).unwrap_or("");
            format!("{package}.{}", ty.go_name)
        }
        Shape::List(item) => format!("[]{}", of_shape(schema, item, string)),
        Shape::Map(item) => format!("map[string]{}", of_shape(schema, item, string)),
        Shape::Any => "interface {}".to_string(),
    }
}
