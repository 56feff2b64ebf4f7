//! The types of an expression's parts, and which overloads its calls may mean.

mod calls;
mod constants;
mod construct;
mod unify;

use crate::ast::{Expr, Fold, Kind, Literal, Select};
use crate::declare::{Function, Overload};
use crate::env::Env;
use crate::parse::Parsed;
use crate::source::{Issues, Source};
use crate::types::Type;
use unify::Bindings;

/// A checked expression: for every node, by its number, its type and what its name or call means.
#[derive(Debug, Clone)]
pub struct Checked {
    pub root: Expr,
    pub types: Vec<Type>,
    pub meanings: Vec<Meaning>,
}

/// What a node refers to.
#[derive(Debug, Clone, Default)]
pub enum Meaning {
    #[default]
    None,
    /// The variable of this name; for selections too, when the whole `a.b` is one name.
    Variable(Box<str>),
    /// A type as a value.
    Type(Type),
    /// The overloads of a function that fit; more than one when types are known at run time only.
    Overloads(&'static Function, Vec<&'static Overload>),
    /// The same, of a function whose name is `target.function`: there is no target to evaluate.
    Qualified(&'static Function, Vec<&'static Overload>),
}

impl Checked {
    pub fn type_of(&self, expr: &Expr) -> &Type {
        self.types.get(expr.id as usize).unwrap_or(&Type::Dyn)
    }

    pub fn meaning(&self, expr: &Expr) -> &Meaning {
        self.meanings.get(expr.id as usize).unwrap_or(&Meaning::None)
    }
}

pub fn check(parsed: Parsed, source: &Source, env: &Env) -> Result<Checked, Issues> {
    let nodes = parsed.nodes as usize;
    let mut checker = Checker {
        env,
        issues: Issues::new(source.clone()),
        types: vec![Type::Dyn; nodes],
        meanings: vec![Meaning::None; nodes],
        bindings: Bindings::default(),
        scopes: Vec::new(),
        work: 0,
    };
    checker.expr(&parsed.root);
    let Checker { mut types, meanings, bindings, mut issues, .. } = checker;
    if !issues.is_empty() {
        return Err(issues);
    }
    for of in &mut types {
        *of = bindings.substitute(of, true);
    }
    let checked = Checked { root: parsed.root, types, meanings };
    constants::check_constants(&checked, &mut issues);
    if issues.is_empty() { Ok(checked) } else { Err(issues) }
}

struct Checker<'e> {
    env: &'e Env,
    issues: Issues,
    types: Vec<Type>,
    meanings: Vec<Meaning>,
    bindings: Bindings,
    /// The variables of loops, the innermost last.
    scopes: Vec<(Box<str>, Type)>,
    work: u64,
}

impl Checker<'_> {
    fn set(&mut self, expr: &Expr, of: Type) {
        if let Some(slot) = self.types.get_mut(expr.id as usize) {
            *slot = of;
        }
    }

    fn mean(&mut self, expr: &Expr, meaning: Meaning) {
        if let Some(slot) = self.meanings.get_mut(expr.id as usize) {
            *slot = meaning;
        }
    }

    fn type_of(&self, expr: &Expr) -> Type {
        self.types.get(expr.id as usize).cloned().unwrap_or(Type::Dyn)
    }

    fn report(&mut self, at: u32, message: String) {
        self.issues.add_at(at, message);
    }

    fn mismatch(&mut self, at: u32, expected: &Type, found: &Type) {
        self.report(at, format!("expected type '{expected}' but found '{found}'"));
    }

    /// The type of an expression with what is known of it by now.
    fn expr(&mut self, expr: &Expr) -> Type {
        let of = match &expr.kind {
            Kind::Literal(literal) => literal_type(literal),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select(select) => self.select(expr, select),
            Kind::Call(call) => self.call(expr, call),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct(construct) => self.construct(expr, construct),
            Kind::Fold(fold) => self.fold(fold),
            Kind::Broken => Type::Error,
        };
        let of = if unify::is_too_large(&of) {
            self.report(expr.at, "the type of the expression has too many parts".to_owned());
            Type::Error
        } else {
            of
        };
        self.set(expr, of.clone());
        of
    }

    /// What a name means: a loop's variable, a declared one, or a type.
    fn lookup(&self, name: &str) -> Option<(Meaning, Type)> {
        let absolute = name.strip_prefix('.');
        let name = absolute.unwrap_or(name);
        let variable = |of: &Type| (Meaning::Variable(name.into()), of.clone());
        if absolute.is_none()
            && let Some((_, of)) = self.scopes.iter().rev().find(|(local, _)| &**local == name)
        {
            return Some(variable(of));
        }
        if let Some(of) = self.env.variable(name) {
            return Some(variable(of));
        }
        let of = self.env.type_named(name)?;
        Some((Meaning::Type(of.clone()), Type::of_type(of)))
    }

    fn ident(&mut self, expr: &Expr, name: &str) -> Type {
        match self.lookup(name) {
            Some((meaning, of)) => {
                self.mean(expr, meaning);
                of
            }
            None => {
                self.report(expr.at, format!("undeclared reference to '{name}' (in container '')"));
                Type::Error
            }
        }
    }

    fn select(&mut self, expr: &Expr, select: &Select) -> Type {
        if let Some(name) = (!select.test).then(|| expr.qualified_name()).flatten()
            && let Some((meaning, of)) = self.lookup(&name)
        {
            self.mean(expr, meaning);
            return of;
        }
        let of = self.field(expr.at, &select.operand, &select.field, false);
        if select.test {
            return Type::Bool;
        }
        self.bindings.substitute(&of, false)
    }

    /// The type of `operand.field`.
    fn field(&mut self, at: u32, operand: &Expr, field: &str, optional: bool) -> Type {
        let of = self.expr(operand);
        let of = self.bindings.substitute(&of, false);
        let unwrapped = of.unwrapped();
        let target = unwrapped.unwrap_or(&of);
        let found = match target {
            Type::Map(both) => both.1.clone(),
            Type::Object(name) => self.object_field(at, name, field).unwrap_or(Type::Error),
            Type::Param(_) => {
                self.bindings.assign(&Type::Dyn, target);
                Type::Dyn
            }
            other => {
                if !other.is_dyn_or_error() {
                    self.report(at, format!("type '{other}' does not support field selection"));
                }
                Type::Dyn
            }
        };
        if unwrapped.is_some() || optional { Type::optional(found) } else { found }
    }

    fn object_field(&mut self, at: u32, object: &str, field: &str) -> Option<Type> {
        if !self.env.objects().is_object(object) {
            self.report(at, format!("unexpected failed resolution of '{object}'"));
            return None;
        }
        let found = self.env.objects().field(object, field);
        if found.is_none() {
            self.report(at, format!("undefined field '{field}'"));
        }
        found
    }

    fn fold(&mut self, fold: &Fold) -> Type {
        self.expr(&fold.range);
        let accu = self.expr(&fold.init);
        let range = self.type_of(&fold.range);
        let range = self.bindings.substitute(&range, false);
        let scopes = self.scopes.len();
        self.scopes.push((fold.accu.clone(), accu.clone()));
        let (first, second) = match &range {
            Type::List(items) if fold.var2.is_some() => (Type::Int, Type::clone(items)),
            Type::List(items) => (Type::clone(items), Type::Dyn),
            Type::Map(both) => (both.0.clone(), both.1.clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.bindings.assign(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.report(fold.range.at, message);
                (Type::Error, Type::Error)
            }
        };
        self.scopes.push((fold.var.clone(), first));
        if let Some(var2) = &fold.var2 {
            self.scopes.push((var2.clone(), second));
        }
        self.expr(&fold.condition);
        self.expect_type(&fold.condition, &Type::Bool);
        self.expr(&fold.step);
        self.expect_type(&fold.step, &accu);
        self.scopes.truncate(scopes + 1);
        let result = self.expr(&fold.result);
        self.scopes.truncate(scopes);
        self.bindings.substitute(&result, false)
    }

    fn expect_type(&mut self, expr: &Expr, expected: &Type) {
        let found = self.type_of(expr);
        if !self.bindings.assign(expected, &found) {
            self.mismatch(expr.at, expected, &found);
        }
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}

#[cfg(test)]
mod tests;
