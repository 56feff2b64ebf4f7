//! Calls, and the operators that do not evaluate all their operands.

use super::read::read_index;
use super::{Eval, Failed, Machine, Tracker, cost};
use crate::ast::{self, Expr};
use crate::check::Meaning;
use crate::library;
use crate::value::Value;

/// A call of a function with the values of its arguments, the target's first.
pub struct Call<'a, 'c> {
    pub function: &'static str,
    /// The overload, when the checker found one only.
    pub overload: Option<&'static str>,
    pub args: &'c [Value<'a>],
    pub tracker: &'c mut Tracker,
}

impl<'a> Call<'a, '_> {
    /// The error of arguments that no overload takes.
    pub fn no_overload(&self) -> Failed {
        let types: Vec<String> = self.args.iter().map(|arg| arg.type_of().runtime_name()).collect();
        Failed::new(format!("no such overload: {}({})", self.function, types.join(", ")))
    }
}

impl<'a> Machine<'a, '_> {
    #[inline(never)]
    pub(super) fn call(&mut self, expr: &'a Expr, call: &'a ast::Call) -> Eval<'a> {
        let (function, overloads, qualified) = match self.checked.meaning(expr) {
            Meaning::Overloads(function, overloads) => (function.name, overloads, false),
            Meaning::Qualified(function, overloads) => (function.name, overloads, true),
            _ => return Err(Failed::new(format!("unknown function: {}", call.function))),
        };
        match (function, call.args.as_slice()) {
            ("_&&_", [left, right]) => return self.logic(left, right, false),
            ("_||_", [left, right]) => return self.logic(left, right, true),
            ("_?_:_", [condition, yes, no]) => return self.conditional(condition, yes, no),
            ("@not_strictly_false", [of]) => return self.not_strictly_false(of),
            ("or" | "orValue", [other]) => return self.optional_or(function, call.target.as_ref(), other),
            ("_[_]" | "_[?_]" | "_?._", [operand, index]) => return self.index(function, operand, index),
            _ => {}
        }
        let mut args = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = call.target.as_ref().filter(|_| !qualified) {
            args.push(self.eval(target)?);
        }
        for arg in &call.args {
            args.push(self.eval(arg)?);
        }
        let overload = match overloads.as_slice() {
            [one] => Some(one.id),
            _ => None,
        };
        self.run(function, overload, &args)
    }

    #[inline(never)]
    fn run(&mut self, function: &'static str, overload: Option<&'static str>, args: &[Value<'a>]) -> Eval<'a> {
        let Some(run) = library::implementation(function) else {
            return Err(Failed::new(format!("unknown function: {function}")));
        };
        // What is charged by the arguments alone is charged before, so that nothing dear starts without the means.
        self.tracker.charge(cost::before(function, overload, args))?;
        let value = run(&mut Call { function, overload, args, tracker: &mut self.tracker })?;
        self.tracker.charge(cost::after(function, &value))?;
        Ok(value)
    }

    #[inline(never)]
    fn logic(&mut self, left: &'a Expr, right: &'a Expr, decisive: bool) -> Eval<'a> {
        let first = self.eval(left);
        match &first {
            Ok(Value::Bool(b)) if *b == decisive => return first,
            Err(failed) if failed.is_fatal() => return first,
            _ => {}
        }
        let second = self.eval(right);
        match (first, second) {
            (_, Ok(Value::Bool(b))) if b == decisive => Ok(Value::Bool(b)),
            (_, Err(failed)) if failed.is_fatal() => Err(failed),
            (Ok(Value::Bool(_)), Ok(Value::Bool(b))) => Ok(Value::Bool(b)),
            (Err(failed), _) | (_, Err(failed)) => Err(failed),
            _ => Err(Failed::no_overload()),
        }
    }

    #[inline(never)]
    fn conditional(&mut self, condition: &'a Expr, yes: &'a Expr, no: &'a Expr) -> Eval<'a> {
        match self.eval(condition)? {
            Value::Bool(true) => self.eval(yes),
            Value::Bool(false) => self.eval(no),
            _ => Err(Failed::no_overload()),
        }
    }

    #[inline(never)]
    fn not_strictly_false(&mut self, of: &'a Expr) -> Eval<'a> {
        let value = self.eval(of);
        self.tracker.charge(1)?;
        match value {
            Ok(Value::Bool(b)) => Ok(Value::Bool(b)),
            Err(failed) if failed.is_fatal() => Err(failed),
            _ => Ok(Value::Bool(true)),
        }
    }

    #[inline(never)]
    fn optional_or(&mut self, function: &str, target: Option<&'a Expr>, other: &'a Expr) -> Eval<'a> {
        let Some(target) = target else { return Err(Failed::no_overload()) };
        let target = self.eval(target)?;
        self.tracker.charge(1)?;
        match target {
            Value::Optional(Some(of)) if function == "orValue" => Ok(Value::clone(&of)),
            Value::Optional(Some(of)) => Ok(Value::Optional(Some(of))),
            Value::Optional(None) => self.eval(other),
            _ => Err(Failed::no_overload()),
        }
    }

    #[inline(never)]
    fn index(&mut self, function: &str, operand: &'a Expr, index: &'a Expr) -> Eval<'a> {
        let operand = self.eval(operand)?;
        let index = self.eval(index)?;
        self.tracker.charge(1)?;
        read_index(&operand, &index, function != "_[_]")
    }
}
