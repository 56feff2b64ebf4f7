//! The compiled schema: one description of every type, read by all codecs, by patch and apply, by defaulting,
//! structural validation and OpenAPI. Built-in types are loaded from imported facts ([`builtin`]); a
//! CustomResourceDefinition's types are compiled at run time into the same form.

mod builtin;
mod copy;
pub mod facts;
pub mod layout;

pub use builtin::builtin;

use meta::{Gvk, Str, Value};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A set of types that refer to one another.
#[derive(Debug, Default)]
pub struct Schema {
    types: Vec<Type>,
    /// By type; see [`Schema::layout`].
    layouts: Vec<OnceLock<Box<layout::Layout>>>,
    by_name: HashMap<Str, TypeId>,
    by_gvk: HashMap<Gvk, TypeId>,
}

/// A type within its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeId(pub u32);

/// A struct type.
#[derive(Clone, Debug, Default)]
pub struct Type {
    /// OpenAPI's name: `io.k8s.api.apps.v1.DeploymentSpec`.
    pub name: Str,
    /// Go's name, for upstream's messages: `DeploymentSpec`.
    pub go_name: Str,
    /// The kinds that this type is, when it is a whole object.
    pub gvks: Vec<Gvk>,
    /// In declaration order, which is the order of JSON output.
    pub fields: Vec<Field>,
    /// Indexes into `fields`, sorted by JSON name.
    pub by_name: Vec<u16>,
    /// Indexes into `fields` by a hash of the JSON name, for [`Type::field_index`]; one more than the index, 0 for an empty slot.
    pub by_hash: Vec<u16>,
    /// Indexes into `fields`, sorted by (inline, number): the order of protobuf output.
    pub by_number: Vec<u16>,
    /// Indexes into `fields` of those that are there even when nobody set them ([`Presence::Always`], [`Presence::Nullable`]).
    pub always: Vec<u16>,
    /// Server-side apply replaces the whole struct (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// Fields that are not declared are kept (custom resources, `x-kubernetes-preserve-unknown-fields`).
    pub preserve_unknown: bool,
    /// What OpenAPI says beyond the fields; custom resources' value rules.
    pub rules: Option<Box<Rules>>,
}

/// One field of a struct type.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// The JSON name.
    pub name: Str,
    /// The protobuf number; 0 when the type has no protobuf form.
    pub number: u32,
    /// For a field of an embedded struct that JSON flattens (`Volume.hostPath`): the number of the protobuf message that holds it; else 0.
    /// An embed within an embed (`NamedRuleWithOperations.apiGroups`) has the inner number in the high 16 bits. See [`Field::path`].
    pub inline: u32,
    /// Go gives the list (or each list in the map) a type of its own, which protobuf wraps in a message {1: items}:
    /// `map[string]ExtraValue`, `Verbs`.
    pub wrapped: bool,
    pub shape: Shape,
    /// OpenAPI lists it as required.
    pub required: bool,
    /// Go's presence rule, which decides what is written when the value is zero.
    pub presence: Presence,
    /// The published default, OpenAPI's `default` (also `{}`, `""`, `0` as upstream publishes them).
    pub default: Option<Value>,
    /// The values OpenAPI lists.
    pub enums: Vec<Str>,
    /// How server-side apply sees a list or map; see [`ListType`].
    pub list_type: Option<ListType>,
    /// `x-kubernetes-map-type: atomic` on the field.
    pub map_atomic: bool,
    /// Strategic merge patch: `merge`, `replace`, `retainKeys`.
    pub patch_strategies: Vec<Str>,
    /// Strategic merge patch: the key of a merged list's items.
    pub patch_merge_key: Option<Str>,
    /// Go's name of the strings in it when that is not "string" (`v1.SecretType`): errors of strategic merge patches name it.
    pub go_type: Option<Str>,
    /// Explicit null is a value and stays (custom resources' `nullable`).
    pub nullable: bool,
    pub rules: Option<Box<Rules>>,
}

/// When a field is written, after Go's `omitempty`, `omitzero` and pointer rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// A pointer with omitempty: written when set, whatever the value.
    #[default]
    Pointer,
    /// A pointer without omitempty: written as null when not set.
    Nullable,
    /// `omitempty` and no pointer: a zero scalar, empty list or empty map is left out. Of structs, only `omitzero` ones.
    OmitEmpty,
    /// No pointer, and no `omitempty` or one that Go ignores because the field is a struct: always written. Nil lists, maps,
    /// bytes, raw values and zero times as null, other structs as `{}`, zero quantities as "0".
    Always,
}

/// The form of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    Bool,
    Int32,
    Int64,
    Float64,
    String,
    /// base64 in JSON, bytes in protobuf.
    Bytes,
    /// RFC 3339 to the second; message {seconds, nanos}.
    Time,
    /// RFC 3339 with six digits; message {seconds, nanos}.
    MicroTime,
    /// Go duration text in JSON; message {nanoseconds}.
    Duration,
    /// A string, or number on input; message {1: string}.
    Quantity,
    /// An integer or string; message {type, intVal, strVal}.
    IntOrString,
    /// Any object (`runtime.RawExtension`); message {1: raw JSON or protobuf bytes}.
    RawExtension,
    /// Any JSON (`apiextensions JSON`); message {1: raw bytes}.
    Json,
    /// managedFields' set; message {1: raw bytes}.
    FieldsV1,
    /// `JSONSchemaPropsOrBool` and its kin: a schema, or something smaller. The struct is the schema's type.
    SchemaOr {
        object: TypeId,
        other: SchemaOther,
    },
    Object(TypeId),
    List(Box<Shape>),
    /// String keys.
    Map(Box<Shape>),
    /// A custom resource's value without a declared type; anything goes.
    #[default]
    Any,
}

/// What a [`Shape::SchemaOr`] may be instead of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaOther {
    Bool,
    SchemaArray,
    StringArray,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Debug, PartialEq)]
pub enum ListType {
    Atomic,
    Set,
    /// The keys in published order.
    Map(Vec<Str>),
}

/// A custom resource's rules on a value, from its structural schema.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The schema node as written, for OpenAPI and for the rules that are read from it.
    pub source: Value,
    /// `x-kubernetes-embedded-resource`.
    pub embedded: bool,
}

impl Schema {
    /// An empty schema with room for a number of types.
    pub fn with_capacity(types: usize) -> Schema {
        Schema {
            types: Vec::with_capacity(types),
            layouts: Vec::with_capacity(types),
            by_name: HashMap::with_capacity(types),
            by_gvk: HashMap::with_capacity(types),
        }
    }

    /// Adds a type and returns its id; its lookup tables are built here.
    pub fn add(&mut self, mut ty: Type) -> TypeId {
        let id = TypeId(self.types.len() as u32);
        ty.index();
        self.by_name.insert(ty.name.clone(), id);
        for gvk in &ty.gvks {
            self.by_gvk.insert(gvk.clone(), id);
        }
        self.types.push(ty);
        self.layouts.push(OnceLock::new());
        id
    }

    /// Replaces the type at `id`: for types that refer to each other in a circle.
    pub fn replace(&mut self, id: TypeId, mut ty: Type) {
        ty.index();
        for gvk in &ty.gvks {
            self.by_gvk.insert(gvk.clone(), id);
        }
        if let Some(slot) = self.types.get_mut(id.0 as usize) {
            *slot = ty;
            self.layouts[id.0 as usize] = OnceLock::new();
        }
    }

    /// The type of an id of this schema.
    pub fn ty(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// The type with OpenAPI's name.
    pub fn named(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// The type of a kind.
    pub fn kind(&self, gvk: &Gvk) -> Option<TypeId> {
        self.by_gvk.get(gvk).copied()
    }

    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        self.types.iter().enumerate().map(|(i, t)| (TypeId(i as u32), t))
    }
}

impl Type {
    fn index(&mut self) {
        let mut names: Vec<u16> = (0..self.fields.len() as u16).collect();
        let mut numbers = names.clone();
        names.sort_by(|a, b| self.fields[*a as usize].name.cmp(&self.fields[*b as usize].name));
        numbers.sort_by(|a, b| self.fields[*a as usize].path().cmp(self.fields[*b as usize].path()));
        let always = |i: &u16| {
            let presence = self.fields.get(usize::from(*i)).map(|f| f.presence);
            matches!(presence, Some(Presence::Always | Presence::Nullable))
        };
        self.always = (0..self.fields.len() as u16).filter(always).collect();
        // At least twice as many slots as fields, a power of two: a name that is none meets an empty slot soon.
        let slots = (names.len() * 2 + 1).next_power_of_two();
        self.by_hash = vec![0; slots];
        for (i, field) in self.fields.iter().enumerate() {
            let mut slot = hash(&field.name) & (slots - 1);
            while self.by_hash[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.by_hash[slot] = i as u16 + 1;
        }
        self.by_name = names;
        self.by_number = numbers;
    }

    /// The field with a JSON name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(self.field_index(name)?)
    }

    /// The position in `fields` of the field with a JSON name.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        let mask = self.by_hash.len().checked_sub(1)?;
        let mut slot = hash(name) & mask;
        loop {
            let index = usize::from(*self.by_hash.get(slot)?).checked_sub(1)?;
            if self.fields.get(index)?.name == name {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Tells the names of one type apart by their length, beginning and end.
fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let at = |i: usize| bytes.get(i).copied().map_or(0, usize::from);
    let (middle, last) = (bytes.len() / 2, bytes.len().wrapping_sub(1));
    let mixed =
        at(0) | at(1) << 8 | at(middle) << 16 | at(last) << 24 | at(last.wrapping_sub(3)) << 32 | bytes.len() << 40;
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

impl Field {
    /// The numbers that lead to the field in protobuf: its own, after those of the embedded messages that hold it.
    pub fn path(&self) -> impl Iterator<Item = u32> {
        let embeds = [self.inline & 0xffff, self.inline >> 16];
        embeds.into_iter().filter(|n| *n != 0).chain([self.number])
    }
}
