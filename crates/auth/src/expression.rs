//! Expressions in configuration files: of JSON token claims, of users, and of requests
//! (upstream: apiserver/pkg/authentication/cel, apiserver/pkg/authorization/cel).

use cel::{Activation, Env, Objects, PER_CALL_COST_MAX, Program, Type};
use meta::Value;
use std::sync::Arc;

/// What an expression is about: the variable that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `claims`, the claims of a token.
    Claims,
    /// `user`, the UserInfo made from them.
    User,
    /// `request`, the `spec` of a SubjectAccessReview.
    Request,
}

/// An expression that can be evaluated.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    scope: Scope,
    program: Program,
}

impl Expression {
    /// The error says what is wrong with the text.
    pub fn compile(text: &str, scope: Scope) -> Result<Expression, String> {
        let (name, of) = scope.variable();
        let env = Env::new([(name, of)]).with_objects(Arc::new(Known));
        let program = env.compile(text).map_err(|issues| format!("compilation failed: {issues}"))?;
        Ok(Expression { text: text.to_owned(), scope, program })
    }

    /// As [`Expression::compile`], for an expression that says yes or no.
    pub fn compile_rule(text: &str, scope: Scope) -> Result<Expression, String> {
        let expression = Expression::compile(text, scope)?;
        // One of which only running it tells the type is not taken, as upstream has it.
        match expression.program.output_type() {
            Type::Bool => Ok(expression),
            _ => Err("must evaluate to bool".into()),
        }
    }

    /// Whether it looks at this field of that variable anywhere.
    pub fn selects(&self, variable: &str, field: &str) -> bool {
        self.program.selects(variable, field)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value, as JSON has it, over the value of its variable.
    pub fn evaluate(&self, variable: &Value) -> Result<Value, String> {
        let (name, _) = self.scope.variable();
        let activation = Activation::new([(name, cel::Value::data(variable))]);
        let evaluated = self.program.evaluate(&activation, PER_CALL_COST_MAX).map_err(|failed| failed.to_string())?;
        evaluated.value.to_data().ok_or_else(|| "the value of the expression is no JSON".to_owned())
    }
}

impl Scope {
    fn variable(self) -> (&'static str, Type) {
        match self {
            Scope::Claims => ("claims", Type::map(Type::String, Type::Dyn)),
            Scope::User => ("user", Type::object(USER)),
            Scope::Request => ("request", Type::object(SPEC)),
        }
    }
}

const USER: &str = "kubernetes.UserInfo";
const SPEC: &str = "kubernetes.SubjectAccessReviewSpec";
const RESOURCE: &str = "kubernetes.ResourceAttributes";
const PATH: &str = "kubernetes.NonResourceAttributes";
const FIELDS: &str = "kubernetes.FieldSelectorAttributes";
const LABELS: &str = "kubernetes.LabelSelectorAttributes";
const REQUIREMENT: &str = "kubernetes.SelectorRequirement";

/// The objects that the variables are made of.
#[derive(Debug)]
struct Known;

impl Objects for Known {
    fn is_object(&self, name: &str) -> bool {
        [USER, SPEC, RESOURCE, PATH, FIELDS, LABELS, REQUIREMENT].contains(&name)
    }

    fn field(&self, object: &str, field: &str) -> Option<Type> {
        let texts = || Type::list(Type::String);
        Some(match (object, field) {
            (USER, "username" | "uid") | (SPEC, "user" | "uid") => Type::String,
            (USER | SPEC, "groups") => texts(),
            (USER | SPEC, "extra") => Type::map(Type::String, texts()),
            (SPEC, "resourceAttributes") => Type::object(RESOURCE),
            (SPEC, "nonResourceAttributes") => Type::object(PATH),
            (RESOURCE, "namespace" | "verb" | "group" | "version" | "resource" | "subresource" | "name") => {
                Type::String
            }
            (RESOURCE, "fieldSelector") => Type::object(FIELDS),
            (RESOURCE, "labelSelector") => Type::object(LABELS),
            (PATH, "path" | "verb") => Type::String,
            (FIELDS | LABELS, "rawSelector") => Type::String,
            (FIELDS | LABELS, "requirements") => Type::list(Type::object(REQUIREMENT)),
            (REQUIREMENT, "key" | "operator") => Type::String,
            (REQUIREMENT, "values") => texts(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn evaluate(text: &str, scope: Scope, variable: &Value) -> Result<Value, String> {
        Expression::compile(text, scope)?.evaluate(variable)
    }

    #[test]
    fn claims_users_and_requests() {
        let claims = value!({"sub": "ann", "roles": ["a", "b"], "email": "a@b"});
        let user = value!({"username": "ann", "uid": "", "groups": ["g"], "extra": {"x/y": ["z"]}});
        let spec = value!({"user": "ann", "groups": [], "resourceAttributes": {"verb": "get", "namespace": "ns"}});
        let cases = [
            ("'oidc:' + claims.sub", Scope::Claims, &claims, Ok(value!("oidc:ann"))),
            ("claims.roles.map(r, 'r-' + r)", Scope::Claims, &claims, Ok(value!(["r-a", "r-b"]))),
            ("claims.?none.orValue('x')", Scope::Claims, &claims, Ok(value!("x"))),
            ("claims.none", Scope::Claims, &claims, Err("no such key: none")),
            ("user.groups.all(g, !g.startsWith('system:'))", Scope::User, &user, Ok(value!(true))),
            ("user.extra['x/y'][0]", Scope::User, &user, Ok(value!("z"))),
            ("has(request.resourceAttributes)", Scope::Request, &spec, Ok(value!(true))),
            ("has(request.nonResourceAttributes)", Scope::Request, &spec, Ok(value!(false))),
            ("request.resourceAttributes.namespace == 'ns'", Scope::Request, &spec, Ok(value!(true))),
        ];
        for (text, scope, variable, wanted) in cases {
            assert_eq!(evaluate(text, scope, variable), wanted.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn mistakes_are_said() {
        let unknown = Expression::compile("user.name", Scope::User).expect_err("no such field");
        assert!(unknown.starts_with("compilation failed: ERROR: <input>:1:5: undefined field 'name'"), "{unknown}");
        let other = Expression::compile("claims", Scope::Request).expect_err("another scope");
        assert!(other.contains("undeclared reference to 'claims'"), "{other}");
        assert_eq!(
            Expression::compile_rule("request.user", Scope::Request).err().as_deref(),
            Some("must evaluate to bool")
        );
        assert!(Expression::compile_rule("claims.sub == 'x'", Scope::Claims).is_ok());
        let looks = |text: &str| Expression::compile(text, Scope::Claims).is_ok_and(|e| e.selects("claims", "email"));
        assert!(looks("claims.email") && looks("claims.?email.orValue('')") && looks("has(claims.email) ? 'a' : 'b'"));
        assert!(!looks("claims.emails") && !looks("'claims.email'"));
    }
}
