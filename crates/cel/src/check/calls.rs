//! Calls: which function a name means, and which of its overloads fit.

use super::{Checker, Meaning};
use crate::ast::{Call, Expr};
use crate::declare::{Function, Overload};
use crate::types::Type;

/// Checking tries at most this many overloads in one expression. Real expressions try hundreds.
const ATTEMPTS_MAX: u64 = 5_000_000;

/// The types of a call's arguments, the target's first when there is one.
struct Arguments {
    types: Vec<Type>,
    member: bool,
}

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &Expr, call: &Call) -> Type {
        if &*call.function == "_?._"
            && let (None, [operand, field]) = (&call.target, call.args.as_slice())
            && let Some(name) = field.literal_str()
        {
            return self.optional_field(expr, operand, field, name);
        }
        let mut types: Vec<Type> = call.args.iter().map(|arg| self.expr(arg)).collect();
        let Some(target) = &call.target else {
            let name = call.function.strip_prefix('.').unwrap_or(&call.function);
            return match self.env.function(name) {
                Some(function) => self.resolve(expr, call, function, Arguments { types, member: false }, false),
                None => self.undeclared(expr, &call.function),
            };
        };
        if let Some(prefix) = target.qualified_name() {
            let prefix = prefix.strip_prefix('.').unwrap_or(&prefix);
            if let Some(function) = self.env.function(&format!("{prefix}.{}", call.function)) {
                return self.resolve(expr, call, function, Arguments { types, member: false }, true);
            }
        }
        let of = self.expr(target);
        types.insert(0, of);
        match self.env.function(&call.function) {
            Some(function) => self.resolve(expr, call, function, Arguments { types, member: true }, false),
            None => self.undeclared(expr, &call.function),
        }
    }

    fn undeclared(&mut self, expr: &Expr, name: &str) -> Type {
        self.report(expr.at, format!("undeclared reference to '{name}' (in container '')"));
        Type::Error
    }

    fn optional_field(&mut self, expr: &Expr, operand: &Expr, field: &Expr, name: &str) -> Type {
        self.set(field, Type::String);
        let of = self.field(expr.at, operand, name, true);
        if let Some(function) = self.env.function("_?._") {
            self.mean(expr, Meaning::Overloads(function, function.overloads.iter().collect()));
        }
        self.bindings.substitute(&of, false)
    }

    fn resolve(
        &mut self,
        expr: &Expr,
        call: &Call,
        function: &'static Function,
        args: Arguments,
        qualified: bool,
    ) -> Type {
        if matches!(function.name, "_&&_" | "_||_") {
            return self.logic(expr, call, function, &args.types);
        }
        let mut fitting: Vec<&'static Overload> = Vec::new();
        let mut result: Option<Type> = None;
        for overload in &function.overloads {
            if overload.member != args.member || !self.env.has_library(overload.library) {
                continue;
            }
            self.work += 1;
            if self.work > ATTEMPTS_MAX {
                break;
            }
            if overload.args.len() != args.types.len() {
                continue;
            }
            let mut types = overload.args.clone();
            types.push(overload.result.clone());
            let mut types = self.bindings.instantiate(&types, overload.parameters);
            let returned = types.pop().unwrap_or(Type::Dyn);
            if !self.bindings.assign_all(&args.types, &types) {
                continue;
            }
            fitting.push(overload);
            let returned = self.bindings.substitute(&returned, false);
            result = Some(match result {
                None => returned,
                Some(known) if known.is_dyn() || known == returned => known,
                Some(_) => Type::Dyn,
            });
        }
        let Some(result) = result else {
            return self.no_overload(expr, function, args);
        };
        let meaning = if qualified { Meaning::Qualified } else { Meaning::Overloads };
        self.mean(expr, meaning(function, fitting));
        result
    }

    fn no_overload(&mut self, expr: &Expr, function: &Function, args: Arguments) -> Type {
        let names: Vec<String> = args.types.iter().map(|of| self.bindings.substitute(of, true).to_string()).collect();
        let signature = match names.split_first() {
            Some((target, rest)) if args.member => format!("{target}.({})", rest.join(", ")),
            _ => format!("({})", names.join(", ")),
        };
        let message = format!("found no matching overload for '{}' applied to '{signature}'", function.name);
        self.report(expr.at, message);
        Type::Error
    }

    fn logic(&mut self, expr: &Expr, call: &Call, function: &'static Function, types: &[Type]) -> Type {
        let mut fits = true;
        for (arg, of) in call.args.iter().zip(types) {
            if !self.bindings.assign(of, &Type::Bool) {
                self.mismatch(arg.at, &Type::Bool, of);
                fits = false;
            }
        }
        if !fits {
            return Type::Error;
        }
        self.mean(expr, Meaning::Overloads(function, function.overloads.iter().collect()));
        Type::Bool
    }
}
