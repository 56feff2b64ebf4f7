//! From the claims of an OpenID issuer's token to a user (upstream: apiserver/plugin/pkg/authenticator/token/oidc).
//! Claims that other servers have are found by [`crate::distant`].

use crate::expression::Expression;
use crate::impersonate::Identity;
use crate::jose::Claims;
use meta::time::Timestamp;
use meta::{Map, Str, Value, value};

/// How much a token may be ahead of its time (go-oidc).
const AHEAD_SECONDS: i64 = 300;

/// One issuer that is believed, and how.
#[derive(Clone, Debug)]
pub struct Authenticator {
    pub issuer: Issuer,
    pub claim_rules: Vec<ClaimRule>,
    pub mappings: Mappings,
    pub user_rules: Vec<UserRule>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Issuer {
    pub url: String,
    /// Where its discovery document is, if not below its URL.
    pub discovery_url: Option<String>,
    /// Who signs its certificate, PEM; absent: whom this machine trusts.
    pub authority: Option<String>,
    /// A token must be for one of them.
    pub audiences: Vec<Str>,
}

#[derive(Clone, Debug)]
pub enum ClaimRule {
    Equals { claim: String, value: String },
    Holds { expression: Expression, message: String },
}

#[derive(Clone, Debug)]
pub struct UserRule {
    pub expression: Expression,
    pub message: String,
}

/// Where a part of the user comes from.
#[derive(Clone, Debug)]
pub enum Mapping {
    Nothing,
    Claim { claim: String, prefix: String },
    Expression(Expression),
}

impl From<Option<Expression>> for Mapping {
    fn from(expression: Option<Expression>) -> Mapping {
        expression.map_or(Mapping::Nothing, Mapping::Expression)
    }
}

#[derive(Clone, Debug)]
pub struct Mappings {
    pub username: Mapping,
    pub groups: Mapping,
    pub uid: Mapping,
    pub extra: Vec<(String, Expression)>,
}

impl Authenticator {
    /// Who bears a token of this issuer with these claims. The error is for the log and for reviews of tokens.
    pub fn identity(&self, claims: &Claims, now: Timestamp) -> Result<Identity, String> {
        self.check_use(claims, now).map_err(|why| format!("oidc: verify token: {why}"))?;
        let identity = self.map(claims).map_err(|why| format!("oidc: {why}"))?;
        self.check_rules(claims, &identity).map_err(|why| format!("oidc: {why}"))?;
        Ok(identity)
    }

    /// Audience and time.
    pub fn check_use(&self, claims: &Claims, now: Timestamp) -> Result<(), String> {
        let audiences = claims.audiences();
        if !audiences.iter().any(|audience| self.issuer.audiences.contains(audience)) {
            let [wanted, got] = [&self.issuer.audiences, &audiences].map(|list| crate::rbac::quoted(list));
            return Err(format!("oidc: expected audience in {wanted} got {got}"));
        }
        if claims.time("exp").unwrap_or(0) < now.seconds {
            return Err("oidc: token is expired".into());
        }
        if claims.time("nbf").is_some_and(|from| from > now.seconds.saturating_add(AHEAD_SECONDS)) {
            return Err("oidc: current time is before the nbf (not before) time".into());
        }
        Ok(())
    }

    fn map(&self, claims: &Value) -> Result<Identity, String> {
        let mappings = &self.mappings;
        let name = match &mappings.username {
            Mapping::Claim { claim, prefix } => {
                let name =
                    text_claim(claims, claim).map_err(|why| format!("parse username claims {claim:?}: {why}"))?;
                if claim == "email" && !claims["email_verified"].is_null() {
                    check_email(&claims["email_verified"])?;
                }
                format!("{prefix}{name}")
            }
            Mapping::Expression(expression) => evaluate_text(expression, claims, "username")?,
            Mapping::Nothing => String::new(),
        };
        let uid = match &mappings.uid {
            Mapping::Claim { claim, .. } => {
                text_claim(claims, claim).map_err(|why| format!("parse uid claim {claim:?}: {why}"))?.to_owned()
            }
            Mapping::Expression(expression) => evaluate_text(expression, claims, "uid")?,
            Mapping::Nothing => String::new(),
        };
        let groups = match &mappings.groups {
            Mapping::Claim { claim, .. } if claims[claim.as_str()].is_null() => vec![],
            Mapping::Claim { claim, prefix } => {
                let groups = texts(&claims[claim.as_str()]).ok_or_else(|| format!("parse groups claim {claim:?}"))?;
                groups.into_iter().map(|group| format!("{prefix}{group}").into()).collect()
            }
            Mapping::Expression(expression) => evaluate_texts(expression, claims, "group")?,
            Mapping::Nothing => vec![],
        };
        let mut extra: Vec<(Str, Vec<Str>)> = vec![];
        for (key, expression) in &mappings.extra {
            let values = evaluate_texts(expression, claims, "extra")?;
            if !values.is_empty() {
                extra.push((key.as_str().into(), values));
            }
        }
        extra.sort();
        Ok(Identity { name: name.into(), uid: uid.into(), groups, extra })
    }

    fn check_rules(&self, claims: &Value, identity: &Identity) -> Result<(), String> {
        for rule in &self.claim_rules {
            match rule {
                ClaimRule::Equals { claim, value } => {
                    if claims.get(claim).is_none() {
                        return Err(format!("required claim {claim} not present in ID token"));
                    }
                    let own = text_claim(claims, claim).map_err(|why| format!("parse claim {claim}: {why}"))?;
                    if own != value {
                        return Err(format!(
                            "required claim {claim} value does not match. Got = {own}, want = {value}"
                        ));
                    }
                }
                ClaimRule::Holds { expression, message } => check(expression, claims, message)
                    .map_err(|why| format!("error evaluating claim validation expression: {why}"))?,
            }
        }
        let user = user_value(identity);
        for UserRule { expression, message } in &self.user_rules {
            check(expression, &user, message)
                .map_err(|why| format!("error evaluating user info validation rule: {why}"))?;
        }
        Ok(())
    }
}

/// An address that its issuer has not verified is nobody's.
fn check_email(verified: &Value) -> Result<(), String> {
    match verified.as_bool() {
        Some(true) => Ok(()),
        Some(false) => Err("email not verified".into()),
        None => Err("parse 'email_verified' claim: it is no bool".into()),
    }
}

fn text_claim<'a>(claims: &'a Value, claim: &str) -> Result<&'a str, &'static str> {
    let value = claims.get(claim).ok_or("claim not present")?;
    value.as_str().ok_or("the claim is no string")
}

/// A text or a list of texts.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        one => one.as_str().map(|text| vec![text]),
    }
}

fn evaluate_text(expression: &Expression, claims: &Value, what: &str) -> Result<String, String> {
    let named = |why: &str| format!("error evaluating {what} claim expression: {why}");
    let value = expression.evaluate(claims).map_err(|why| named(&why))?;
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| named(&format!("{what} claim expression must return a string")))
}

/// Empty texts count for nothing, and null is none.
fn evaluate_texts(expression: &Expression, claims: &Value, what: &str) -> Result<Vec<Str>, String> {
    let named = |why: &str| format!("error evaluating {what} claim expression: {why}");
    let value = expression.evaluate(claims).map_err(|why| named(&why))?;
    if value.is_null() {
        return Ok(vec![]);
    }
    let texts = texts(&value).ok_or_else(|| named("expression must return a string or a list of strings"))?;
    Ok(texts.into_iter().filter(|text| !text.is_empty()).map(Str::from).collect())
}

fn check(expression: &Expression, variable: &Value, message: &str) -> Result<(), String> {
    match expression.evaluate(variable)?.as_bool() {
        Some(true) => Ok(()),
        Some(false) => Err(format!("validation expression '{}' failed: {message}", expression.text())),
        None => Err("validation expression must return a boolean".into()),
    }
}

/// The UserInfo that rules look at; all of it is there.
fn user_value(identity: &Identity) -> Value {
    let list = |texts: &[Str]| texts.iter().map(Value::from).collect::<Vec<Value>>();
    let extra = identity.extra.iter().map(|(key, values)| (key.clone(), Value::Array(list(values))));
    value!({
        "username": (&identity.name),
        "uid": (&identity.uid),
        "groups": (list(&identity.groups)),
        "extra": (Value::Object(extra.collect::<Map>()))
    })
}
