//! Conditions under which a webhook for access is asked: expressions over `request`, the `spec` of a SubjectAccessReview
//! (upstream: apiserver/pkg/authorization/cel).

use crate::expression::{Expression, Scope};
use meta::Value;

#[derive(Clone, Debug)]
pub struct Condition(Expression);

impl Condition {
    /// The error says what is wrong with the text.
    pub fn compile(text: &str) -> Result<Condition, String> {
        Expression::compile(text, Scope::Request).map(Condition)
    }

    /// Whether a request satisfies all. One that it does not satisfy decides, even where others cannot be evaluated.
    pub fn all_match(conditions: &[Condition], spec: &Value) -> Result<bool, String> {
        let mut errors: Vec<String> = vec![];
        for Condition(expression) in conditions {
            match expression.evaluate(spec) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => return Ok(false),
                Ok(_) => errors.push("cel evaluation error: expression must return a bool".into()),
                Err(why) => errors
                    .push(format!("cel evaluation error: expression '{}' resulted in error: {why}", expression.text())),
            }
        }
        match errors.as_slice() {
            [] => Ok(true),
            [one] => Err(one.clone()),
            all => Err(format!("[{}]", all.join(", "))),
        }
    }
}
