//! Places in the types that a strategic merge patch walks through, as Go's reflection sees them.

use super::Merged;
use super::fault::Fault;
use schema::{Field, Schema, Shape, Type, TypeId};

/// A Go type.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    schema: &'a Schema,
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Struct(&'a Type),
    /// A struct whose JSON is not that of its fields.
    Opaque(&'static str),
    /// No struct: the kind's name.
    Other(&'static str),
}

/// A list field: how it merges, and what its items are.
#[derive(Clone, Copy)]
pub(super) struct ListField<'a> {
    pub item: Place<'a>,
    strategy: &'a str,
    /// "" when its items have no key.
    pub merge_key: &'a str,
}

impl ListField<'_> {
    /// Otherwise the list is replaced.
    pub fn merges(&self) -> bool {
        self.strategy == "merge"
    }
}

impl<'a> Place<'a> {
    pub fn of_type(schema: &'a Schema, id: TypeId) -> Place<'a> {
        Place { schema, kind: Kind::Struct(schema.ty(id)) }
    }

    fn of_shape(schema: &'a Schema, shape: &'a Shape) -> Place<'a> {
        let kind = match shape {
            Shape::Object(id) => Kind::Struct(schema.ty(*id)),
            Shape::RawExtension => Kind::Opaque("RawExtension"),
            Shape::Json => Kind::Opaque("JSON"),
            Shape::FieldsV1 => Kind::Opaque("FieldsV1"),
            Shape::SchemaOr { .. } => Kind::Opaque("JSONSchemaPropsOrBool"),
            Shape::Quantity => Kind::Opaque("Quantity"),
            Shape::IntOrString => Kind::Opaque("IntOrString"),
            Shape::Time | Shape::MicroTime | Shape::Duration => Kind::Opaque("Time"),
            Shape::List(_) | Shape::Bytes => Kind::Other("slice"),
            Shape::Map(_) => Kind::Other("map"),
            _ => Kind::Other("string"),
        };
        Place { schema, kind }
    }

    fn field(&self, name: &str) -> Merged<&'a Field> {
        let unknown = |go_name: &str| {
            let name = meta::field::quote(name);
            Fault::Other(format!("unable to find api field in struct {go_name} for the json field {name}"))
        };
        match self.kind {
            Kind::Struct(ty) => ty.field(name).ok_or_else(|| unknown(&ty.go_name)),
            Kind::Opaque(go_name) => Err(unknown(go_name)),
            Kind::Other(kind) => {
                let text = "merging an object in json but data type is not struct, instead is";
                Err(Fault::Other(format!("{text}: {kind}")))
            }
        }
    }

    /// Where a map-valued member leads, and whether it is replaced rather than merged.
    pub fn member(&self, name: &str) -> Merged<(Place<'a>, bool)> {
        let field = self.field(name)?;
        Ok((Place::of_shape(self.schema, &field.shape), strategy(field) == "replace"))
    }

    pub fn list(&self, name: &str) -> Merged<ListField<'a>> {
        let field = self.field(name)?;
        let merge_key = field.patch_merge_key.as_ref().map_or("", |k| k.as_str());
        let item = match &field.shape {
            Shape::List(item) => match &**item {
                Shape::List(_) => return Err(Fault::Other("unexpected slice of slice".to_string())),
                item => Place::of_shape(self.schema, item),
            },
            _ => {
                let found = if matches!(self.kind, Kind::Other(_)) { "map" } else { "struct" };
                return Err(Fault::Other(format!("expected slice or array type, but got: {found}")));
            }
        };
        Ok(ListField { item, strategy: strategy(field), merge_key })
    }

    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Struct(_) | Kind::Opaque(_) => "struct",
            Kind::Other(kind) => kind,
        }
    }
}

/// The strategy that is not about keys to retain.
fn strategy(field: &Field) -> &str {
    field.patch_strategies.iter().map(|s| s.as_str()).find(|s| *s != "retainKeys").unwrap_or("")
}
