//! A struct type as readers of its message need it: what each number means by a table, keys as JSON text, shapes without
//! indirection. Made from the [`Type`] when the first message of the type is read.

use crate::{Field, Presence, Schema, SchemaOther, Shape, Type, TypeId};

/// Keys up to this long, quotes and colon included, are held beside their field.
pub const SHORT_KEY: usize = 32;

/// How a struct's message and its JSON are laid out.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// In declaration order, which is the order of JSON output.
    pub fields: Box<[FieldLayout]>,
    /// Indexes of the fields that are there even when nobody set them, ascending.
    pub always: Box<[u16]>,
    /// Kind and apiVersion, when the type is the whole object of exactly one kind.
    pub kind: Option<(Box<str>, Box<str>)>,
    /// The first one is the message itself, the others are the structs embedded in it.
    scopes: Box<[Scope]>,
}

/// One field of a [`Layout`].
#[derive(Clone, Debug)]
pub struct FieldLayout {
    /// `"name":` and zeros behind it; all zeros when that does not fit.
    pub short_key: [u8; SHORT_KEY],
    pub short_key_len: u8,
    /// `"name":`.
    pub key: Box<[u8]>,
    pub presence: Presence,
    pub form: Form,
    /// Named `items`: objects in it say no kind of their own.
    pub is_items: bool,
}

/// How often a field's value occurs, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    One(Item),
    List(Item),
    /// A message around the list's items.
    Wrapped(Item),
    Map(Item),
    /// The values are messages around lists.
    MapOfLists(Item),
}

/// The shape of one value; see [`Shape`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item {
    Bool,
    Int32,
    Int64,
    Float64,
    String,
    Bytes,
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    /// Any JSON as it is: RawExtension, JSON, FieldsV1, and what has no type.
    Raw,
    SchemaOr(TypeId, SchemaOther),
    Object(TypeId),
    /// Not in any message: lists of lists.
    None,
}

/// What a number in a message stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Unknown,
    /// The index of a field.
    Field(u16),
    /// The message of an embedded struct, whose numbers [`Layout::meaning`] knows in this scope.
    Embed(usize),
}

/// Meanings by number.
#[derive(Clone, Debug, Default)]
struct Scope(Box<[Meaning]>);

/// Numbers beyond this one have no meaning. The largest in use is far below.
const NUMBER_MAX: u32 = 4096;

impl Layout {
    pub(crate) fn of(ty: &Type) -> Layout {
        let fields: Box<[FieldLayout]> = ty.fields.iter().map(FieldLayout::of).collect();
        let kind = match ty.gvks.as_slice() {
            [gvk] => Some((gvk.kind.as_str().into(), gvk.api_version().into())),
            _ => None,
        };
        let mut inlines = vec![0_u32];
        for field in &ty.fields {
            for inline in [field.inline & 0xffff, field.inline] {
                if !inlines.contains(&inline) {
                    inlines.push(inline);
                }
            }
        }
        let scopes = inlines.iter().map(|inline| Scope::of(ty, *inline, &inlines)).collect();
        Layout { fields, always: ty.always.clone().into(), kind, scopes }
    }

    /// What a number means in a scope; 0 is the message itself.
    #[inline]
    pub fn meaning(&self, scope: usize, number: u32) -> Meaning {
        let meanings = self.scopes.get(scope).map_or(&[][..], |scope| &scope.0);
        meanings.get(number as usize).copied().unwrap_or(Meaning::Unknown)
    }
}

impl Scope {
    /// `inline`: see [`Field::inline`]. Scopes are numbered as `inlines` are.
    fn of(ty: &Type, inline: u32, inlines: &[u32]) -> Scope {
        let mut scope = Vec::new();
        for (index, field) in ty.fields.iter().enumerate().filter(|(_, field)| field.number != 0) {
            let (outer, inner) = (field.inline & 0xffff, field.inline >> 16);
            let embed =
                |inline: u32| inlines.iter().position(|i| *i == inline).map_or(Meaning::Unknown, Meaning::Embed);
            let (number, meaning) = match inline {
                _ if field.inline == inline => (field.number, Meaning::Field(index as u16)),
                0 => (outer, embed(outer)),
                _ if inline == outer => (inner, embed(field.inline)),
                _ => continue,
            };
            if scope.len() <= number as usize {
                scope.resize(number.min(NUMBER_MAX) as usize + 1, Meaning::Unknown);
            }
            if let Some(slot) = scope.get_mut(number as usize) {
                *slot = meaning;
            }
        }
        Scope(scope.into())
    }
}

impl FieldLayout {
    fn of(field: &Field) -> FieldLayout {
        let key: Box<[u8]> = format!("\"{}\":", field.name).into_bytes().into();
        let mut short_key = [0; SHORT_KEY];
        let mut short_key_len = 0;
        if let Some(short) = short_key.get_mut(..key.len()) {
            short.copy_from_slice(&key);
            short_key_len = key.len() as u8;
        }
        let form = match &field.shape {
            Shape::List(item) if field.wrapped => Form::Wrapped(Item::of(item)),
            Shape::List(item) => Form::List(Item::of(item)),
            Shape::Map(item) => match &**item {
                Shape::List(inner) => Form::MapOfLists(Item::of(inner)),
                item => Form::Map(Item::of(item)),
            },
            shape => Form::One(Item::of(shape)),
        };
        FieldLayout { short_key, short_key_len, key, presence: field.presence, form, is_items: field.name == "items" }
    }
}

impl Item {
    fn of(shape: &Shape) -> Item {
        match shape {
            Shape::Bool => Item::Bool,
            Shape::Int32 => Item::Int32,
            Shape::Int64 => Item::Int64,
            Shape::Float64 => Item::Float64,
            Shape::String => Item::String,
            Shape::Bytes => Item::Bytes,
            Shape::Time => Item::Time,
            Shape::MicroTime => Item::MicroTime,
            Shape::Duration => Item::Duration,
            Shape::Quantity => Item::Quantity,
            Shape::IntOrString => Item::IntOrString,
            Shape::RawExtension | Shape::Json | Shape::FieldsV1 | Shape::Any => Item::Raw,
            Shape::SchemaOr { object, other } => Item::SchemaOr(*object, *other),
            Shape::Object(id) => Item::Object(*id),
            Shape::List(_) | Shape::Map(_) => Item::None,
        }
    }
}

impl Schema {
    /// The layout of a type.
    pub fn layout(&self, id: TypeId) -> &Layout {
        let at = id.0 as usize;
        self.layouts[at].get_or_init(|| Box::new(Layout::of(&self.types[at])))
    }
}
