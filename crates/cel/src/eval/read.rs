//! Fields and indexes.

use super::{Eval, Failed, Machine};
use crate::ast::{Expr, Select};
use crate::check::Meaning;
use crate::value::Value;

impl<'a> Machine<'a, '_> {
    #[inline(never)]
    pub(super) fn select(&mut self, expr: &'a Expr, select: &'a Select) -> Eval<'a> {
        match self.checked.meaning(expr) {
            Meaning::Variable(name) => return self.variable(name),
            Meaning::Type(of) => return Ok(Value::Type(of.clone())),
            _ => {}
        }
        let operand = self.eval(&select.operand)?;
        if select.test {
            return Ok(Value::Bool(has_field(&operand, &select.field)?));
        }
        self.tracker.charge(1)?;
        read_field(&operand, &select.field)
    }
}

fn no_key(key: &str) -> Failed {
    Failed::new(format!("no such key: {key}"))
}

fn has_field(operand: &Value, field: &str) -> Result<bool, Failed> {
    Ok(match operand {
        Value::Map(map) => map.field(field).is_some(),
        Value::Struct(object) => object.fields.iter().any(|(name, _)| &**name == field),
        Value::Fields(fields) => fields.has(field),
        Value::Optional(None) => false,
        Value::Optional(Some(of)) => has_field(of, field)?,
        // Upstream answers that what has no fields has not this one.
        Value::Null => return Err(no_key(field)),
        _ => return Err(no_key(field)),
    })
}

/// The value of a field, `None` when it is not there.
fn find_field<'a>(operand: &Value<'a>, field: &str) -> Result<Option<Value<'a>>, Failed> {
    Ok(match operand {
        Value::Map(map) => map.field(field),
        Value::Struct(object) => {
            object.fields.iter().find(|(name, _)| &**name == field).map(|(_, value)| value.clone())
        }
        Value::Fields(fields) => fields.get(field).transpose()?,
        _ => None,
    })
}

fn read_field<'a>(operand: &Value<'a>, field: &str) -> Eval<'a> {
    match operand {
        Value::Optional(of) => optional_field(of.as_deref(), field),
        other => find_field(other, field)?.ok_or_else(|| no_key(field)),
    }
}

/// A field of what an optional may hold, as an optional.
fn optional_field<'a>(operand: Option<&Value<'a>>, field: &str) -> Eval<'a> {
    match operand {
        None => Ok(Value::Optional(None)),
        Some(operand) => Ok(Value::optional(find_field(operand, field)?)),
    }
}

/// `operand.?field`, `operand[index]` and `operand[?index]`.
pub(super) fn read_index<'a>(operand: &Value<'a>, index: &Value<'a>, optional: bool) -> Eval<'a> {
    let (operand, optional) = match operand {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(of)) => (&**of, true),
        other => (other, optional),
    };
    let found = find_index(operand, index);
    if !optional {
        return found;
    }
    match found {
        Ok(value) => Ok(Value::optional(Some(value))),
        Err(failed) if failed.is_fatal() || !is_absence(operand, index) => Err(failed),
        Err(_) => Ok(Value::Optional(None)),
    }
}

/// Whether an index of this type could be there: then its absence is none, and otherwise an error.
fn is_absence(operand: &Value, index: &Value) -> bool {
    match operand {
        Value::List(_) => whole_index(index).is_some(),
        Value::Map(_) | Value::Struct(_) | Value::Fields(_) => true,
        _ => false,
    }
}

fn whole_index(index: &Value) -> Option<i128> {
    match index {
        Value::Int(n) => Some(i128::from(*n)),
        Value::Uint(n) => Some(i128::from(*n)),
        // Small and whole, so exact.
        Value::Double(n) if n.fract() == 0.0 && n.abs() < 1e15 => Some(*n as i128),
        _ => None,
    }
}

fn find_index<'a>(operand: &Value<'a>, index: &Value<'a>) -> Eval<'a> {
    match operand {
        Value::List(list) => {
            let Some(at) = whole_index(index) else {
                let name = index.type_of().runtime_name();
                return Err(Failed::new(format!("unsupported index type '{name}' in list")));
            };
            let found = usize::try_from(at).ok().and_then(|at| list.get(at));
            found.ok_or_else(|| Failed::new(format!("index out of bounds: {at}")))
        }
        Value::Map(map) => map.get(index).ok_or_else(|| no_key(&shown(index))),
        other => match index.as_str() {
            Some(field) => find_field(other, field)?.ok_or_else(|| no_key(field)),
            None => Err(Failed::no_overload()),
        },
    }
}

/// A key as errors show it.
fn shown(key: &Value) -> String {
    match key.as_str() {
        Some(text) => text.to_owned(),
        None => format!("{key:?}").trim_end_matches('u').to_owned(),
    }
}
