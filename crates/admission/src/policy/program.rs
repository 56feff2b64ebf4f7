//! A policy with its expressions compiled, kept as long as it stays as it is.

use cel::policy::{PolicyEnv, Variables, json_patch_type, object_type};
use cel::{Program, Type};
use meta::{Str, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// An expression: its text, and what it compiled to.
pub struct Expression {
    pub text: Str,
    pub program: Result<Program, String>,
}

pub struct Variable {
    pub name: Str,
    pub program: Result<Program, String>,
}

pub struct Validation {
    pub expression: Expression,
    pub message: Option<Program>,
    /// As it is written.
    pub source: Value,
}

fn compile(env: &PolicyEnv, with: Variables, text: &Value, returned: &[Type]) -> Expression {
    Expression { text: text.str().trim().into(), program: env.compile(text.str(), with, returned) }
}

fn compile_with(env: &PolicyEnv, with: Variables, conditions: &Value) -> Vec<Expression> {
    conditions.items().iter().map(|condition| compile(env, with, &condition["expression"], &[Type::Bool])).collect()
}

/// The variables of a policy, each of which may use those before it.
fn compile_variables(env: &mut PolicyEnv, with: Variables, written: &Value) -> Vec<Variable> {
    let mut variables = Vec::new();
    for variable in written.items() {
        let program = env.compile(variable["expression"].str(), with, &[]);
        let of = program.as_ref().map_or(Type::Dyn, |program| program.output_type().clone());
        env.add(variable["name"].str(), of);
        variables.push(Variable { name: variable["name"].str().into(), program });
    }
    variables
}

/// The `matchConditions` of a webhook.
pub fn compile_conditions(conditions: &Value) -> Vec<Expression> {
    compile_with(&PolicyEnv::new(), Variables { authorizer: true, ..Variables::default() }, conditions)
}

/// A ValidatingAdmissionPolicy.
pub struct Compiled {
    pub variables: Vec<Variable>,
    pub conditions: Vec<Expression>,
    pub validations: Vec<Validation>,
    /// Keys and values of audit annotations.
    pub annotations: Vec<(Str, Expression)>,
}

impl Compiled {
    pub fn new(spec: &Value) -> Compiled {
        let all = Variables { params: !spec["paramKind"].is_null(), authorizer: true, patches: false };
        let expression = |env: &PolicyEnv, text: &Value, returned: &[Type]| compile(env, all, text, returned);
        let written = &spec["variables"];
        let mut env = if written.is_empty() { PolicyEnv::new() } else { PolicyEnv::composed() };
        let variables = compile_variables(&mut env, all, written);
        let without_authorizer = Variables { authorizer: false, ..all };
        let validation = |source: &Value| Validation {
            expression: expression(&env, &source["expression"], &[Type::Bool]),
            message: match source["messageExpression"].str() {
                "" => None,
                // A message that does not compile is as good as none.
                text => env.compile(text, without_authorizer, &[Type::String]).ok(),
            },
            source: source.clone(),
        };
        let annotation = |source: &Value| {
            let value = expression(&env, &source["valueExpression"], &[Type::String, Type::Null]);
            (source["key"].str().into(), value)
        };
        Compiled {
            validations: spec["validations"].items().iter().map(validation).collect(),
            annotations: spec["auditAnnotations"].items().iter().map(annotation).collect(),
            variables,
            conditions: compile_with(&PolicyEnv::new(), all, &spec["matchConditions"]),
        }
    }
}

/// What a MutatingAdmissionPolicy does, in order.
pub struct Mutation {
    /// Whether it makes a configuration to apply, or else a JSON patch.
    pub applies: bool,
    pub expression: Expression,
}

/// A MutatingAdmissionPolicy.
pub struct Mutations {
    pub variables: Vec<Variable>,
    pub conditions: Vec<Expression>,
    pub mutations: Vec<Mutation>,
}

impl Mutations {
    pub fn new(spec: &Value) -> Mutations {
        let all = Variables { params: !spec["paramKind"].is_null(), authorizer: true, patches: false };
        let mut env = PolicyEnv::composed();
        let variables = compile_variables(&mut env, all, &spec["variables"]);
        let patching = Variables { patches: true, ..all };
        let mutation = |source: &Value| {
            let applies = source["patchType"].str() == "ApplyConfiguration";
            let field = if applies { "applyConfiguration" } else { "jsonPatch" };
            let returned = if applies { object_type() } else { json_patch_type() };
            let text = source[field]["expression"].str();
            let program = env.compile(text, patching, &[returned]);
            Mutation { applies, expression: Expression { text: text.into(), program } }
        };
        Mutations {
            mutations: spec["mutations"].items().iter().map(mutation).collect(),
            conditions: compile_with(&env, all, &spec["matchConditions"]),
            variables,
        }
    }
}

/// A policy with its bindings.
pub struct Bound<C> {
    pub policy: Value,
    pub compiled: Arc<C>,
    pub bindings: Vec<Value>,
}

/// Policies and their bindings as they were last seen.
pub struct Kept<C> {
    compile: fn(&Value) -> C,
    known: Mutex<Option<Known<C>>>,
}

struct Known<C> {
    policies: Arc<[Value]>,
    bindings: Arc<[Value]>,
    bound: Arc<[Bound<C>]>,
}

impl<C> Kept<C> {
    /// Nothing yet; `compile` takes a policy's spec.
    pub fn new(compile: fn(&Value) -> C) -> Kept<C> {
        Kept { compile, known: Mutex::default() }
    }

    /// The policies that have bindings. What has not changed is not compiled again.
    pub fn bound(&self, policies: &Arc<[Value]>, bindings: &Arc<[Value]>) -> Arc<[Bound<C>]> {
        let mut kept = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.as_ref()
            && Arc::ptr_eq(&known.policies, policies)
            && Arc::ptr_eq(&known.bindings, bindings)
        {
            return known.bound.clone();
        }
        let identity = |policy: &Value| {
            let metadata = &policy["metadata"];
            (Str::from(metadata["uid"].str()), metadata["generation"].int())
        };
        let before = kept.as_ref().map(|known| known.bound.clone());
        let before: HashMap<_, _> = before
            .iter()
            .flat_map(|bound| bound.iter())
            .map(|bound| (identity(&bound.policy), bound.compiled.clone()))
            .collect();
        let bound = policies.iter().filter_map(|policy| {
            let own = bindings.iter().filter(|binding| binding["spec"]["policyName"] == policy["metadata"]["name"]);
            let own: Vec<Value> = own.cloned().collect();
            let known = before.get(&identity(policy)).filter(|_| !policy["metadata"]["uid"].str().is_empty()).cloned();
            let compiled = known.unwrap_or_else(|| Arc::new((self.compile)(&policy["spec"])));
            (!own.is_empty()).then(|| Bound { policy: policy.clone(), compiled, bindings: own })
        });
        let bound: Arc<[Bound<C>]> = bound.collect();
        *kept = Some(Known { policies: policies.clone(), bindings: bindings.clone(), bound: bound.clone() });
        bound
    }
}
