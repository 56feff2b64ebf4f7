//! Rules in CEL (`x-kubernetes-validations`): what a definition's nodes say in them, and whether resources keep them.

mod run;
mod tree;

pub use run::judge;
pub use tree::RuleTree;

use cel::schema::Schema;
use cel::{Env, Program, Type};
use meta::Value;
use std::sync::Arc;

/// A rule that compiled.
#[derive(Debug)]
pub struct CompiledRule {
    pub rule: Program,
    /// Whether it compares with the value before: then it is for updates only.
    pub uses_old: bool,
    /// What makes its message; absent when the rule has none, or one that does not compile.
    pub message: Option<Program>,
}

/// What is wrong with a rule, as errors say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleError {
    Rule(String),
    /// Its `messageExpression`; the rule itself is sound.
    Message(String),
}

/// The types of a node's values; `resource`: the node is the whole of a resource, or a resource within one.
pub fn types_of(node: &Value, resource: bool) -> Option<Arc<Schema>> {
    // Upstream's name for it changes with every compilation, so that nobody depends on it.
    Schema::new(node, "selfType", resource).map(Arc::new)
}

/// Compiles a rule over values of the schema. An error of the message leaves the rule usable.
pub fn compile(rule: &Value, schema: &Arc<Schema>) -> (Option<CompiledRule>, Option<RuleError>) {
    let of = schema.root().type_of().clone();
    let old = if rule["optionalOldSelf"].bool() { Type::optional(of.clone()) } else { of.clone() };
    let env = Env::new([("self", of), ("oldSelf", old)]).with_objects(schema.clone());
    let program = match env.compile(rule["rule"].str()) {
        Ok(program) => program,
        Err(issues) => return (None, Some(RuleError::Rule(format!("compilation failed: {issues}")))),
    };
    if *program.output_type() != Type::Bool {
        return (None, Some(RuleError::Rule("cel expression must evaluate to a bool".to_owned())));
    }
    let uses_old = program.uses("oldSelf");
    let compiled = |message| Some(CompiledRule { rule: program, uses_old, message });
    let text = rule["messageExpression"].str();
    if text.is_empty() {
        return (compiled(None), None);
    }
    match env.compile(text) {
        Ok(message) if *message.output_type() == Type::String => (compiled(Some(message)), None),
        Ok(_) => (compiled(None), Some(RuleError::Message("messageExpression must evaluate to a string".to_owned()))),
        Err(issues) => {
            let detail = format!("messageExpression compilation failed: {issues}");
            (compiled(None), Some(RuleError::Message(detail)))
        }
    }
}

#[cfg(test)]
mod tests;
