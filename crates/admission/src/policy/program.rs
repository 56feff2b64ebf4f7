//! A policy with its expressions compiled, kept as long as it stays as it is.

use cel::policy::{PolicyEnv, Variables};
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
        let expression = |env: &PolicyEnv, text: &Value, returned: &[Type]| Expression {
            text: text.str().trim().into(),
            program: env.compile(text.str(), all, returned),
        };
        let conditions = spec["matchConditions"].items();
        let plain = PolicyEnv::new();
        let conditions =
            conditions.iter().map(|condition| expression(&plain, &condition["expression"], &[Type::Bool])).collect();
        let written = spec["variables"].items();
        let mut env = if written.is_empty() { PolicyEnv::new() } else { PolicyEnv::composed() };
        let mut variables = Vec::new();
        for variable in written {
            let program = env.compile(variable["expression"].str(), all, &[]);
            env.add(
                variable["name"].str(),
                program.as_ref().map_or(Type::Dyn, |program| program.output_type().clone()),
            );
            variables.push(Variable { name: variable["name"].str().into(), program });
        }
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
            conditions,
        }
    }
}

/// The policies that were compiled, by uid, each with its generation.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<Str, (i64, Arc<Compiled>)>>);

impl Kept {
    pub fn get(&self, policy: &Value) -> Arc<Compiled> {
        let (uid, generation) = (policy["metadata"]["uid"].str(), policy["metadata"]["generation"].int());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, compiled)) = kept.get(uid)
            && *known == generation
        {
            return compiled.clone();
        }
        let compiled = Arc::new(Compiled::new(&policy["spec"]));
        kept.insert(uid.into(), (generation, compiled.clone()));
        compiled
    }

    /// Forgets the policies that are no more.
    pub fn retain(&self, policies: &[Value]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > policies.len() {
            kept.retain(|uid, _| policies.iter().any(|policy| policy["metadata"]["uid"].str() == uid.as_str()));
        }
    }
}
