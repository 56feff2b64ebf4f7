//! Loops: what macros are.

use super::{Eval, Failed, Machine, insert};
use crate::ast::{Expr, Fold, Kind, Literal};
use crate::value::Value;

impl<'a> Machine<'a, '_> {
    #[inline(never)]
    pub(super) fn fold(&mut self, fold: &'a Fold) -> Eval<'a> {
        let range = self.eval(&fold.range)?;
        let init = self.eval(&fold.init);
        if let Err(failed) = &init
            && failed.is_fatal()
        {
            return init;
        }
        let base = self.locals.len();
        self.locals.push((&fold.accu, init));
        let looped = self.turns(fold, range, base);
        self.locals.truncate(base + 1);
        let result = match looped {
            Ok(()) => self.eval(&fold.result),
            Err(failed) => Err(failed),
        };
        self.locals.truncate(base);
        result
    }

    fn turns(&mut self, fold: &'a Fold, range: Value<'a>, base: usize) -> Result<(), Failed> {
        match range {
            Value::List(list) => {
                for (at, item) in list.iter().enumerate() {
                    let first = match fold.var2 {
                        Some(_) => Value::Int(i64::try_from(at).unwrap_or(i64::MAX)),
                        None => item.clone(),
                    };
                    if !self.turn(fold, base, first, item)? {
                        break;
                    }
                }
                Ok(())
            }
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    if !self.turn(fold, base, key, value)? {
                        break;
                    }
                }
                Ok(())
            }
            other => {
                let name = other.type_of().runtime_name();
                Err(Failed::new(format!("got '{name}', expected iterable type")))
            }
        }
    }

    /// One turn of the loop; `false` when it was the last.
    fn turn(&mut self, fold: &'a Fold, base: usize, first: Value<'a>, second: Value<'a>) -> Result<bool, Failed> {
        self.locals.truncate(base + 1);
        self.locals.push((&fold.var, Ok(first)));
        if let Some(var2) = &fold.var2 {
            self.locals.push((var2, Ok(second)));
        }
        let endless = matches!(fold.condition.kind, Kind::Literal(Literal::Bool(true)));
        if !endless && matches!(self.eval(&fold.condition), Ok(Value::Bool(false))) {
            return Ok(false);
        }
        let done = self.step(&fold.step, &fold.accu, base);
        match done {
            Err(failed) if failed.is_fatal() => Err(failed),
            // Without a condition nothing gets over an error.
            Err(failed) if endless => Err(failed),
            Err(failed) => {
                self.set_local(base, Err(failed));
                Ok(true)
            }
            Ok(Some(value)) => {
                self.set_local(base, Ok(value));
                Ok(true)
            }
            Ok(None) => Ok(true),
        }
    }

    fn set_local(&mut self, at: usize, value: Eval<'a>) {
        if let Some((_, slot)) = self.locals.get_mut(at) {
            *slot = value;
        }
    }

    /// The next value of the accumulator, or `None` when it was changed in place: appending to a list of n items would
    /// otherwise copy it n times.
    fn step(&mut self, step: &'a Expr, accu: &str, base: usize) -> Result<Option<Value<'a>>, Failed> {
        let Kind::Call(call) = &step.kind else {
            return self.eval(step).map(Some);
        };
        let is_accu = |expr: &Expr| matches!(&expr.kind, Kind::Ident(name) if &**name == accu);
        match (&*call.function, call.args.as_slice()) {
            ("_?_:_", [condition, yes, no]) if is_accu(no) => match self.eval(condition)? {
                Value::Bool(true) => self.step(yes, accu, base),
                Value::Bool(false) => {
                    self.tracker.charge(1)?;
                    Ok(None)
                }
                _ => Err(Failed::no_overload()),
            },
            ("_+_", [first, added]) if is_accu(first) && matches!(added.kind, Kind::List(_)) => {
                let added = self.eval(added)?;
                // The accumulator's name and the addition.
                self.tracker.charge(2)?;
                if let Some((_, Ok(Value::List(list)))) = self.locals.get_mut(base)
                    && let Value::List(added) = &added
                {
                    list.extend(added);
                }
                Ok(None)
            }
            ("cel.@mapInsert", [first, rest @ ..]) if is_accu(first) => {
                let mut values = Vec::with_capacity(2);
                for part in rest {
                    values.push(self.eval(part)?);
                }
                self.tracker.charge(2)?;
                let Some((_, Ok(Value::Map(map)))) = self.locals.get_mut(base) else {
                    return Err(Failed::no_overload());
                };
                let map = map.make_owned();
                match values.as_slice() {
                    [key, value] => insert(map, key.clone(), value.clone())?,
                    [Value::Map(more)] => {
                        for (key, value) in more.iter() {
                            insert(map, key, value)?;
                        }
                    }
                    _ => return Err(Failed::no_overload()),
                }
                Ok(None)
            }
            _ => self.eval(step).map(Some),
        }
    }
}
