//! What is checked once all types are known: that the elements of one literal have one type, and literals whose text means
//! something to the function they are given to.

use super::{Checked, Meaning};
use crate::ast::{Call, Expr, Kind};
use crate::library::{compile_regex, parse_duration, parse_timestamp};
use crate::source::Issues;
use crate::types::Type;

pub fn check_constants(checked: &Checked, issues: &mut Issues) {
    Constants { checked, issues }.visit(&checked.root, false);
}

struct Constants<'c> {
    checked: &'c Checked,
    issues: &'c mut Issues,
}

impl Constants<'_> {
    /// `mixed` inside a call of `format`, whose arguments may be of all types.
    fn visit(&mut self, expr: &Expr, mixed: bool) {
        match &expr.kind {
            Kind::Literal(_) | Kind::Ident(_) | Kind::Broken => {}
            Kind::Select(select) => self.visit(&select.operand, mixed),
            Kind::List(items) => {
                items.iter().for_each(|item| self.visit(&item.value, mixed));
                if !mixed {
                    self.same_types(items.iter().map(|item| (&item.value, item.optional)), true);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    self.visit(&entry.key, mixed);
                    self.visit(&entry.value, mixed);
                }
                if !mixed {
                    self.same_types(entries.iter().map(|entry| (&entry.key, false)), false);
                    self.same_types(entries.iter().map(|entry| (&entry.value, entry.optional)), false);
                }
            }
            Kind::Struct(construct) => construct.fields.iter().for_each(|field| self.visit(&field.value, mixed)),
            Kind::Fold(fold) => {
                for part in [&fold.range, &fold.init, &fold.condition, &fold.step, &fold.result] {
                    self.visit(part, mixed);
                }
            }
            Kind::Call(call) => {
                let mixed = mixed || &*call.function == "format";
                call.target.iter().chain(&call.args).for_each(|part| self.visit(part, mixed));
                self.argument(expr, call);
            }
        }
    }

    /// Reports elements of another type than the first has; of a list only one.
    fn same_types<'x>(&mut self, elements: impl Iterator<Item = (&'x Expr, bool)>, once: bool) {
        let mut first: Option<Type> = None;
        for (element, optional) in elements {
            let of = self.checked.type_of(element);
            let of = if optional { of.unwrapped().unwrap_or(of) } else { of };
            match &first {
                None => first = Some(of.clone()),
                Some(wanted) if wanted == of => {}
                Some(wanted) => {
                    self.issues.add_at(element.at, format!("expected type '{wanted}' but found '{of}'"));
                    if once {
                        return;
                    }
                }
            }
        }
    }

    fn argument(&mut self, expr: &Expr, call: &Call) {
        let (Meaning::Overloads(function, _) | Meaning::Qualified(function, _)) = self.checked.meaning(expr) else {
            return;
        };
        let argument = if function.name == "matches" { call.args.last() } else { call.args.first() };
        let Some((at, text)) = argument.and_then(|arg| Some((arg.at, arg.literal_str()?))) else {
            return;
        };
        let wrong = match function.name {
            "duration" => parse_duration(text).is_none(),
            "timestamp" => parse_timestamp(text).is_none(),
            "matches" => compile_regex(text).is_err(),
            _ => false,
        };
        if wrong {
            self.issues.add_at(at, format!("invalid {} argument", function.name));
        }
    }
}
