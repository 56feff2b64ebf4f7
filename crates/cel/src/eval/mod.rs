//! Running an expression.
//!
//! Errors are values, as in CEL: `||` and `&&` get over an error on one side when the other decides, and a loop's
//! accumulator may be one. Running out of cost is not: it ends everything.

mod calls;
mod cost;
mod fold;
mod read;
mod track;

pub(crate) use self::insert as insert_entry;
pub(crate) use calls::Call;
pub use track::Failed;
pub(crate) use track::Tracker;

use crate::ast::{Expr, Kind, Literal};
use crate::check::{Checked, Meaning};
use crate::value::{Map, Owned, Struct, Text, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// What making a list, map or object costs.
const LIST_COST: u64 = 10;
const MAP_COST: u64 = 30;
const STRUCT_COST: u64 = 40;

/// The values of an expression's variables.
#[derive(Debug, Default)]
pub struct Activation<'a> {
    values: HashMap<&'a str, Value<'a>>,
}

impl<'a> Activation<'a> {
    pub fn new(values: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Activation<'a> {
        Activation { values: values.into_iter().collect() }
    }

    /// Sets one variable more.
    pub fn set(&mut self, name: &'a str, value: Value<'a>) {
        self.values.insert(name, value);
    }
}

/// What came of an expression: its value and what it cost.
#[derive(Debug, Clone)]
pub struct Evaluated<'a> {
    pub value: Value<'a>,
    pub cost: u64,
}

pub fn run<'a>(checked: &'a Checked, activation: &Activation<'a>, cost_max: u64) -> Result<Evaluated<'a>, Failed> {
    let mut machine = Machine { checked, activation, locals: Vec::new(), tracker: Tracker::new(cost_max) };
    let outcome = machine.eval(&checked.root);
    let cost = machine.tracker.cost();
    match outcome {
        Ok(value) => Ok(Evaluated { value, cost }),
        Err(failed) => Err(failed.at_cost(cost)),
    }
}

/// The value of a loop's variable; errors are values.
type Local<'a> = (&'a str, Result<Value<'a>, Failed>);

struct Machine<'a, 'x> {
    checked: &'a Checked,
    activation: &'x Activation<'a>,
    locals: Vec<Local<'a>>,
    tracker: Tracker,
}

type Eval<'a> = Result<Value<'a>, Failed>;

impl<'a> Machine<'a, '_> {
    fn eval(&mut self, expr: &'a Expr) -> Eval<'a> {
        self.tracker.work(1)?;
        match &expr.kind {
            Kind::Literal(literal) => Ok(constant(literal)),
            Kind::Ident(name) => self.name(expr, name),
            Kind::Select(select) => self.select(expr, select),
            Kind::Call(call) => self.call(expr, call),
            Kind::List(_) => self.list(expr),
            Kind::Map(_) => self.map(expr),
            Kind::Struct(construct) => self.construct(expr, construct),
            Kind::Fold(fold) => self.fold(fold),
            Kind::Broken => Err(Failed::new("broken expression")),
        }
    }

    #[inline(never)]
    fn name(&mut self, expr: &'a Expr, name: &'a str) -> Eval<'a> {
        match self.checked.meaning(expr) {
            Meaning::Variable(name) => self.variable(name),
            Meaning::Type(of) => Ok(Value::Type(of.clone())),
            _ => self.variable(name),
        }
    }

    fn variable(&mut self, name: &'a str) -> Eval<'a> {
        self.tracker.charge(1)?;
        let local = self.locals.iter().rev().find(|(local, _)| *local == name);
        if let Some((_, value)) = local {
            return value.clone();
        }
        match self.activation.values.get(name) {
            Some(value) => Ok(value.clone()),
            None => Err(Failed::new(format!("no such attribute(s): {name}"))),
        }
    }

    #[inline(never)]
    fn list(&mut self, expr: &'a Expr) -> Eval<'a> {
        let Kind::List(items) = &expr.kind else { return Ok(Value::Null) };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let value = self.eval(&item.value)?;
            match (item.optional, value) {
                (false, value) => list.push(value),
                (true, Value::Optional(of)) => list.extend(of.map(|of| Value::clone(&of))),
                (true, other) => return Err(not_optional("list element", &other)),
            }
        }
        self.tracker.charge(LIST_COST)?;
        Ok(Value::list(list))
    }

    #[inline(never)]
    fn map(&mut self, expr: &'a Expr) -> Eval<'a> {
        let Kind::Map(entries) = &expr.kind else { return Ok(Value::Null) };
        let mut map = Owned::default();
        for entry in entries {
            let key = self.eval(&entry.key)?;
            let value = self.eval(&entry.value)?;
            let value = match (entry.optional, value) {
                (false, value) => value,
                (true, Value::Optional(Some(of))) => Value::clone(&of),
                (true, Value::Optional(None)) => continue,
                (true, other) => return Err(not_optional("map entry", &other)),
            };
            insert(&mut map, key, value)?;
        }
        self.tracker.charge(MAP_COST)?;
        Ok(Value::Map(Map::owned(map)))
    }

    #[inline(never)]
    fn construct(&mut self, expr: &'a Expr, construct: &'a crate::ast::Struct) -> Eval<'a> {
        let name: Rc<str> = match self.checked.type_of(expr) {
            crate::types::Type::Object(name) => (&**name).into(),
            other => other.runtime_name().into(),
        };
        let mut fields: Vec<(Rc<str>, Value)> = Vec::with_capacity(construct.fields.len());
        for field in &construct.fields {
            let value = match (field.optional, self.eval(&field.value)?) {
                (false, value) => value,
                (true, Value::Optional(Some(of))) => Value::clone(&of),
                (true, Value::Optional(None)) => continue,
                (true, other) => return Err(not_optional("field", &other)),
            };
            fields.push(((&*field.name).into(), value));
        }
        self.tracker.charge(STRUCT_COST)?;
        Ok(Value::Struct(Rc::new(Struct { name, fields })))
    }
}

fn not_optional(what: &str, value: &Value) -> Failed {
    Failed::new(format!("cannot initialize optional {what} from non-optional value {value:?}"))
}

/// Adds an entry to a map.
pub(crate) fn insert<'a>(map: &mut Owned<'a>, key: Value<'a>, value: Value<'a>) -> Result<(), Failed> {
    use crate::value::Key;
    if Key::of(&key).is_none() || matches!(key, Value::Double(_)) {
        return Err(Failed::new(format!("unsupported key type: {}", key.type_of().runtime_name())));
    }
    let shown = format!("insert failed: key {key:?} already exists");
    if map.insert(key, value) { Ok(()) } else { Err(Failed::new(shown)) }
}

fn constant(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(b) => Value::Bool(*b),
        Literal::Int(n) => Value::Int(*n),
        Literal::Uint(n) => Value::Uint(*n),
        Literal::Double(n) => Value::Double(*n),
        Literal::String(text) => Value::String(Text::Borrowed(text)),
        Literal::Bytes(bytes) => Value::Bytes((&**bytes).into()),
    }
}

#[cfg(test)]
mod tests;
