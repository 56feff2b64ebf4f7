//! Lists, maps and objects that an expression makes.

use super::{Checker, Meaning, unify::most_general};
use crate::ast::{Entry, Expr, Item, Struct};
use crate::types::Type;

impl Checker<'_> {
    pub(super) fn list(&mut self, items: &[Item]) -> Type {
        let mut joined = None;
        for item in items {
            let of = self.element(&item.value, item.optional);
            joined = Some(self.join(joined, of));
        }
        Type::list(joined.unwrap_or_else(|| self.bindings.fresh()))
    }

    pub(super) fn map(&mut self, entries: &[Entry]) -> Type {
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            let key = self.expr(&entry.key);
            keys = Some(self.join(keys, key));
            let value = self.element(&entry.value, entry.optional);
            values = Some(self.join(values, value));
        }
        match (keys, values) {
            (Some(keys), Some(values)) => Type::map(keys, values),
            _ => Type::map(self.bindings.fresh(), self.bindings.fresh()),
        }
    }

    /// The type of an element; of one after a question mark what it is an option of.
    fn element(&mut self, value: &Expr, optional: bool) -> Type {
        let of = self.expr(value);
        if !optional {
            return of;
        }
        match of.unwrapped() {
            Some(inner) => inner.clone(),
            None => {
                if !of.is_dyn() {
                    self.mismatch(value.at, &Type::optional(of.clone()), &of);
                }
                of
            }
        }
    }

    /// The type of elements of both types; that they differ is reported when all types are known.
    fn join(&mut self, before: Option<Type>, current: Type) -> Type {
        match before {
            None => current,
            Some(before) if self.bindings.assign(&before, &current) => most_general(before, current),
            Some(_) => Type::Dyn,
        }
    }

    pub(super) fn construct(&mut self, expr: &Expr, construct: &Struct) -> Type {
        let Some((meaning, of)) = self.lookup(&construct.name) else {
            self.report(expr.at, format!("undeclared reference to '{}' (in container '')", construct.name));
            return Type::Error;
        };
        let made = match (&meaning, of) {
            (Meaning::Type(of @ Type::Object(_)), _) => of.clone(),
            (Meaning::Type(of), _) => {
                self.report(expr.at, format!("'{}' is not a message type", of.runtime_name()));
                Type::Error
            }
            (_, of) => {
                self.report(expr.at, format!("'{}' is not a type", of.runtime_name()));
                Type::Error
            }
        };
        self.mean(expr, meaning);
        for field in &construct.fields {
            let found = self.element(&field.value, field.optional);
            let name = match &made {
                Type::Object(name) => &**name,
                _ => construct.name.as_ref(),
            };
            let wanted = self.object_field(field.at, name, &field.name).unwrap_or(Type::Error);
            if !self.bindings.assign(&wanted, &found) {
                let message =
                    format!("expected type of field '{}' is '{wanted}' but provided type is '{found}'", field.name);
                self.report(field.at, message);
            }
        }
        made
    }
}
