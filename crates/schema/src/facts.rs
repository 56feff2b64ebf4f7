//! Reading the facts of the built-in types.
//!
//! `facts/builtin.facts` is text, so that a new Kubernetes version is a reviewable difference. One fact per line:
//!
//! ```text
//! package apps.v1 io.k8s.api.apps.v1 apps/v1
//! type Deployment kind
//!  metadata 1 meta.v1.ObjectMeta always
//!  spec 2 DeploymentSpec always
//! ```
//!
//! - `package ALIAS NAME GROUP-VERSION`: the types that follow belong to it; other packages name them `ALIAS.Type`.
//! - `type NAME WORD…`: `kind` has `kind` and `apiVersion` and is that kind of the package's version; `typemeta` has the
//!   two fields only; `gvks:…` lists the kinds; `atomic`; `union:DISCRIMINATOR:FIELD=VALUE,…`.
//! - ` NAME NUMBER SHAPE PRESENCE WORD…`: a field. NUMBER `1.5` is field 5 of the message that is embedded as field 1.
//!   PRESENCE is `ptr`, `nil`, `omit` or `always` (see [`Presence`]). Words: `req`, `=DEFAULT` as JSON, `list:atomic`,
//!   `list:set`, `list:map:KEYS`, `mapatomic`, `mapgranular`, `patch:…`, `key:…`, `wrapped`, `go:TYPE`; last `enum:…`, whose values may have spaces.
//!
//! What follows from these is not written down: a field that is always written publishes its zero value as default.

use crate::{Field, ListType, Presence, Rules, Schema, SchemaOther, Shape, Type, TypeId};
use meta::{Gvk, Str, Value};
use std::collections::HashMap;

/// The schema that the facts describe, or the first line that cannot be read and why.
pub fn read(facts: &str) -> Result<Schema, String> {
    let mut reader = Reader::default();
    reader.name_types(facts)?;
    let mut schema = Schema::with_capacity(reader.ids.len());
    for line in facts.lines() {
        reader.read(line, &mut schema).map_err(|why| format!("{why}: {line}"))?;
    }
    reader.finish(&mut schema);
    Ok(schema)
}

#[derive(Default)]
struct Reader<'a> {
    /// Packages by alias.
    packages: HashMap<&'a str, u16>,
    /// Types by package and name, in order of appearance.
    ids: HashMap<(u16, &'a str), TypeId>,
    package: u16,
    package_name: &'a str,
    api_version: &'a str,
    /// How many fields each type lists, by id: what is kept for the life of the process has no room to spare.
    field_counts: Vec<usize>,
    /// The type whose fields are being read.
    open: Option<Type>,
}

impl<'a> Reader<'a> {
    /// Gives every type its id, so that fields may refer to types further down.
    fn name_types(&mut self, facts: &'a str) -> Result<(), String> {
        let mut package = 0;
        for line in facts.lines() {
            if line.starts_with(' ') {
                *self.field_counts.last_mut().ok_or("a field without a type")? += 1;
                continue;
            }
            let mut words = line.split(' ');
            match (words.next(), words.next()) {
                (Some("package"), Some(alias)) => {
                    package = self.packages.len() as u16;
                    self.packages.insert(alias, package);
                }
                (Some("type"), Some(name)) => {
                    let id = TypeId(self.ids.len() as u32);
                    self.field_counts.push(0);
                    if self.ids.insert((package, name), id).is_some() {
                        return Err(format!("type twice: {line}"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read(&mut self, line: &'a str, schema: &mut Schema) -> Result<(), String> {
        if let Some(field) = line.strip_prefix(' ') {
            let field = self.field(field)?;
            self.open.as_mut().ok_or("a field without a type")?.fields.push(field);
            return Ok(());
        }
        let mut words = line.split(' ');
        match words.next() {
            Some("package") => {
                self.finish(schema);
                let alias = words.next().ok_or("a package without alias")?;
                self.package = *self.packages.get(alias).ok_or("an unknown package")?;
                self.package_name = words.next().ok_or("a package without name")?;
                self.api_version = words.next().ok_or("a package without group and version")?;
            }
            Some("type") => {
                self.finish(schema);
                let name = words.next().ok_or("a type without name")?;
                self.open = Some(self.ty(schema.types.len(), name, words)?);
            }
            _ => return Err("neither package, type nor field".into()),
        }
        Ok(())
    }

    /// Adds the type that was being read; ids are given in the same order as [`Reader::name_types`] did.
    fn finish(&mut self, schema: &mut Schema) {
        if let Some(ty) = self.open.take() {
            schema.add(ty);
        }
    }

    fn ty(&self, id: usize, name: &str, words: impl Iterator<Item = &'a str>) -> Result<Type, String> {
        let mut full = Str::with_capacity(self.package_name.len() + 1 + name.len());
        full.push_str(self.package_name);
        full.push('.');
        full.push_str(name);
        let field_count = self.field_counts.get(id).copied().unwrap_or_default() + TYPE_META_FIELDS;
        let fields = Vec::with_capacity(field_count);
        let mut ty = Type { name: full, go_name: name.into(), fields, ..Type::default() };
        let mut unions = Vec::new();
        for word in words {
            match word.split_once(':').unwrap_or((word, "")) {
                ("kind", _) => {
                    ty.gvks.push(Gvk::from_api_version(self.api_version, name));
                    ty.fields.extend(type_meta());
                }
                ("typemeta", _) => ty.fields.extend(type_meta()),
                ("gvks", list) => ty.gvks.extend(list.split(',').map(|v| Gvk::from_api_version(v, name))),
                ("atomic", _) => ty.atomic = true,
                ("union", text) => unions.push(union(text)?),
                _ => return Err(format!("unknown word {word}")),
            }
        }
        if !unions.is_empty() {
            ty.rules = Some(extension("x-kubernetes-unions", Value::Array(unions)));
        }
        Ok(ty)
    }

    fn field(&self, line: &'a str) -> Result<Field, String> {
        let (line, enums) = line.split_once(" enum:").unwrap_or((line, ""));
        let mut words = line.split(' ');
        let mut next = || words.next().ok_or("a field line too short");
        let (name, number, shape, presence) = (next()?, next()?, next()?, next()?);
        let (inline, number) = number_path(number)?;
        let shape = self.shape(shape)?;
        let presence = match presence {
            "ptr" => Presence::Pointer,
            "nil" => Presence::Nullable,
            "omit" => Presence::OmitEmpty,
            "always" => Presence::Always,
            _ => return Err("unknown presence".into()),
        };
        let default = zero_default(&shape, presence);
        let mut field = Field { name: name.into(), number, inline, shape, presence, default, ..Field::default() };
        for word in words {
            field_word(&mut field, word)?;
        }
        field.enums = enums.split_terminator(',').map(Str::from).collect();
        Ok(field)
    }

    fn shape(&self, text: &str) -> Result<Shape, String> {
        if let Some(item) = text.strip_prefix("[]") {
            return Ok(Shape::List(Box::new(self.shape(item)?)));
        }
        if let Some(item) = text.strip_prefix("map:") {
            return Ok(Shape::Map(Box::new(self.shape(item)?)));
        }
        if let Some((_, scalar)) = SHAPES.iter().find(|(name, _)| *name == text) {
            return Ok(scalar.clone());
        }
        if let Some(other) = text.strip_prefix("schema|") {
            let object = self.object("JSONSchemaProps")?;
            let other = match other {
                "bool" => SchemaOther::Bool,
                "array" => SchemaOther::SchemaArray,
                "strings" => SchemaOther::StringArray,
                _ => return Err(format!("unknown shape {text}")),
            };
            return Ok(Shape::SchemaOr { object, other });
        }
        self.object(text).map(Shape::Object)
    }

    fn object(&self, text: &str) -> Result<TypeId, String> {
        let (package, name) = match text.rsplit_once('.') {
            None => (Some(&self.package), text),
            Some((alias, name)) => (self.packages.get(alias), name),
        };
        package.and_then(|p| self.ids.get(&(*p, name))).copied().ok_or_else(|| format!("unknown type {text}"))
    }
}

/// Words for the shapes that refer to no type.
const SHAPES: &[(&str, Shape)] = &[
    ("string", Shape::String),
    ("bool", Shape::Bool),
    ("int32", Shape::Int32),
    ("int64", Shape::Int64),
    ("time", Shape::Time),
    ("bytes", Shape::Bytes),
    ("quantity", Shape::Quantity),
    ("intorstring", Shape::IntOrString),
    ("float64", Shape::Float64),
    ("microtime", Shape::MicroTime),
    ("duration", Shape::Duration),
    ("rawextension", Shape::RawExtension),
    ("json", Shape::Json),
    ("fieldsv1", Shape::FieldsV1),
    ("any", Shape::Any),
];

const TYPE_META_FIELDS: usize = 2;

/// Go declares `kind` before `apiVersion`, so that is the order of JSON.
fn type_meta() -> [Field; TYPE_META_FIELDS] {
    ["kind", "apiVersion"].map(|name| Field {
        name: name.into(),
        shape: Shape::String,
        presence: Presence::OmitEmpty,
        ..Field::default()
    })
}

/// The packed path of embedded messages and the number: "5", "1.5", "2.2.1".
fn number_path(text: &str) -> Result<(u32, u32), String> {
    let mut numbers = text.split('.').map(|n| n.parse::<u16>().map(u32::from).map_err(|_| "a number that is none"));
    match (numbers.next().transpose()?, numbers.next().transpose()?, numbers.next().transpose()?) {
        (Some(number), None, _) => Ok((0, number)),
        (Some(outer), Some(number), None) => Ok((outer, number)),
        (Some(outer), Some(inner), Some(number)) => Ok((outer | inner << 16, number)),
        _ => Err("a field without number".into()),
    }
}

/// What upstream publishes as default of a field without `+default`: the zero of what is always written.
fn zero_default(shape: &Shape, presence: Presence) -> Option<Value> {
    if presence != Presence::Always {
        return None;
    }
    match shape {
        Shape::Object(_) => Some(Value::object()),
        Shape::String => Some("".into()),
        Shape::Int32 | Shape::Int64 => Some(Value::Int(0)),
        Shape::Bool => Some(Value::Bool(false)),
        _ => None,
    }
}

fn field_word(field: &mut Field, word: &str) -> Result<(), String> {
    if let Some(default) = word.strip_prefix('=') {
        field.default = Some(scalar(default)?);
        return Ok(());
    }
    match word.split_once(':').unwrap_or((word, "")) {
        ("req", _) => field.required = true,
        ("list", list) => field.list_type = Some(list_type(list)?),
        ("mapatomic", _) => field.map_atomic = true,
        ("mapgranular", _) => field.rules = Some(extension("x-kubernetes-map-type", "granular".into())),
        ("patch", list) => field.patch_strategies = list.split(',').map(Str::from).collect(),
        ("key", key) => field.patch_merge_key = Some(key.into()),
        ("wrapped", _) => field.wrapped = true,
        ("go", name) => field.go_type = Some(name.into()),
        _ => return Err(format!("unknown word {word}")),
    }
    Ok(())
}

fn list_type(text: &str) -> Result<ListType, String> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("atomic", _) => Ok(ListType::Atomic),
        ("set", _) => Ok(ListType::Set),
        ("map", keys) => Ok(ListType::Map(keys.split(',').map(Str::from).collect())),
        _ => Err(format!("unknown list type {text}")),
    }
}

/// A default: a JSON scalar, whose strings need no escapes.
fn scalar(text: &str) -> Result<Value, String> {
    match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "{}" => Ok(Value::object()),
        _ => match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(text) => Ok(text.into()),
            None => text.parse().map(Value::Int).map_err(|_| format!("unknown default {text}")),
        },
    }
}

/// `DISCRIMINATOR:FIELD=VALUE,…` as OpenAPI's extension writes it.
fn union(text: &str) -> Result<Value, String> {
    let (discriminator, fields) = text.split_once(':').ok_or("a union without fields")?;
    let mut out = Value::object();
    if !discriminator.is_empty() {
        out.set("discriminator", discriminator);
    }
    for field in fields.split(',') {
        let (name, value) = field.split_once('=').ok_or("a union's field without value")?;
        out.entry("fields-to-discriminateBy").set(name, value);
    }
    Ok(out)
}

fn extension(name: &str, value: Value) -> Box<Rules> {
    let mut source = Value::object();
    source.set(name, value);
    Box::new(Rules { source, embedded: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_fields(fields: &str) -> Result<Type, String> {
        let facts = format!("package x.v1 io.x.v1 x.io/v1\ntype Part\ntype Thing kind\n{fields}");
        read(&facts).map(|schema| schema.ty(schema.named("io.x.v1.Thing").expect("Thing")).clone())
    }

    #[test]
    fn a_field_line_says_everything_about_a_field() {
        let line = " parts 1.5 []Part omit req list:map:a,b patch:merge,retainKeys key:a enum:one,two words\n";
        let ty = read_fields(line).expect("good facts");
        let field = ty.field("parts").expect("parts");
        assert_eq!(field.path().collect::<Vec<_>>(), [1, 5]);
        assert_eq!((field.presence, field.required), (Presence::OmitEmpty, true));
        assert_eq!(field.list_type, Some(ListType::Map(vec!["a".into(), "b".into()])));
        assert_eq!(field.patch_strategies, ["merge", "retainKeys"]);
        assert_eq!(
            (field.patch_merge_key.as_deref(), field.enums.as_slice()),
            (Some("a"), ["one".into(), "two words".into()].as_slice())
        );
        assert_eq!(ty.gvks, [Gvk::new("x.io", "v1", "Thing")]);
        assert_eq!(ty.fields[0].name, "kind");
    }

    #[test]
    fn what_is_always_written_defaults_to_its_zero() {
        let lines =
            " a 1 string always\n b 2 int32 ptr\n c 3 Part always\n d 4 bool always =true\n e 5 []string always\n";
        let ty = read_fields(lines).expect("good facts");
        let default = |name: &str| ty.field(name).and_then(|f| f.default.clone());
        assert_eq!(default("a"), Some("".into()));
        assert_eq!(default("b"), None);
        assert_eq!(default("c"), Some(Value::object()));
        assert_eq!(default("d"), Some(Value::Bool(true)));
        assert_eq!(default("e"), None);
    }

    #[test]
    fn bad_lines_are_named() {
        let cases = [
            (" a 1 string", "a field line too short"),
            (" a x string omit", "a number that is none"),
            (" a 1 Nothing omit", "unknown type Nothing"),
            (" a 1 string sometimes", "unknown presence"),
            (" a 1 string omit list:bag", "unknown list type bag"),
            (" a 1 string omit huh", "unknown word huh"),
            (" a 1 string omit =1.5", "unknown default 1.5"),
            ("type Thing", "type twice"),
            ("nonsense", "neither package, type nor field"),
        ];
        for (line, why) in cases {
            let error = read_fields(line).expect_err(line);
            assert!(error.contains(why) && error.contains(line.trim()), "{line}: {error}");
        }
    }
}
