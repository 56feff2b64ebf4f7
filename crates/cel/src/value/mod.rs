//! Values of expressions. What comes from a tree of [`meta::Value`] is borrowed from it and wrapped when it is looked at.

pub(crate) mod compare;
mod list;
mod map;
mod text;

pub use list::{List, ListKind};
pub use map::Map;
pub(crate) use map::{Key, Owned};
pub use text::Text;

use crate::eval::Failed;
use crate::library::Opaque;
use crate::schema::Node;
use crate::types::Type;
use std::fmt;
use std::rc::Rc;

/// A moment: seconds since 1970 and nanoseconds after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub seconds: i64,
    pub nanos: u32,
}

/// An object whose fields are made when they are asked for.
pub trait Fields<'a> {
    /// The name of its type.
    fn type_name(&self) -> &str;

    fn has(&self, field: &str) -> bool;

    /// The value of a field; `None` when there is none.
    ///
    /// # Errors
    /// When the field has no value because making it failed.
    fn get(&self, field: &str) -> Option<Result<Value<'a>, Failed>>;
}

/// A value. Cheap to clone.
#[derive(Clone)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Text<'a>),
    Bytes(Rc<[u8]>),
    Timestamp(Moment),
    /// Nanoseconds.
    Duration(i64),
    List(List<'a>),
    Map(Map<'a>),
    /// An object that an expression made: the name of its type, and its fields in the order they were written.
    Struct(Rc<Struct<'a>>),
    Fields(Rc<dyn Fields<'a> + 'a>),
    Optional(Option<Rc<Value<'a>>>),
    Type(Type),
    /// A value of one of Kubernetes' libraries.
    Opaque(Rc<Opaque<'a>>),
    /// Data of which the schema says nothing: it can be compared and no more.
    Preserved(&'a meta::Value),
}

pub struct Struct<'a> {
    pub name: Rc<str>,
    pub fields: Vec<(Rc<str>, Value<'a>)>,
}

impl<'a> Value<'a> {
    /// Data without a schema.
    pub fn data(value: &'a meta::Value) -> Value<'a> {
        match value {
            meta::Value::Null => Value::Null,
            meta::Value::Bool(b) => Value::Bool(*b),
            meta::Value::Int(n) => Value::Int(*n),
            meta::Value::Float(n) => Value::Double(*n),
            meta::Value::String(text) => Value::String(Text::Borrowed(text)),
            meta::Value::Array(items) => Value::List(List::data(items, None, ListKind::Atomic)),
            meta::Value::Object(map) => Value::Map(Map::data(map, crate::schema::Members::Untyped)),
            meta::Value::Raw(raw) => Value::data(raw.tree()),
        }
    }

    /// Data of which a schema says what it is.
    pub fn typed(value: &'a meta::Value, node: &'a Node) -> Value<'a> {
        crate::schema::typed(value, node)
    }

    pub fn string(text: impl Into<String>) -> Value<'a> {
        Value::String(Text::Owned(text.into().into()))
    }

    pub fn list(items: Vec<Value<'a>>) -> Value<'a> {
        Value::List(List::owned(items))
    }

    pub fn optional(of: Option<Value<'a>>) -> Value<'a> {
        Value::Optional(of.map(Rc::new))
    }

    pub(crate) fn opaque(of: Opaque<'a>) -> Value<'a> {
        Value::Opaque(Rc::new(of))
    }

    /// What decides for the user of a request, as the variable `authorizer`.
    pub fn authorizer(authorizer: &'a dyn crate::library::Authorizer) -> Value<'a> {
        Value::opaque(Opaque::authorizer(authorizer))
    }

    /// A question for access to one resource that is asked in part, as the variable `authorizer.requestResource`.
    pub fn resource_check(
        authorizer: &'a dyn crate::library::Authorizer,
        question: crate::library::Question,
    ) -> Value<'a> {
        Value::opaque(Opaque::resource_check(authorizer, question))
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<Vec<Value<'a>>> {
        match self {
            Value::List(list) => Some(list.iter().collect()),
            _ => None,
        }
    }

    /// A copy as data; `None` for what data cannot be, like an authorizer.
    pub fn to_data(&self) -> Option<meta::Value> {
        Some(match self {
            Value::Null => meta::Value::Null,
            Value::Bool(b) => meta::Value::Bool(*b),
            Value::Int(n) => meta::Value::Int(*n),
            Value::Uint(n) => meta::Value::Int(i64::try_from(*n).ok()?),
            Value::Double(n) => meta::Value::Float(*n),
            Value::String(text) => meta::Value::from(&**text),
            Value::List(list) => meta::Value::Array(list.iter().map(|item| item.to_data()).collect::<Option<_>>()?),
            Value::Map(map) => {
                let entries = map.iter().map(|(key, value)| Some((key.as_str()?.into(), value.to_data()?)));
                meta::Value::Object(entries.collect::<Option<_>>()?)
            }
            Value::Struct(object) => {
                let fields = object.fields.iter().map(|(name, value)| Some(((&**name).into(), value.to_data()?)));
                meta::Value::Object(fields.collect::<Option<_>>()?)
            }
            Value::Optional(of) => match of {
                Some(of) => of.to_data()?,
                None => return None,
            },
            Value::Preserved(value) => (*value).clone(),
            Value::Timestamp(moment) => meta::Value::from(crate::library::format_timestamp(*moment)),
            Value::Duration(nanos) => meta::Value::from(crate::library::format_duration(*nanos)),
            Value::Bytes(_) | Value::Fields(_) | Value::Type(_) | Value::Opaque(_) => return None,
        })
    }

    /// The type, as `type(value)` gives it.
    pub fn type_of(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Uint(_) => Type::Uint,
            Value::Double(_) => Type::Double,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::Timestamp(_) => Type::Timestamp,
            Value::Duration(_) => Type::Duration,
            Value::List(_) => Type::list(Type::Dyn),
            Value::Map(map) => match map.object_name() {
                Some(name) => Type::object(name),
                None => Type::map(Type::Dyn, Type::Dyn),
            },
            Value::Struct(object) => Type::object(&object.name),
            Value::Fields(fields) => Type::object(fields.type_name()),
            Value::Optional(_) => Type::optional(Type::Dyn),
            Value::Type(_) => Type::of_type(Type::Dyn),
            Value::Opaque(of) => of.type_of(),
            Value::Preserved(_) => Type::object("unknown"),
        }
    }

    /// The size, in upstream's units of cost: characters, bytes, elements; 1 for all else.
    pub(crate) fn size(&self) -> u64 {
        let size = match self {
            Value::String(text) => text.chars().count(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            Value::Optional(Some(of)) => return of.size(),
            Value::Opaque(of) => return of.size(),
            _ => 1,
        };
        u64::try_from(size).unwrap_or(u64::MAX)
    }

    /// Whether the value is what a field of its type has when nobody sets it.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Bool(b) => !b,
            Value::Int(n) => *n == 0,
            Value::Uint(n) => *n == 0,
            Value::Double(n) => *n == 0.0,
            Value::String(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Map(map) => map.is_empty(),
            Value::Duration(nanos) => *nanos == 0,
            Value::Optional(of) => of.is_none(),
            Value::Struct(object) => object.fields.is_empty(),
            _ => false,
        }
    }

    pub(crate) fn shape_of(node: Option<&'a Node>, value: &'a meta::Value) -> Value<'a> {
        match node {
            Some(node) => Value::typed(value, node),
            None => Value::data(value),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Uint(n) => write!(f, "{n}u"),
            Value::Double(n) => write!(f, "{n:?}"),
            Value::String(text) => write!(f, "{:?}", &**text),
            Value::Bytes(bytes) => write!(f, "b{:?}", String::from_utf8_lossy(bytes)),
            Value::Timestamp(moment) => write!(f, "timestamp({})", crate::library::format_timestamp(*moment)),
            Value::Duration(nanos) => write!(f, "duration({})", crate::library::format_duration(*nanos)),
            Value::List(list) => f.debug_list().entries(list.iter()).finish(),
            Value::Map(map) => f.debug_map().entries(map.iter()).finish(),
            Value::Struct(object) => {
                write!(f, "{}", object.name)?;
                f.debug_map().entries(object.fields.iter().map(|(name, value)| (name, value))).finish()
            }
            Value::Fields(fields) => write!(f, "{}{{…}}", fields.type_name()),
            Value::Optional(None) => f.write_str("optional.none()"),
            Value::Optional(Some(of)) => write!(f, "optional.of({of:?})"),
            Value::Type(of) => f.write_str(&of.runtime_name()),
            Value::Opaque(of) => write!(f, "{of:?}"),
            Value::Preserved(value) => write!(f, "{value:?}"),
        }
    }
}
