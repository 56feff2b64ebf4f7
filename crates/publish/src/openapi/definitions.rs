//! Schemas of types, and which a document needs.

use super::operation::Path;
use super::{Source, custom};
use crate::descriptions::Descriptions;
use meta::{Gvk, Str, Value, value};
use resource::Descriptor;
use schema::{Field, ListType, Schema, SchemaOther, Shape, Type, TypeId};
use std::collections::BTreeMap;

/// The two ways to write a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2,
    V3,
}

impl Version {
    /// The reference to a definition.
    pub fn reference(self, name: &str) -> Value {
        let prefix = match self {
            Version::V2 => "#/definitions/",
            Version::V3 => "#/components/schemas/",
        };
        value!({"$ref": (format!("{prefix}{name}"))})
    }
}

/// What a definition is made from.
#[derive(Clone, Copy)]
pub enum Definition<'a> {
    Struct(&'a Schema, TypeId),
    /// A type with a form of its own; the name of its definition.
    Special(&'static str),
    /// A custom resource's kind.
    Custom(&'a Descriptor),
    CustomList(&'a Descriptor),
}

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const DURATION: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Duration";
const FIELDS_V1: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const JSON: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON";
const SCHEMA_OR_BOOL: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool";
const SCHEMA_OR_ARRAY: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray";
const SCHEMA_OR_STRINGS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray";

/// Types with a form of their own: name, `type` and `format` in version 2, `oneOf`'s types in version 3 where they differ. "" for none.
const SPECIALS: &[(&str, &str, &str, &[&str])] = &[
    (TIME, "string", "date-time", &[]),
    (MICRO_TIME, "string", "date-time", &[]),
    (DURATION, "string", "", &[]),
    (FIELDS_V1, "object", "", &[]),
    (PATCH, "object", "", &[]),
    (QUANTITY, "string", "", &["string", "number"]),
    (INT_OR_STRING, "string", "int-or-string", &["integer", "string"]),
    (RAW_EXTENSION, "object", "", &[]),
    (JSON, "", "", &[]),
    (SCHEMA_OR_BOOL, "", "", &[]),
    (SCHEMA_OR_ARRAY, "", "", &[]),
    (SCHEMA_OR_STRINGS, "", "", &[]),
];

/// The name of a shape's definition when it is one of [`SPECIALS`].
fn special(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::Time => Some(TIME),
        Shape::MicroTime => Some(MICRO_TIME),
        Shape::Duration => Some(DURATION),
        Shape::FieldsV1 => Some(FIELDS_V1),
        Shape::Quantity => Some(QUANTITY),
        Shape::IntOrString => Some(INT_OR_STRING),
        Shape::RawExtension => Some(RAW_EXTENSION),
        Shape::Json => Some(JSON),
        Shape::SchemaOr { other: SchemaOther::Bool, .. } => Some(SCHEMA_OR_BOOL),
        Shape::SchemaOr { other: SchemaOther::SchemaArray, .. } => Some(SCHEMA_OR_ARRAY),
        Shape::SchemaOr { other: SchemaOther::StringArray, .. } => Some(SCHEMA_OR_STRINGS),
        _ => None,
    }
}

/// Meta types such as DeleteOptions are kinds of every group version; which of these a document says.
#[derive(Clone, Copy, Debug)]
pub enum MetaKinds<'a> {
    All,
    /// The core's and this group version's: documents of built-in group versions.
    Of(&'a str, &'a str),
    /// Those of kube-apiserver's own scheme: documents of custom resources.
    Native,
}

/// Groups whose types are in other servers' schemes than kube-apiserver's own.
const OTHER_SCHEMES: &[&str] =
    &["admission.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "imagepolicy.k8s.io"];

impl MetaKinds<'_> {
    fn has(self, gvk: &Gvk) -> bool {
        match self {
            MetaKinds::All => true,
            MetaKinds::Of(group, version) => gvk.group.is_empty() || gvk.group == group && gvk.version == version,
            MetaKinds::Native => !OTHER_SCHEMES.contains(&gvk.group.as_str()),
        }
    }
}

/// Definitions by name, growing by reference.
#[derive(Default)]
pub struct Definitions<'a> {
    pub found: BTreeMap<Str, Definition<'a>>,
}

impl<'a> Definitions<'a> {
    /// Adds all that a path of a group version refers to.
    pub fn need_all(&mut self, source: &Source<'a>, builtin: &'a Schema, path: &Path, group_version: (&str, &str)) {
        let own = |d: &&'a Descriptor| !d.protobuf && group_version == (d.group.as_str(), d.version.as_str());
        for name in path.references() {
            self.need(builtin, name);
            source.descriptors.iter().map(|d| &**d).filter(own).for_each(|d| self.need_custom(builtin, d, name));
        }
    }

    /// Adds the definition with a name and all that it refers to.
    fn need(&mut self, schema: &'a Schema, name: &str) {
        if let Some(id) = schema.named(name) {
            self.need_type(schema, id);
        } else if let Some((name, ..)) = SPECIALS.iter().find(|(special, ..)| *special == name) {
            self.found.insert(Str::from(*name), Definition::Special(name));
        }
    }

    /// Adds a custom resource's definition and its list's when the name is that of one of them.
    fn need_custom(&mut self, builtin: &'a Schema, d: &'a Descriptor, name: &str) {
        let object = &d.schema.ty(d.type_id).name;
        if *object == name || custom::list_name(d) == name {
            self.found.insert(object.clone(), Definition::Custom(d));
            self.found.insert(custom::list_name(d).into(), Definition::CustomList(d));
            custom::NEEDED.iter().for_each(|name| self.need(builtin, name));
        }
    }

    fn need_type(&mut self, schema: &'a Schema, id: TypeId) {
        let ty = schema.ty(id);
        if SPECIALS.iter().any(|(name, ..)| *name == ty.name) {
            return self.need_special(&ty.name);
        }
        if self.found.insert(ty.name.clone(), Definition::Struct(schema, id)).is_none() {
            ty.fields.iter().for_each(|f| self.need_shape(schema, &f.shape));
        }
    }

    fn need_special(&mut self, name: &str) {
        if let Some((name, ..)) = SPECIALS.iter().find(|(special, ..)| *special == name) {
            self.found.insert(Str::from(*name), Definition::Special(name));
        }
    }

    fn need_shape(&mut self, schema: &'a Schema, shape: &Shape) {
        match shape {
            Shape::Object(id) => self.need_type(schema, *id),
            Shape::List(item) | Shape::Map(item) => self.need_shape(schema, item),
            other => special(other).into_iter().for_each(|name| self.need_special(name)),
        }
    }
}

impl Definition<'_> {
    pub fn write(&self, version: Version, descriptions: &Descriptions, meta_kinds: MetaKinds) -> Value {
        match self {
            Definition::Struct(schema, id) => {
                let ty = schema.ty(*id);
                let mut out = write_type(schema, ty, version, descriptions);
                write_kinds(&mut out, ty, if ty.name.starts_with(META) { meta_kinds } else { MetaKinds::All });
                out
            }
            Definition::Special(name) => write_special(name, version, descriptions),
            Definition::Custom(d) => custom::object(d, version, descriptions),
            Definition::CustomList(d) => custom::list(d, version, descriptions),
        }
    }
}

fn describe(out: &mut Value, description: Option<&str>) {
    if let Some(text) = description {
        out.set("description", text);
    }
}

fn write_special(name: &str, version: Version, descriptions: &Descriptions) -> Value {
    let mut out = Value::object();
    describe(&mut out, descriptions.ty(name));
    let Some((_, kind, format, alternatives)) = SPECIALS.iter().find(|(special, ..)| *special == name) else {
        return out;
    };
    if version == Version::V3 && !alternatives.is_empty() {
        let types: Vec<Value> = alternatives.iter().map(|t| value!({"type": t})).collect();
        out.set("oneOf", types);
    } else if !kind.is_empty() {
        out.set("type", *kind);
    }
    if !format.is_empty() {
        out.set("format", *format);
    }
    out
}

fn write_type(schema: &Schema, ty: &Type, version: Version, descriptions: &Descriptions) -> Value {
    let mut out = value!({"type": "object"});
    describe(&mut out, descriptions.ty(&ty.name));
    let required: Vec<Value> = ty.fields.iter().filter(|f| f.required).map(|f| Value::from(&f.name)).collect();
    if !required.is_empty() {
        out.set("required", required);
    }
    for field in &ty.fields {
        let property = write_field(schema, ty, field, version, descriptions);
        out.entry("properties").set(&field.name, property);
    }
    if ty.atomic {
        out.set("x-kubernetes-map-type", "atomic");
    }
    for (name, extension) in ty.rules.iter().flat_map(|r| r.source.entries()) {
        out.set(name, extension);
    }
    out
}

fn write_kinds(out: &mut Value, ty: &Type, which: MetaKinds) {
    let kind = |gvk: &Gvk| value!({"group": (&gvk.group), "version": (&gvk.version), "kind": (&gvk.kind)});
    let kinds: Vec<Value> = ty.gvks.iter().filter(|gvk| which.has(gvk)).map(kind).collect();
    if !kinds.is_empty() {
        out.set("x-kubernetes-group-version-kind", kinds);
    }
}

fn write_field(schema: &Schema, ty: &Type, field: &Field, version: Version, descriptions: &Descriptions) -> Value {
    let mut out = write_shape(schema, &field.shape, &field.enums, version);
    let mut description = descriptions.field(&ty.name, &field.name).unwrap_or_default().to_string();
    if !field.enums.is_empty() {
        describe_enum(&mut description, &field.enums);
    }
    let default = field.default.as_ref().filter(|_| version == Version::V3);
    if version == Version::V3 && out.get("$ref").is_some() && (default.is_some() || !description.is_empty()) {
        out = value!({"allOf": [out]});
    }
    describe(&mut out, Some(description.as_str()).filter(|d| !d.is_empty()));
    if let Some(default) = default {
        out.set("default", default);
    }
    write_markers(&mut out, field);
    out
}

fn write_markers(out: &mut Value, field: &Field) {
    let list = |items: &[Str]| Value::Array(items.iter().map(Value::from).collect());
    match &field.list_type {
        Some(ListType::Atomic) => out.set("x-kubernetes-list-type", "atomic"),
        Some(ListType::Set) => out.set("x-kubernetes-list-type", "set"),
        Some(ListType::Map(keys)) => {
            out.set("x-kubernetes-list-type", "map");
            out.set("x-kubernetes-list-map-keys", list(keys));
        }
        None => {}
    }
    if field.map_atomic {
        out.set("x-kubernetes-map-type", "atomic");
    }
    if !field.patch_strategies.is_empty() {
        out.set("x-kubernetes-patch-strategy", field.patch_strategies.join(","));
    }
    if let Some(key) = &field.patch_merge_key {
        out.set("x-kubernetes-patch-merge-key", key);
    }
    for (name, extension) in field.rules.iter().flat_map(|r| r.source.entries()) {
        out.set(name, extension);
    }
}

/// Upstream lists the values with the comments of their constants; the comments are not published anywhere else.
fn describe_enum(description: &mut String, values: &[Str]) {
    if description.contains("Possible enum values:") {
        return;
    }
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str("Possible enum values:");
    for value in values {
        description.push_str(&format!("\n - `\"{value}\"` "));
    }
}

fn write_shape(schema: &Schema, shape: &Shape, enums: &[Str], version: Version) -> Value {
    let simple = |kind: &str, format: &str| match format {
        "" => value!({"type": kind}),
        _ => value!({"type": kind, "format": format}),
    };
    match shape {
        Shape::String => {
            let mut out = simple("string", "");
            if !enums.is_empty() {
                out.set("enum", enums.iter().map(Value::from).collect::<Vec<_>>());
            }
            out
        }
        Shape::Bool => simple("boolean", ""),
        Shape::Int32 => simple("integer", "int32"),
        Shape::Int64 => simple("integer", "int64"),
        Shape::Float64 => simple("number", "double"),
        Shape::Bytes => simple("string", "byte"),
        Shape::Object(id) => version.reference(&schema.ty(*id).name),
        Shape::List(item) => value!({"type": "array", "items": (write_shape(schema, item, enums, version))}),
        Shape::Map(item) => {
            value!({"type": "object", "additionalProperties": (write_shape(schema, item, enums, version))})
        }
        Shape::Any => Value::object(),
        other => special(other).map_or_else(Value::object, |name| version.reference(name)),
    }
}
