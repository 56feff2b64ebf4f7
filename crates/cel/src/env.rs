//! What an expression may refer to, and what it becomes: environments and programs.

use crate::ast::{Expr, Kind, Literal};
use crate::check::{self, Checked};
use crate::declare::Function;
use crate::estimate::{self, Estimate, Sizes};
use crate::eval::{self, Activation, Evaluated, Failed};
use crate::library::FUNCTIONS;
use crate::parse;
use crate::source::{Issues, Source};
use crate::types::{NoObjects, Objects, Type};
use std::collections::HashMap;
use std::sync::Arc;

/// The library that only environments of JSON patches have.
const JSON_PATCH: &str = "k8s.jsonpatch";

/// What an expression may refer to: variables, types of objects, and Kubernetes' libraries of functions.
#[derive(Debug, Clone)]
pub struct Env {
    variables: HashMap<Box<str>, Type>,
    objects: Arc<dyn Objects>,
    json_patch: bool,
    bindings: bool,
}

impl Default for Env {
    fn default() -> Env {
        Env::new([])
    }
}

impl Env {
    /// An environment with these variables. A name with dots (`authorizer.requestResource`) is one variable too.
    pub fn new<'n>(variables: impl IntoIterator<Item = (&'n str, Type)>) -> Env {
        let variables = variables.into_iter().map(|(name, of)| (name.into(), of)).collect();
        Env { variables, objects: Arc::new(NoObjects), json_patch: false, bindings: false }
    }

    /// The same with one variable more, in place of one of its name.
    #[must_use]
    pub fn with_variable(mut self, name: &str, of: Type) -> Env {
        self.variables.insert(name.into(), of);
        self
    }

    /// The same with the fields of these object types.
    #[must_use]
    pub fn with_objects(mut self, objects: Arc<dyn Objects>) -> Env {
        self.objects = objects;
        self
    }

    /// The same with `jsonpatch.escapeKey`.
    #[must_use]
    pub fn with_json_patch(mut self) -> Env {
        self.json_patch = true;
        self
    }

    /// The same with the macro `cel.bind(name, value, expression)`.
    #[must_use]
    pub fn with_bindings(mut self) -> Env {
        self.bindings = true;
        self
    }

    /// Parses and checks an expression.
    ///
    /// # Errors
    /// What is wrong with it, printed as upstream prints it.
    pub fn compile(&self, text: &str) -> Result<Program, Issues> {
        let source = Source::new(text);
        let parsed = parse::parse(&source, self.bindings)?;
        let checked = check::check(parsed, &source, self)?;
        Ok(Program { checked: Arc::new(checked) })
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Type> {
        self.variables.get(name)
    }

    pub(crate) fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    pub(crate) fn has_library(&self, library: &str) -> bool {
        library != JSON_PATCH || self.json_patch
    }

    pub(crate) fn function(&self, name: &str) -> Option<&'static Function> {
        let function = FUNCTIONS.get(name)?;
        function.overloads.iter().any(|overload| self.has_library(overload.library)).then_some(function)
    }

    /// The type an expression names.
    pub(crate) fn type_named(&self, name: &str) -> Option<Type> {
        Some(match name {
            "bool" => Type::Bool,
            "bytes" => Type::Bytes,
            "double" => Type::Double,
            "google.protobuf.Duration" => Type::Duration,
            "google.protobuf.Timestamp" => Type::Timestamp,
            "int" => Type::Int,
            "list" => Type::list(Type::Dyn),
            "map" => Type::map(Type::Dyn, Type::Dyn),
            "null_type" => Type::Null,
            "optional_type" => Type::optional(Type::Dyn),
            "string" => Type::String,
            "type" => Type::of_type(Type::Dyn),
            "uint" => Type::Uint,
            "net.IP" | "net.CIDR" => Type::opaque(name),
            "kubernetes.Quantity" | "kubernetes.URL" | "kubernetes.Semver" | "kubernetes.NamedFormat" => {
                Type::object(name)
            }
            name if self.objects.is_object(name) => Type::object(name),
            _ => return None,
        })
    }
}

/// An expression that compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Program {
    checked: Arc<Checked>,
}

impl Program {
    /// The type of the expression's value; [`Type::Dyn`] when only running it tells.
    pub fn output_type(&self) -> &Type {
        self.checked.type_of(&self.checked.root)
    }

    /// Whether the expression reads the variable.
    pub fn uses(&self, variable: &str) -> bool {
        let mut found = false;
        self.each(&mut |expr| {
            if let check::Meaning::Variable(name) = self.checked.meaning(expr) {
                found |= &**name == variable;
            }
        });
        found
    }

    /// Whether the expression looks at this field of this variable: `variable.field`, `variable.?field`, `has(variable.field)`.
    pub fn selects(&self, variable: &str, field: &str) -> bool {
        let is_variable = |expr: &Expr| matches!(&expr.kind, Kind::Ident(name) if **name == *variable);
        let is_field = |expr: &Expr| matches!(&expr.kind, Kind::Literal(Literal::String(text)) if **text == *field);
        let mut found = false;
        self.each(&mut |expr| {
            found |= match &expr.kind {
                Kind::Select(select) => is_variable(&select.operand) && *select.field == *field,
                Kind::Call(call) if &*call.function == "_?._" => {
                    matches!(&call.args[..], [operand, name] if is_variable(operand) && is_field(name))
                }
                _ => false,
            };
        });
        found
    }

    pub(crate) fn each(&self, visit: &mut impl FnMut(&Expr)) {
        crate::ast::each(&self.checked.root, visit);
    }

    /// Runs the expression. Its cost, in upstream's units, may be up to `cost_max`.
    ///
    /// # Errors
    /// What upstream calls the error of an evaluation; [`Failed::is_fatal`] when it ran out of cost.
    pub fn evaluate<'a>(&'a self, activation: &Activation<'a>, cost_max: u64) -> Result<Evaluated<'a>, Failed> {
        eval::run(&self.checked, activation, cost_max)
    }

    /// What the expression may cost, given the sizes that values of its variables may have.
    pub fn estimate_cost(&self, sizes: &dyn Sizes) -> Estimate {
        estimate::estimate(&self.checked, sizes)
    }
}
