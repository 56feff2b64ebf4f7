//! Types of expressions and values.

use std::fmt;
use std::sync::Arc;

/// A type. `Display` is how messages name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// Not known until the expression runs; fits everything.
    Dyn,
    /// The same, where upstream says `any`: loops do not go over it.
    Any,
    /// Of what is wrong and was reported; fits everything, so that one mistake is reported once.
    Error,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Arc<Type>),
    Map(Arc<(Type, Type)>),
    /// A type with fields, by its name.
    Object(Arc<str>),
    /// A type without fields: its name and parameters.
    Opaque(Arc<str>, Arc<[Type]>),
    /// The type of a type.
    Type(Arc<Type>),
    /// A type still to be found, by its number.
    Param(u32),
}

/// How optional types are called.
pub const OPTIONAL: &str = "optional_type";

impl Type {
    pub fn list(items: Type) -> Type {
        Type::List(Arc::new(items))
    }

    pub fn map(keys: Type, values: Type) -> Type {
        Type::Map(Arc::new((keys, values)))
    }

    pub fn object(name: &str) -> Type {
        Type::Object(name.into())
    }

    pub fn opaque(name: &str) -> Type {
        Type::Opaque(name.into(), Arc::new([]))
    }

    pub fn optional(of: Type) -> Type {
        Type::Opaque(OPTIONAL.into(), Arc::new([of]))
    }

    pub fn of_type(of: Type) -> Type {
        Type::Type(Arc::new(of))
    }

    /// What an optional type is an option of.
    pub fn unwrapped(&self) -> Option<&Type> {
        match self {
            Type::Opaque(name, parameters) if &**name == OPTIONAL => parameters.first(),
            _ => None,
        }
    }

    pub fn is_dyn(&self) -> bool {
        matches!(self, Type::Dyn | Type::Any)
    }

    pub fn is_dyn_or_error(&self) -> bool {
        matches!(self, Type::Dyn | Type::Any | Type::Error)
    }

    /// The types this one is made of.
    pub fn parameters(&self) -> Vec<&Type> {
        match self {
            Type::List(items) => vec![items],
            Type::Map(both) => vec![&both.0, &both.1],
            Type::Type(of) => vec![of],
            Type::Opaque(_, parameters) => parameters.iter().collect(),
            _ => vec![],
        }
    }

    /// Whether values of this type take one unit of size.
    pub fn is_scalar(&self) -> bool {
        match self {
            Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Timestamp | Type::Duration => true,
            _ => self.unwrapped().is_some_and(Type::is_scalar),
        }
    }

    /// The name with which answers say what an expression evaluates to: as messages of the checker name it, but for some.
    pub fn declared_name(&self) -> String {
        match self {
            Type::Null | Type::Timestamp | Type::Duration => self.runtime_name(),
            other => other.to_string(),
        }
    }

    /// The name of the type as values of type `type` print it: without parameters.
    pub fn runtime_name(&self) -> String {
        match self {
            Type::Null => "null_type".to_owned(),
            Type::Timestamp => "google.protobuf.Timestamp".to_owned(),
            Type::Duration => "google.protobuf.Duration".to_owned(),
            Type::List(_) => "list".to_owned(),
            Type::Map(_) => "map".to_owned(),
            Type::Type(_) => "type".to_owned(),
            Type::Object(name) | Type::Opaque(name, _) => name.to_string(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::Any => f.write_str("any"),
            Type::Error => f.write_str("!error!"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::List(items) => write!(f, "list({items})"),
            Type::Map(both) => write!(f, "map({}, {})", both.0, both.1),
            Type::Object(name) => f.write_str(name),
            Type::Opaque(name, parameters) => {
                f.write_str(name)?;
                if parameters.is_empty() {
                    return Ok(());
                }
                let parameters: Vec<String> = parameters.iter().map(Type::to_string).collect();
                write!(f, "({})", parameters.join(", "))
            }
            Type::Type(of) => write!(f, "type({of})"),
            Type::Param(number) => write!(f, "_var{number}"),
        }
    }
}

/// The objects an expression may name and the fields they have.
pub trait Objects: fmt::Debug + Send + Sync {
    /// Whether there is an object type of this name.
    fn is_object(&self, name: &str) -> bool;

    /// The type of a field of an object; `None` when it has no such field.
    fn field(&self, object: &str, field: &str) -> Option<Type>;
}

/// No object types at all.
#[derive(Debug)]
pub struct NoObjects;

impl Objects for NoObjects {
    fn is_object(&self, _: &str) -> bool {
        false
    }

    fn field(&self, _: &str, _: &str) -> Option<Type> {
        None
    }
}
