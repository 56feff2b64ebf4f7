//! The typed decode: one walk over the schema that converts, drops and completes values as Go's decoder does, and reports
//! what it meets with upstream's texts (sigs.k8s.io/json, and the unmarshalers of apimachinery's types).

use crate::empties::Empties;
use crate::scalar;
use crate::source::Source;
use crate::zero::{fill, is_empty_collection, settle, zero};
use meta::json::{SyntaxError, Token};
use meta::{Map, Str, Value};
use schema::{Field, Presence, Schema, SchemaOther, Shape, Type, TypeId};
use std::fmt;

/// OpenAPI's name of the type of metadata.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Findings beyond this many are not kept, as upstream's decoder does.
const STRICT_MAX: usize = 100;

/// Why a decode stopped before the end of the document.
pub(crate) enum Abort {
    Syntax(SyntaxError),
    /// The error of a value's own unmarshaler, which wins over type errors met before it.
    Value(String),
}

impl From<SyntaxError> for Abort {
    fn from(error: SyntaxError) -> Abort {
        Abort::Syntax(error)
    }
}

/// Where the walk is: a list through the stack frames, read only when something is reported.
#[derive(Clone, Copy)]
pub(crate) enum At<'p> {
    Root,
    Field(&'p At<'p>, &'p Type, &'p Field),
    Index(&'p At<'p>, usize),
    Key(&'p At<'p>, &'p str),
    /// Within a value that its own unmarshaler reads: errors there name the struct outside.
    Foreign(&'p At<'p>),
}

impl fmt::Display for At<'_> {
    /// The path of strict findings: `spec.containers[0].name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parent, name) = match self {
            At::Root => return Ok(()),
            At::Foreign(parent) => return parent.fmt(f),
            At::Index(parent, index) => return write!(f, "{parent}[{index}]"),
            At::Key(parent, key) => (parent, *key),
            At::Field(parent, _, field) => (parent, field.name.as_str()),
        };
        parent.fmt(f)?;
        match parent {
            At::Root => f.write_str(name),
            _ => write!(f, ".{name}"),
        }
    }
}

impl At<'_> {
    /// Go's name of the place in a type error: the struct that holds the field, and the fields on the way (no indexes, no keys).
    fn go_field(&self) -> Option<String> {
        let mut names = Vec::new();
        let (mut at, mut holder) = (self, None);
        loop {
            at = match at {
                At::Root => break,
                At::Index(parent, _) | At::Key(parent, _) => parent,
                At::Foreign(parent) => {
                    holder = None;
                    parent
                }
                // Upstream decodes a custom resource's metadata on its own.
                At::Field(_, _, field) if is_custom(field) => break,
                At::Field(parent, ty, field) => {
                    holder.get_or_insert(ty.go_name.as_str());
                    names.push(field.name.as_str());
                    names.extend(crate::goname::embeds(ty, field).iter().rev());
                    parent
                }
            };
        }
        names.reverse();
        holder.map(|holder| format!("{holder}.{}", names.join(".")))
    }

    fn is_custom(&self) -> bool {
        self.field().is_some_and(|(_, field)| is_custom(field))
    }

    /// The innermost field.
    fn field(&self) -> Option<(&Type, &Field)> {
        match self {
            At::Root => None,
            At::Index(parent, _) | At::Key(parent, _) | At::Foreign(parent) => parent.field(),
            At::Field(_, ty, field) => Some((ty, field)),
        }
    }
}

/// Whether a field is a custom resource's. What is there stays as it is, whatever its type: that is for validation to judge.
pub(crate) fn is_custom(field: &Field) -> bool {
    field.number == 0 && field.presence == Presence::Pointer
}

/// Whether a whole object is a custom resource.
pub(crate) fn is_custom_kind(ty: &Type) -> bool {
    ty.field("metadata").is_some_and(is_custom)
}

/// A decode under way.
pub(crate) struct Walk<'s, S> {
    pub(crate) schema: &'s Schema,
    pub(crate) source: S,
    /// Unknown and duplicate fields, in the order in which they were met.
    pub(crate) strict: Vec<String>,
    /// The first type error; Go goes on after it and reports it at the end.
    pub(crate) saved: Option<String>,
    /// The lists and maps that were there and empty.
    pub(crate) empties: Empties,
    /// Within a value whose own unmarshaler upstream is not strict.
    lax: bool,
    /// An empty list or map that is always written becomes null, as storage makes it. What a client sends keeps it: it
    /// says that the client sets the field.
    pub(crate) stored: bool,
    /// How many fields were set twice.
    twice: usize,
    /// The type of metadata: the one part of a custom resource that is decoded by its type.
    metadata: TypeId,
}

impl<'s, S: Source> Walk<'s, S> {
    pub(crate) fn new(schema: &'s Schema, source: S) -> Walk<'s, S> {
        let metadata = schema.named(OBJECT_META).unwrap_or(TypeId(u32::MAX));
        Walk {
            schema,
            source,
            strict: Vec::new(),
            saved: None,
            empties: Empties::default(),
            lax: false,
            stored: false,
            twice: 0,
            metadata,
        }
    }

    /// Decodes a whole object.
    pub(crate) fn root(&mut self, id: TypeId) -> Result<Value, Abort> {
        let mut value = Value::Null;
        self.value(&Shape::Object(id), &At::Root, &mut value)?;
        self.source.end()?;
        Ok(if value.is_null() { zero(self.schema, &Shape::Object(id)) } else { value })
    }

    fn report(&mut self, what: &str, at: &At) {
        if !self.lax && self.strict.len() < STRICT_MAX {
            let finding = format!("{what} field \"{at}\"");
            if !self.strict.contains(&finding) {
                self.strict.push(finding);
            }
        }
    }

    /// Skips a value of the wrong type and keeps the error when it is the first. The value stays unset.
    #[cold]
    fn wrong(&mut self, token: Token, shape: &Shape, at: &At) -> Result<(), Abort> {
        let found = token_name(token);
        self.source.skip()?;
        self.type_error(found, shape, at);
        Ok(())
    }

    fn type_error(&mut self, found: &str, shape: &Shape, at: &At) {
        if self.saved.is_none() {
            let go_type = crate::goname::type_name(self.schema, shape, at.field());
            self.saved = Some(cannot_unmarshal(found, &go_type, at));
        }
    }

    /// One value of a shape, into a place that holds null: which stays there for null, and for what is wrong. Values are built where they
    /// stay, since moving them costs more than reading them.
    fn value(&mut self, shape: &Shape, at: &At, slot: &mut Value) -> Result<(), Abort> {
        let token = self.source.peek()?;
        match (shape, token) {
            (Shape::String, Token::String) => *slot = Value::String(self.source.string()?),
            (Shape::Object(id), Token::Object) => self.object(self.schema.ty(*id), at, slot)?,
            (Shape::List(item), Token::Array) => self.list(item, at, slot)?,
            (Shape::Map(item), Token::Object) => self.map(item, at, slot)?,
            (Shape::Int32 | Shape::Int64, Token::Number) => self.int(shape, at, slot)?,
            (Shape::Bool, Token::Bool(b)) => {
                self.source.literal(token)?;
                *slot = Value::Bool(b);
            }
            // as it was written: upstream tells by its text whether it has changed
            (Shape::FieldsV1, _) | (Shape::RawExtension, Token::Object) => *slot = self.source.raw()?,
            (Shape::RawExtension | Shape::Json | Shape::Any, _) => *slot = self.any(at)?,
            (Shape::SchemaOr { object, other }, _) => self.schema_or(*object, *other, token, at, slot)?,
            (Shape::IntOrString, _) => *slot = self.int_or_string(token, at)?,
            (_, Token::Null) => self.source.literal(token)?,
            (Shape::Quantity, _) => *slot = self.quantity(token)?,
            (Shape::Time | Shape::MicroTime | Shape::Duration, _) => *slot = self.time(shape, token, at)?,
            (Shape::Bytes, Token::String) => match scalar::bytes(self.source.string()?) {
                Ok(text) => *slot = Value::String(text),
                Err(error) => drop(self.saved.get_or_insert(error)),
            },
            (Shape::Float64, Token::Number) => self.float(at, slot)?,
            _ if !matches!(shape, Shape::Object(id) if *id == self.metadata) && at.is_custom() => {
                *slot = self.any(at)?
            }
            _ => self.wrong(token, shape, at)?,
        }
        Ok(())
    }

    fn int(&mut self, shape: &Shape, at: &At, slot: &mut Value) -> Result<(), Abort> {
        let number = self.source.number()?;
        let fits = |n: &i64| *shape == Shape::Int64 || i32::try_from(*n).is_ok();
        if let Some(n) = number.int().filter(fits) {
            *slot = Value::Int(n);
            return Ok(());
        }
        let found = format!("number {}", number.text());
        self.type_error(&found, shape, at);
        Ok(())
    }

    fn float(&mut self, at: &At, slot: &mut Value) -> Result<(), Abort> {
        let number = self.source.number()?;
        if let Some(n) = number.float() {
            *slot = Value::Float(n);
            return Ok(());
        }
        let found = format!("number {}", number.text());
        self.type_error(&found, &Shape::Float64, at);
        Ok(())
    }

    fn any(&mut self, at: &At) -> Result<Value, Abort> {
        let mut duplicates = Vec::new();
        let value = self.source.value(&mut duplicates)?;
        // Raw values are not looked into upstream; only what has no type at all is.
        if at.field().is_none_or(|(_, field)| matches!(field.shape, Shape::Any)) {
            for path in duplicates {
                self.report("duplicate", &At::Key(at, &path));
            }
        }
        Ok(value)
    }

    fn quantity(&mut self, token: Token) -> Result<Value, Abort> {
        let canonical = match token {
            Token::String => scalar::quantity(self.source.string()?),
            Token::Number => scalar::quantity(self.source.number()?.text().as_ref().into()),
            // Upstream's parser looks at the raw text, which for these is never a quantity.
            _ => scalar::quantity(Str::const_new("{")),
        };
        canonical.map(Value::String).map_err(Abort::Value)
    }

    fn time(&mut self, shape: &Shape, token: Token, at: &At) -> Result<Value, Abort> {
        let Token::String = token else {
            return Err(Abort::Value(cannot_unmarshal(token_name(token), "string", at)));
        };
        let text = self.source.string()?;
        match shape {
            Shape::Duration => scalar::duration(&text),
            Shape::Time => scalar::time(text),
            _ => scalar::micro_time(text),
        }
        .map_err(Abort::Value)
    }

    fn int_or_string(&mut self, token: Token, at: &At) -> Result<Value, Abort> {
        match token {
            Token::String => Ok(Value::String(self.source.string()?)),
            Token::Number => {
                let number = self.source.number()?;
                match number.int().filter(|n| i32::try_from(*n).is_ok()) {
                    Some(n) => Ok(Value::Int(n)),
                    None => {
                        let found = format!("number {}", number.text());
                        Err(Abort::Value(cannot_unmarshal(&found, "int32", at)))
                    }
                }
            }
            Token::Null => {
                self.source.literal(token)?;
                Ok(Value::Null)
            }
            _ => Err(Abort::Value(cannot_unmarshal(token_name(token), "int32", at))),
        }
    }

    /// A schema, or what may stand for one. Upstream reads it with its own unmarshaler, which is not strict.
    fn schema_or(
        &mut self,
        object: TypeId,
        other: SchemaOther,
        token: Token,
        at: &At,
        slot: &mut Value,
    ) -> Result<(), Abort> {
        let ty = self.schema.ty(object);
        let inner = At::Foreign(at);
        let outer = (self.saved.take(), std::mem::replace(&mut self.lax, true));
        match (other, token) {
            (_, Token::Object) => self.object(ty, &inner, slot)?,
            (SchemaOther::Bool, Token::Bool(b)) => {
                self.source.literal(token)?;
                *slot = Value::Bool(b);
            }
            (SchemaOther::Bool, Token::Null) => self.source.literal(token)?,
            (SchemaOther::Bool, _) => return Err(Abort::Value("boolean or JSON schema expected".to_string())),
            (SchemaOther::SchemaArray, Token::Array) => self.list(&Shape::Object(object), &inner, slot)?,
            (SchemaOther::StringArray, Token::Array) => self.list(&Shape::String, &inner, slot)?,
            _ => self.source.skip()?,
        }
        if let Some(error) = self.saved.take() {
            return Err(Abort::Value(error));
        }
        (self.saved, self.lax) = outer;
        Ok(())
    }

    fn list(&mut self, shape: &Shape, at: &At, slot: &mut Value) -> Result<(), Abort> {
        self.source.open()?;
        let mut items = Vec::new();
        while self.source.item(items.is_empty())? {
            let place = At::Index(at, items.len());
            items.push(Value::Null);
            let Some(item) = items.last_mut() else { break };
            self.value(shape, &place, item)?;
            if item.is_null() && !at.is_custom() {
                *item = zero(self.schema, shape);
            }
        }
        *slot = Value::Array(items);
        Ok(())
    }

    fn map(&mut self, shape: &Shape, at: &At, slot: &mut Value) -> Result<(), Abort> {
        self.source.open()?;
        let mut entries: Vec<(Str, Value)> = Vec::new();
        while let Some(key) = self.source.key(entries.is_empty())? {
            entries.push((Str::from(key), Value::Null));
            let Some((key, item)) = entries.last_mut() else { break };
            self.value(shape, &At::Key(at, key), item)?;
            if item.is_null() && !at.is_custom() {
                *item = zero(self.schema, shape);
            }
        }
        let (map, repeated) = Map::from_entries(entries);
        for key in repeated {
            self.report("duplicate", &At::Key(at, &key));
        }
        *slot = Value::Object(map);
        Ok(())
    }

    fn object(&mut self, ty: &Type, at: &At, slot: &mut Value) -> Result<(), Abort> {
        self.source.open()?;
        let mut entries: Vec<(Str, Value)> = Vec::with_capacity(ty.fields.len().min(8));
        let (mut seen, mut first) = (0_u128, true);
        while let Some(key) = self.source.key(first)? {
            first = false;
            let Some(index) = ty.field_index(&key) else {
                let key = Str::from(key);
                self.unknown(ty, key, at, &mut entries)?;
                continue;
            };
            let Some(field) = ty.fields.get(index) else { continue };
            let place = At::Field(at, ty, field);
            let bit = 1_u128.checked_shl(index as u32).unwrap_or(0);
            let mut before = Value::Null;
            if seen & bit != 0 {
                self.report("duplicate", &place);
                self.twice += 1;
                let position = entries.iter().position(|(name, _)| *name == field.name);
                before = position.map(|i| entries.remove(i).1).unwrap_or_default();
            }
            seen |= bit;
            entries.push((field.name.clone(), Value::Null));
            let Some((_, value)) = entries.last_mut() else { break };
            self.value(&field.shape, &place, value)?;
            // Merging costs what both hold: a body that sets a field over and over gets the last value only.
            if !before.is_null() && self.twice < STRICT_MAX {
                *value = merge(before, std::mem::take(value));
            }
            if is_empty_collection(value, &field.shape) {
                self.empties.note(&place, value);
            }
            if !settle(self.schema, field, value, self.stored) {
                entries.pop();
            }
        }
        fill(self.schema, ty, seen, &mut entries);
        *slot = Value::Object(Map::from_entries(entries).0);
        Ok(())
    }

    /// A field that the type does not have: kept or dropped, and reported.
    fn unknown(&mut self, ty: &Type, key: Str, at: &At, entries: &mut Vec<(Str, Value)>) -> Result<(), Abort> {
        if ty.preserve_unknown {
            let value = self.any(&At::Key(at, &key))?;
            entries.push((key, value));
            return Ok(());
        }
        self.report("unknown", &At::Key(at, &key));
        Ok(self.source.skip()?)
    }
}

/// What a field holds after it was set twice: Go decodes the second value into the first one's struct or map.
fn merge(before: Value, after: Value) -> Value {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let (mut left, mut right) = (before.into_iter().peekable(), after.into_iter().peekable());
            let mut entries = Vec::with_capacity(left.len() + right.len());
            while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
                let order = a.cmp(b);
                let one = if order.is_le() { left.next() } else { None };
                let other = if order.is_ge() { right.next() } else { None };
                entries.extend(match (one, other) {
                    (Some((key, one)), Some((_, other))) => Some((key, merge(one, other))),
                    (one, other) => one.or(other),
                });
            }
            entries.extend(left.chain(right));
            Value::Object(Map::from_entries(entries).0)
        }
        (before, Value::Null) => before,
        (_, after) => after,
    }
}

/// The error of Go's decoder for a value of the wrong type.
fn cannot_unmarshal(found: &str, go_type: &str, at: &At) -> String {
    match at.go_field() {
        Some(place) => format!("json: cannot unmarshal {found} into Go struct field {place} of type {go_type}"),
        None => format!("json: cannot unmarshal {found} into Go value of type {go_type}"),
    }
}

/// What Go calls a value in its errors.
pub(crate) fn token_name(token: Token) -> &'static str {
    match token {
        Token::Null => "null",
        Token::Bool(_) => "bool",
        Token::Number => "number",
        Token::String => "string",
        Token::Array => "array",
        Token::Object => "object",
    }
}
