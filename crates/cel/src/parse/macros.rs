//! What macros become: loops ([`Fold`]) and presence tests.

use super::{ACCU, Parser};
use crate::ast::{Call, Expr, Fold, Item, Kind, Literal, Select};

/// The name that expressions may not use for a variable of a macro, since upstream once accumulated in it.
const ACCU_ONCE: &str = "__result__";

/// The target and arguments of a call that is no macro, given back.
type NoMacro = (Option<Expr>, Vec<Expr>);

/// What a loop accumulates, apart from its variables.
struct Loop {
    init: Expr,
    condition: Expr,
    step: Expr,
    result: Expr,
}

impl Parser<'_> {
    /// The expansion of a macro call, or the parts of the call when it calls a function. `at` is the offset of its
    /// parenthesis, which all nodes of the expansion report as their place.
    pub(super) fn expand(
        &mut self,
        at: u32,
        function: &str,
        target: Option<Expr>,
        args: Vec<Expr>,
    ) -> Result<Expr, NoMacro> {
        let Some(target) = target else {
            return match (function, <[Expr; 1]>::try_from(args)) {
                ("has", Ok([arg])) => Ok(self.presence(at, arg)),
                (_, Ok([arg])) => Err((None, vec![arg])),
                (_, Err(args)) => Err((None, args)),
            };
        };
        match (function, args.len()) {
            ("all" | "exists" | "exists_one" | "existsOne", 2 | 3) => Ok(self.quantifier(at, function, target, args)),
            ("map", 2 | 3) | ("filter", 2) => Ok(self.mapping(at, function, target, args)),
            ("transformList" | "transformMap" | "transformMapEntry", 3 | 4) => {
                Ok(self.transform(at, function, target, args))
            }
            ("optMap" | "optFlatMap", 2) => Ok(self.optional_map(at, function, target, args)),
            ("bind", 3) if self.bindings && matches!(&target.kind, Kind::Ident(name) if &**name == "cel") => {
                Ok(self.binding(at, target, args))
            }
            ("sortBy", 2) => Ok(self.sort_by(at, target, args)),
            _ => Err((Some(target), args)),
        }
    }

    fn presence(&mut self, at: u32, arg: Expr) -> Expr {
        match arg.kind {
            Kind::Select(select) if !select.test => {
                let select = Select { test: true, ..*select };
                self.node(at, Kind::Select(Box::new(select)))
            }
            _ => self.broken(arg.at, "invalid argument to has() macro"),
        }
    }

    /// The names of a macro's variables, or what stands instead of the macro.
    fn variables(&mut self, args: &[Expr], count: usize, message: &str) -> Result<(Box<str>, Option<Box<str>>), Expr> {
        let mut names: Vec<Box<str>> = Vec::with_capacity(count);
        for arg in args.iter().take(count) {
            let Kind::Ident(name) = &arg.kind else {
                return Err(self.broken(arg.at, message));
            };
            if names.contains(name) {
                return Err(self.broken(arg.at, format!("duplicate variable name: {name}")));
            }
            names.push(name.clone());
        }
        for (arg, name) in args.iter().zip(&names) {
            if &**name == ACCU_ONCE || &**name == ACCU {
                return Err(self.broken(arg.at, "iteration variable overwrites accumulator variable"));
            }
        }
        let mut names = names.into_iter();
        Ok((names.next().unwrap_or_default(), names.next()))
    }

    fn accu(&mut self, at: u32) -> Expr {
        self.node(at, Kind::Ident(ACCU.into()))
    }

    fn constant_of(&mut self, at: u32, literal: Literal) -> Expr {
        self.literal(at, literal)
    }

    fn fold(&mut self, at: u32, range: Expr, vars: (Box<str>, Option<Box<str>>), body: Loop) -> Expr {
        let Loop { init, condition, step, result } = body;
        let (var, var2) = vars;
        let fold = Fold { range, var, var2, accu: ACCU.into(), init, condition, step, result };
        self.node(at, Kind::Fold(Box::new(fold)))
    }

    fn quantifier(&mut self, at: u32, function: &str, target: Expr, mut args: Vec<Expr>) -> Expr {
        let count = args.len() - 1;
        let vars = match self.variables(&args, count, "argument must be a simple name") {
            Ok(vars) => vars,
            Err(broken) => return broken,
        };
        let Some(predicate) = args.pop() else { return target };
        let body = match function {
            "all" => {
                let accu = self.accu(at);
                let step_accu = self.accu(at);
                Loop {
                    init: self.constant_of(at, Literal::Bool(true)),
                    condition: self.call(at, "@not_strictly_false", vec![accu]),
                    step: self.call(at, "_&&_", vec![step_accu, predicate]),
                    result: self.accu(at),
                }
            }
            "exists" => {
                let accu = self.accu(at);
                let negated = self.call(at, "!_", vec![accu]);
                let step_accu = self.accu(at);
                Loop {
                    init: self.constant_of(at, Literal::Bool(false)),
                    condition: self.call(at, "@not_strictly_false", vec![negated]),
                    step: self.call(at, "_||_", vec![step_accu, predicate]),
                    result: self.accu(at),
                }
            }
            _ => self.exactly_one(at, predicate),
        };
        self.fold(at, target, vars, body)
    }

    fn exactly_one(&mut self, at: u32, predicate: Expr) -> Loop {
        let (accu, unchanged, last) = (self.accu(at), self.accu(at), self.accu(at));
        let one = self.constant_of(at, Literal::Int(1));
        let wanted = self.constant_of(at, Literal::Int(1));
        let more = self.call(at, "_+_", vec![accu, one]);
        Loop {
            init: self.constant_of(at, Literal::Int(0)),
            condition: self.constant_of(at, Literal::Bool(true)),
            step: self.call(at, "_?_:_", vec![predicate, more, unchanged]),
            result: self.call(at, "_==_", vec![last, wanted]),
        }
    }

    /// `[element]` appended to what was accumulated, where `filter` holds.
    fn appending(&mut self, at: u32, filter: Option<Expr>, element: Expr) -> Loop {
        let accu = self.accu(at);
        let list = self.node(at, Kind::List(vec![Item { value: element, optional: false }]));
        let step = self.call(at, "_+_", vec![accu, list]);
        Loop {
            init: self.node(at, Kind::List(Vec::new())),
            condition: self.constant_of(at, Literal::Bool(true)),
            step: self.filtered(at, filter, step),
            result: self.accu(at),
        }
    }

    fn filtered(&mut self, at: u32, filter: Option<Expr>, step: Expr) -> Expr {
        match filter {
            None => step,
            Some(filter) => {
                let unchanged = self.accu(at);
                self.call(at, "_?_:_", vec![filter, step, unchanged])
            }
        }
    }

    fn mapping(&mut self, at: u32, function: &str, target: Expr, mut args: Vec<Expr>) -> Expr {
        let vars = match self.variables(&args, 1, "argument is not an identifier") {
            Ok(vars) => vars,
            Err(broken) => return broken,
        };
        let Some(last) = args.pop() else { return target };
        let body = if function == "filter" {
            let Some(element) = args.pop() else { return target };
            self.appending(at, Some(last), element)
        } else {
            let filter = if args.len() == 2 { args.pop() } else { None };
            self.appending(at, filter, last)
        };
        self.fold(at, target, vars, body)
    }

    fn transform(&mut self, at: u32, function: &str, target: Expr, mut args: Vec<Expr>) -> Expr {
        let vars = match self.variables(&args, 2, "argument must be a simple name") {
            Ok(vars) => vars,
            Err(broken) => return broken,
        };
        let Some(transform) = args.pop() else { return target };
        let filter = if args.len() == 3 { args.pop() } else { None };
        if function == "transformList" {
            let body = self.appending(at, filter, transform);
            return self.fold(at, target, vars, body);
        }
        let mut parts = vec![self.accu(at)];
        if function == "transformMap" {
            let key = self.node(at, Kind::Ident(vars.0.clone()));
            parts.push(key);
        }
        parts.push(transform);
        let step = self.call(at, "cel.@mapInsert", parts);
        let body = Loop {
            init: self.node(at, Kind::Map(Vec::new())),
            condition: self.constant_of(at, Literal::Bool(true)),
            step: self.filtered(at, filter, step),
            result: self.accu(at),
        };
        self.fold(at, target, vars, body)
    }

    fn member_call(&mut self, at: u32, target: Expr, function: &str, args: Vec<Expr>) -> Expr {
        self.node(at, Kind::Call(Box::new(Call { target: Some(target), function: function.into(), args })))
    }

    /// A value under a name: a loop over nothing, whose accumulator is the value.
    fn bind(&mut self, at: u32, name: &str, value: Expr, result: Expr) -> Expr {
        let range = self.node(at, Kind::List(Vec::new()));
        let fold = Fold {
            range,
            var: "#unused".into(),
            var2: None,
            accu: name.into(),
            init: value,
            condition: self.constant_of(at, Literal::Bool(false)),
            step: self.node(at, Kind::Ident(name.into())),
            result,
        };
        self.node(at, Kind::Fold(Box::new(fold)))
    }

    fn binding(&mut self, at: u32, target: Expr, mut args: Vec<Expr>) -> Expr {
        let (Some(result), Some(value), Some(name)) = (args.pop(), args.pop(), args.pop()) else { return target };
        match name.kind {
            Kind::Ident(name) => self.bind(at, &name, value, result),
            _ => self.broken(name.at, "cel.bind() variable names must be simple identifiers"),
        }
    }

    fn optional_map(&mut self, at: u32, function: &str, target: Expr, mut args: Vec<Expr>) -> Expr {
        let Some(Kind::Ident(name)) = args.first().map(|arg| arg.kind.clone()) else {
            let at = args.first().map_or(at, |arg| arg.at);
            return self.broken(at, format!("{function}() variable name must be a simple identifier"));
        };
        let Some(mapped) = args.pop() else { return target };
        // The target is named when it is more than a name, so that it is evaluated once.
        const TARGET: &str = "@target";
        let named = target.qualified_name().is_none();
        let (mut tested, mut taken) = match named {
            true => (self.node(at, Kind::Ident(TARGET.into())), self.node(at, Kind::Ident(TARGET.into()))),
            false => (target.clone(), target.clone()),
        };
        if !named {
            self.renumber(&mut tested);
            self.renumber(&mut taken);
        }
        let condition = self.member_call(at, tested, "hasValue", vec![]);
        let value = self.member_call(at, taken, "value", vec![]);
        let bound = self.bind(at, &name, value, mapped);
        let some = if function == "optMap" { self.call(at, "optional.of", vec![bound]) } else { bound };
        let none = self.call(at, "optional.none", vec![]);
        let whole = self.call(at, "_?_:_", vec![condition, some, none]);
        if named { self.bind(at, TARGET, target, whole) } else { whole }
    }

    fn sort_by(&mut self, at: u32, target: Expr, args: Vec<Expr>) -> Expr {
        const INPUT: &str = "@__sortBy_input__";
        if matches!(target.kind, Kind::Literal(_) | Kind::Map(_) | Kind::Struct(_)) {
            let message = "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
            return self.broken(target.at, message);
        }
        let range = self.node(at, Kind::Ident(INPUT.into()));
        let keys = self.mapping(at, "map", range, args);
        let input = self.node(at, Kind::Ident(INPUT.into()));
        let sorted = self.member_call(at, input, "@sortByAssociatedKeys", vec![keys]);
        self.bind(at, INPUT, target, sorted)
    }

    /// Fresh numbers for a copied qualified name; types are kept by number.
    fn renumber(&mut self, expr: &mut Expr) {
        expr.id = self.nodes;
        self.nodes += 1;
        if let Kind::Select(select) = &mut expr.kind {
            self.renumber(&mut select.operand);
        }
    }
}
