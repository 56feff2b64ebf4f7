//! Conditions under which a webhook for access is asked: expressions over `request`, the `spec` of a SubjectAccessReview
//! (upstream: apiserver/pkg/authorization/cel).

use crate::expression::{Expression, Scope};
use meta::Value;

#[derive(Clone, Debug)]
pub struct Condition(Expression);

impl Condition {
    /// The error says what is wrong with the text.
    pub fn compile(text: &str) -> Result<Condition, String> {
        Expression::compile_rule(text, Scope::Request).map(Condition)
    }

    /// Whether a request satisfies all. One that it does not satisfy decides, even where others cannot be evaluated.
    pub fn all_match(conditions: &[Condition], spec: &Value) -> Result<bool, String> {
        let mut errors: Vec<String> = vec![];
        let spec = if conditions.is_empty() { Value::Null } else { completed(spec) };
        for Condition(expression) in conditions {
            match expression.evaluate(&spec) {
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

/// Conditions find what the request has not as "" or as nothing; only which attributes there are, and selectors, is asked
/// with `has`.
fn completed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for text in ["user", "uid"] {
        spec.set_default(text, "");
    }
    spec.set_default("groups", Vec::<Value>::new());
    spec.set_default("extra", Value::object());
    let texts: [(&str, &[&str]); 2] = [
        ("resourceAttributes", &["namespace", "verb", "group", "version", "resource", "subresource", "name"]),
        ("nonResourceAttributes", &["path", "verb"]),
    ];
    for (of, texts) in texts {
        if let Some(attributes) = spec.get_mut(of) {
            for text in texts {
                attributes.set_default(text, "");
            }
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn all_must_match_and_one_that_does_not_decides() {
        let spec = value!({"user": "ann", "resourceAttributes": {"verb": "get", "resource": "pods"}});
        let cases: [(&[&str], Result<bool, &str>); 6] = [
            (&[], Ok(true)),
            (&["request.user == 'ann'", "request.resourceAttributes.namespace == ''"], Ok(true)),
            (&["request.user == 'ann'", "'admins' in request.groups"], Ok(false)),
            (&["request.nonResourceAttributes.path == '/'", "request.user == 'bob'"], Ok(false)),
            (
                &["request.nonResourceAttributes.path == '/'", "request.user == 'ann'"],
                Err(
                    "cel evaluation error: expression 'request.nonResourceAttributes.path == '/'' resulted in error: no such key: nonResourceAttributes",
                ),
            ),
            (&["has(request.resourceAttributes) && request.resourceAttributes.resource == 'pods'"], Ok(true)),
        ];
        for (texts, wanted) in cases {
            let conditions: Result<Vec<Condition>, String> =
                texts.iter().map(|text| Condition::compile(text)).collect();
            let got = Condition::all_match(&conditions.expect("they compile"), &spec);
            assert_eq!(got, wanted.map_err(str::to_owned), "{texts:?}");
        }
    }
}
