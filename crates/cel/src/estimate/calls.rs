//! What calls may cost, and how large their results may be.

use super::library::{self, Arg, Called};
use super::{Estimate, Estimator, ONE, Size};
use crate::ast::{Call, Expr};
use crate::check::Meaning;

/// A unit for every so many characters, and for every so many of a regular expression.
pub const STRING_FACTOR: f64 = 0.1;
pub const REGEX_FACTOR: f64 = 0.25;

/// The cost of a call without that of its arguments, and the size of its result when that is known.
pub struct CallEstimate {
    pub cost: Estimate,
    pub result: Option<Size>,
}

impl From<Estimate> for CallEstimate {
    fn from(cost: Estimate) -> CallEstimate {
        CallEstimate { cost, result: None }
    }
}

impl<'e> Estimator<'e> {
    pub(super) fn call(&mut self, expr: &'e Expr, call: &'e Call) -> Estimate {
        let (function, overloads, qualified) = match self.checked.meaning(expr) {
            Meaning::Overloads(function, overloads) => (function.name, overloads, false),
            Meaning::Qualified(function, overloads) => (function.name, overloads, true),
            _ => return Estimate::default(),
        };
        if let ("dyn", [arg]) = (function, call.args.as_slice()) {
            let cost = self.cost(arg);
            self.copy_sizes(expr, arg);
            return cost.plus(ONE);
        }
        let costs: Vec<Estimate> = call.args.iter().map(|arg| self.cost(arg)).collect();
        let args: Vec<Arg> = call.args.iter().map(|arg| self.arg(arg)).collect();
        let target = call.target.as_ref().filter(|_| !qualified);
        let (target_cost, target) = match target {
            Some(target) => (self.cost(target), Some(self.arg(target))),
            None => (Estimate::default(), None),
        };
        let mut cost = Estimate { min: u64::MAX, max: 0 };
        let mut result: Option<Size> = None;
        for overload in overloads {
            let called = Called { function, overload: overload.id, target: target.as_ref(), args: &args };
            let one = self.one(expr, call, &called, &costs);
            cost = cost.union(one.cost);
            result = match (result, one.result) {
                (Some(known), Some(size)) => Some(known.union(size)),
                (known, size) => known.or(size),
            };
            let step = match overload.id {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let (Some(step), Some(first)) = (step, call.args.first()) {
                result = self.elements_of(first).map(|elements| elements.value);
                let path = self.extended(first, step);
                self.paths.insert(expr.id, path);
            }
            if result.is_none() {
                result = self.size(expr);
            }
        }
        if let Some(size) = result {
            self.sizes.insert(expr.id, size);
        }
        target_cost.plus(cost)
    }

    /// An argument as the library's estimates see it.
    fn arg(&mut self, expr: &'e Expr) -> Arg<'e> {
        let size = self.size(expr);
        let of = self.checked.type_of(expr);
        let path = self.path(expr);
        let known = path.first().is_some_and(|first| &**first != crate::parse::ACCU);
        let item_size = match of.parameters().first() {
            Some(item) => {
                let mut path = path;
                path.push("@items".into());
                let path = known.then_some(path.as_slice());
                self.outside.size(&super::Node { path, of: item })
            }
            None => None,
        };
        Arg { expr, of, size, item_size }
    }

    fn one(&mut self, expr: &'e Expr, call: &'e Call, called: &Called<'_, 'e>, costs: &[Estimate]) -> CallEstimate {
        let args_cost = || costs.iter().copied().fold(Estimate::default(), Estimate::plus);
        if let Some(known) = library::estimate(called) {
            return CallEstimate { cost: known.cost.plus(args_cost()), result: known.result };
        }
        let size = |at: usize| called.args.get(at).map_or(Size::ANY, Arg::size_or_any);
        let target = called.target.map_or(Size::ANY, Arg::size_or_any);
        let own: CallEstimate = match called.overload {
            "logical_or" | "logical_and" => {
                let [left, right] = costs else { return args_cost().into() };
                // The second may not be looked at.
                return Estimate { min: left.min, max: left.plus(*right).max }.into();
            }
            "conditional" => return self.conditional(expr, call, costs, size(1).union(size(2))),
            "string_format" => target.by_factor(STRING_FACTOR).into(),
            "string_to_bytes" => {
                let of = size(0);
                let result = Some(Size { min: of.min, max: of.max.saturating_mul(4) });
                CallEstimate { cost: of.by_factor(STRING_FACTOR), result }
            }
            "bytes_to_string" => {
                let of = size(0);
                CallEstimate { cost: of.by_factor(STRING_FACTOR), result: Some(Size { min: of.min / 4, max: of.max }) }
            }
            "strings_quote" => {
                let of = size(0);
                let max = of.max.saturating_mul(2).saturating_add(2);
                CallEstimate {
                    cost: of.by_factor(STRING_FACTOR),
                    result: Some(Size { min: of.min.saturating_add(2), max }),
                }
            }
            "starts_with_string" | "ends_with_string" => size(0).by_factor(STRING_FACTOR).into(),
            "in_list" => size(1).by_factor(1.0).into(),
            "matches_string" => {
                let text = target.plus(Size::fixed(1)).by_factor(STRING_FACTOR);
                text.times(size(0).by_factor(REGEX_FACTOR)).into()
            }
            "contains_string" => target.by_factor(STRING_FACTOR).times(size(0).by_factor(STRING_FACTOR)).into(),
            "add_string" | "add_bytes" | "add_list" => {
                let result = size(0).plus(size(1));
                self.keep_elements(expr, call);
                let is_list = called.overload == "add_list";
                let cost = if is_list { ONE } else { result.by_factor(STRING_FACTOR) };
                CallEstimate { cost, result: Some(result) }
            }
            "less_string"
            | "greater_string"
            | "less_equals_string"
            | "greater_equals_string"
            | "less_bytes"
            | "greater_bytes"
            | "less_equals_bytes"
            | "greater_equals_bytes"
            | "equals"
            | "not_equals" => {
                let max = size(0).max.min(size(1).max);
                Size { min: u64::from(max > 0), max }.by_factor(STRING_FACTOR).into()
            }
            _ => ONE.into(),
        };
        CallEstimate { cost: own.cost.plus(args_cost()), result: own.result }
    }

    fn conditional(&mut self, expr: &Expr, call: &Call, costs: &[Estimate], size: Size) -> CallEstimate {
        let [condition, yes, no] = costs else { return Estimate::default().into() };
        if let [_, yes, no] = call.args.as_slice()
            && let (Some(yes), Some(no)) = (self.elements_of(yes), self.elements_of(no))
        {
            self.elements.insert(expr.id, yes.union(no));
        }
        CallEstimate { cost: condition.plus(yes.union(*no)), result: Some(size) }
    }

    /// Keeps the sizes of elements of a sum of two lists.
    fn keep_elements(&mut self, expr: &Expr, call: &Call) {
        if let [first, second] = call.args.as_slice()
            && let (Some(first), Some(second)) = (self.elements_of(first), self.elements_of(second))
        {
            self.elements.insert(expr.id, first.union(second));
        }
    }
}
