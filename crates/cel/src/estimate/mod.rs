//! What an expression may cost at least and at most, before it runs. Definitions are refused by these figures, so they are
//! upstream's, with its quirks.

mod calls;
mod library;
mod size;

pub use size::{Estimate, Size};

use crate::ast::{Expr, Fold, Kind, Literal, Select};
use crate::check::{Checked, Meaning};
use crate::types::Type;
use std::collections::HashMap;
use std::rc::Rc;

/// What is known of sizes from outside: how long the strings, lists and maps of variables may be.
pub trait Sizes {
    /// The size of a part; `None` when it is not known.
    fn size(&self, node: &Node) -> Option<Size>;
}

/// A part of an expression, for its size.
pub struct Node<'n> {
    /// The way to it from a variable: the variable's name, then names of fields, `@items`, `@indices`, `@keys` and
    /// `@values`. `None` when it does not come from a variable.
    pub path: Option<&'n [Rc<str>]>,
    pub of: &'n Type,
}

type Path = Vec<Rc<str>>;

const ONE: Estimate = Estimate { min: 1, max: 1 };
const LIST_CREATE: Estimate = Estimate { min: 10, max: 10 };
const MAP_CREATE: Estimate = Estimate { min: 30, max: 30 };
const STRUCT_CREATE: Estimate = Estimate { min: 40, max: 40 };

pub fn estimate(checked: &Checked, sizes: &dyn Sizes) -> Estimate {
    let mut estimator = Estimator {
        checked,
        outside: sizes,
        paths: HashMap::new(),
        locals: Vec::new(),
        sizes: HashMap::new(),
        elements: HashMap::new(),
    };
    estimator.cost(&checked.root)
}

struct Estimator<'e> {
    checked: &'e Checked,
    outside: &'e dyn Sizes,
    paths: HashMap<u32, Path>,
    /// The variables of loops, the innermost last.
    locals: Vec<Local<'e>>,
    sizes: HashMap<u32, Size>,
    elements: HashMap<u32, Elements>,
}

struct Local<'e> {
    name: &'e str,
    path: Path,
    size: Option<Size>,
    elements: Option<Elements>,
}

/// The sizes of the elements of a list or map.
#[derive(Debug, Clone, Copy)]
struct Elements {
    is_list: bool,
    key: Size,
    value: Size,
}

impl Elements {
    fn union(self, other: Elements) -> Elements {
        Elements { is_list: self.is_list, key: self.key.union(other.key), value: self.value.union(other.value) }
    }
}

impl<'e> Estimator<'e> {
    fn cost(&mut self, expr: &'e Expr) -> Estimate {
        match &expr.kind {
            Kind::Literal(_) | Kind::Broken => Estimate::default(),
            Kind::Ident(name) => {
                let path = match self.local(name) {
                    Some(local) => local.path.clone(),
                    None => vec![Rc::from(&**name)],
                };
                self.paths.insert(expr.id, path);
                ONE
            }
            Kind::Select(select) => self.select(expr, select),
            Kind::Call(call) => self.call(expr, call),
            Kind::List(items) => {
                let parts: Vec<&Expr> = items.iter().map(|item| &item.value).collect();
                let (sum, value) = self.parts(&parts);
                self.elements.insert(expr.id, Elements { is_list: true, key: Size::fixed(1), value });
                sum.plus(LIST_CREATE)
            }
            Kind::Map(entries) => {
                let keys: Vec<&Expr> = entries.iter().map(|entry| &entry.key).collect();
                let values: Vec<&Expr> = entries.iter().map(|entry| &entry.value).collect();
                let (key_costs, key) = self.parts(&keys);
                let (value_costs, value) = self.parts(&values);
                self.elements.insert(expr.id, Elements { is_list: false, key, value });
                key_costs.plus(value_costs).plus(MAP_CREATE)
            }
            Kind::Struct(construct) => {
                let costs = construct.fields.iter().map(|field| self.cost(&field.value));
                costs.fold(Estimate::default(), Estimate::plus).plus(STRUCT_CREATE)
            }
            Kind::Fold(fold) if is_binding(fold) => self.binding(expr, fold),
            Kind::Fold(fold) => self.fold(expr, fold),
        }
    }

    /// What elements cost together, and the sizes they have.
    fn parts(&mut self, parts: &[&'e Expr]) -> (Estimate, Size) {
        let mut sum = Estimate::default();
        let mut size = Size { min: if parts.is_empty() { 0 } else { u64::MAX }, max: 0 };
        for part in parts {
            sum = sum.plus(self.cost(part));
            size = size.union(self.size_or_any(part));
        }
        (sum, size)
    }

    fn local(&self, name: &str) -> Option<&Local<'e>> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    fn select(&mut self, expr: &'e Expr, select: &'e Select) -> Estimate {
        if let Meaning::Variable(name) = self.checked.meaning(expr) {
            self.paths.insert(expr.id, vec![Rc::from(&**name)]);
            return ONE;
        }
        // Asking for presence is free.
        let mut sum = self.cost(&select.operand);
        if select.test {
            return sum;
        }
        if matches!(self.checked.type_of(&select.operand), Type::Map(_) | Type::Object(_) | Type::Param(_)) {
            sum = sum.plus(ONE);
        }
        let path = self.extended(&select.operand, &select.field);
        self.paths.insert(expr.id, path);
        sum
    }

    fn path(&self, expr: &Expr) -> Path {
        if let Kind::Ident(name) = &expr.kind
            && let Some(local) = self.local(name)
        {
            return local.path.clone();
        }
        self.paths.get(&expr.id).cloned().unwrap_or_default()
    }

    fn extended(&self, expr: &Expr, step: &str) -> Path {
        let mut path = self.path(expr);
        path.push(step.into());
        path
    }

    fn binding(&mut self, expr: &'e Expr, fold: &'e Fold) -> Estimate {
        let sum = self.cost(&fold.range).plus(self.cost(&fold.init));
        self.push_value(&fold.accu, &fold.init);
        let sum = sum.plus(self.cost(&fold.result));
        self.locals.pop();
        self.copy_sizes(expr, &fold.result);
        sum
    }

    fn copy_sizes(&mut self, to: &Expr, from: &Expr) {
        if let Some(size) = self.size(from) {
            self.sizes.insert(to.id, size);
        }
        if let Some(elements) = self.elements_of(from) {
            self.elements.insert(to.id, elements);
        }
    }

    fn push_value(&mut self, name: &'e str, value: &Expr) {
        let (path, size, elements) = (self.path(value), self.size(value), self.elements_of(value));
        self.locals.push(Local { name, path, size, elements });
    }

    fn push_element(&mut self, name: &'e str, range: &Expr, size: Option<Size>, step: &str) {
        let path = self.extended(range, step);
        self.locals.push(Local { name, path, size, elements: None });
    }

    fn fold(&mut self, expr: &'e Expr, fold: &'e Fold) -> Estimate {
        let sum = self.cost(&fold.range).plus(self.cost(&fold.init));
        self.push_value(&fold.accu, &fold.init);
        let elements = self.elements_of(&fold.range);
        let is_list = match elements {
            Some(elements) => elements.is_list,
            None => matches!(self.checked.type_of(&fold.range), Type::List(_)),
        };
        let (key, value) = (elements.map(|of| of.key), elements.map(|of| of.value));
        let values = if is_list { "@items" } else { "@values" };
        match &fold.var2 {
            Some(var2) => {
                self.push_element(&fold.var, &fold.range, key, if is_list { "@indices" } else { "@keys" });
                self.push_element(var2, &fold.range, value, values);
            }
            None if is_list => self.push_element(&fold.var, &fold.range, value, "@items"),
            None => self.push_element(&fold.var, &fold.range, key, "@keys"),
        }
        let turn = self.cost(&fold.condition).plus(self.cost(&fold.step));
        self.locals.pop();
        if fold.var2.is_some() {
            self.locals.pop();
        }
        let sum = sum.plus(self.cost(&fold.result));
        self.locals.pop();
        let turns = self.size_or_any(&fold.range);
        match &fold.init.kind {
            Kind::Literal(_) => {
                if let Some(size) = self.size(&fold.init) {
                    self.sizes.insert(expr.id, size);
                }
            }
            Kind::List(_) | Kind::Map(_) => {
                self.sizes.insert(expr.id, turns);
                if let Some(elements) = self.elements_of(&fold.step) {
                    self.elements.insert(expr.id, elements);
                }
            }
            _ => {}
        }
        sum.plus(turns.times_cost(turn))
    }

    fn elements_of(&self, expr: &Expr) -> Option<Elements> {
        if let Some(elements) = self.elements.get(&expr.id) {
            return Some(*elements);
        }
        match &expr.kind {
            Kind::Ident(name) => self.local(name)?.elements,
            _ => None,
        }
    }

    fn size_or_any(&mut self, expr: &Expr) -> Size {
        self.size(expr).unwrap_or(Size::ANY)
    }

    fn size(&mut self, expr: &Expr) -> Option<Size> {
        if let Some(size) = self.sizes.get(&expr.id) {
            return Some(*size);
        }
        if let Some(size) = written_size(expr) {
            return Some(size);
        }
        let path = self.path(expr);
        let path = (!path.is_empty()).then_some(path.as_slice());
        let of = self.checked.type_of(expr);
        if let Some(size) = self.outside.size(&Node { path, of }) {
            self.sizes.insert(expr.id, size);
            return Some(size);
        }
        if of.is_scalar() {
            return Some(Size::fixed(1));
        }
        match &expr.kind {
            Kind::Ident(name) => self.local(name)?.size,
            _ => None,
        }
    }
}

/// A loop that only gives a value a name.
fn is_binding(fold: &Fold) -> bool {
    matches!(&fold.range.kind, Kind::List(items) if items.is_empty())
        && fold.condition.kind == Kind::Literal(Literal::Bool(false))
}

/// The size of what is written out.
fn written_size(expr: &Expr) -> Option<Size> {
    let size = match &expr.kind {
        Kind::Literal(Literal::String(text)) => text.chars().count(),
        Kind::Literal(Literal::Bytes(bytes)) => bytes.len(),
        Kind::Literal(_) => 1,
        Kind::List(items) => items.len(),
        Kind::Map(entries) => entries.len(),
        _ => return None,
    };
    Some(Size::fixed(u64::try_from(size).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
