//! Rules on claims, the mappings from claims to a user, and rules on that user.

use crate::expression::{Expression, Scope};
use crate::jwt::{ClaimRule, Mapping, Mappings, UserRule};
use meta::field::{ErrorList, Path};
use meta::{Value, name};

/// Either of them, never both.
const BOTH: &str = "claim and expression can't both be set";

/// `None`, and an error, for what does not compile.
fn compile_rule(text: &str, scope: Scope, path: &Path, errs: &mut ErrorList) -> Option<Expression> {
    Expression::compile_rule(text, scope).map_err(|why| errs.invalid(path, text, &why)).ok()
}

/// As [`compile_rule`], for one whose value may be anything.
fn compile(text: &str, scope: Scope, path: &Path, errs: &mut ErrorList) -> Option<Expression> {
    Expression::compile(text, scope).map_err(|why| errs.invalid(path, text, &why)).ok()
}

pub fn claim_rules(items: &Value, path: &Path, errs: &mut ErrorList) -> Vec<ClaimRule> {
    let (mut claims, mut texts): (Vec<&str>, Vec<&str>) = (vec![], vec![]);
    let mut rules = vec![];
    for (index, item) in items.items().iter().enumerate() {
        let path = path.index(index);
        let text = |key: &str| item[key].str();
        match (text("claim"), text("expression")) {
            ("", "") => errs.required(&path, "claim or expression is required"),
            (claim, "") => {
                if !text("message").is_empty() {
                    errs.invalid(&path.child("message"), text("message"), "may not be specified when claim is set");
                }
                if claims.contains(&claim) {
                    errs.duplicate(&path.child("claim"), claim);
                }
                claims.push(claim);
                rules.push(ClaimRule::Equals { claim: claim.to_owned(), value: text("requiredValue").to_owned() });
            }
            ("", expression) => {
                if !text("requiredValue").is_empty() {
                    let at = path.child("requiredValue");
                    errs.invalid(&at, text("requiredValue"), "may not be specified when expression is set");
                }
                if texts.contains(&expression) {
                    errs.duplicate(&path.child("expression"), expression);
                    continue;
                }
                texts.push(expression);
                let compiled = compile_rule(expression, Scope::Claims, &path.child("expression"), errs);
                let message = text("message").to_owned();
                rules.extend(compiled.map(|expression| ClaimRule::Holds { expression, message }));
            }
            (claim, _) => errs.invalid(&path, claim, BOTH),
        }
    }
    rules
}

pub fn user_rules(items: &Value, path: &Path, errs: &mut ErrorList) -> Vec<UserRule> {
    let mut texts: Vec<&str> = vec![];
    let mut rules = vec![];
    for (index, item) in items.items().iter().enumerate() {
        let (text, at) = (item["expression"].str(), path.index(index).child("expression"));
        if text.is_empty() {
            errs.required(&at, "");
        } else if texts.contains(&text) {
            errs.duplicate(&at, text);
        } else {
            texts.push(text);
            let message = item["message"].str().to_owned();
            let compiled = compile_rule(text, Scope::User, &at, errs);
            rules.extend(compiled.map(|expression| UserRule { expression, message }));
        }
    }
    rules
}

pub fn read(mappings: &Value, path: &Path, errs: &mut ErrorList) -> Mappings {
    let username = prefixed(&mappings["username"], &path.child("username"), true, errs);
    let groups = prefixed(&mappings["groups"], &path.child("groups"), false, errs);
    let (uid, at) = (&mappings["uid"], path.child("uid"));
    let uid = match (uid["claim"].str(), uid["expression"].str()) {
        ("", "") => Mapping::Nothing,
        (claim, "") => Mapping::Claim { claim: claim.to_owned(), prefix: String::new() },
        ("", text) => compile(text, Scope::Claims, &at.child("expression"), errs).into(),
        _ => {
            errs.invalid(&at, "", BOTH);
            Mapping::Nothing
        }
    };
    Mappings { username, groups, uid, extra: extra(mappings["extra"].items(), &path.child("extra"), errs) }
}

fn prefixed(mapping: &Value, path: &Path, required: bool, errs: &mut ErrorList) -> Mapping {
    let prefix = &mapping["prefix"];
    match (mapping["claim"].str(), mapping["expression"].str()) {
        ("", "") if required => errs.required(path, "claim or expression is required"),
        ("", "") => {}
        (claim, "") => {
            if prefix.is_null() {
                let detail =
                    "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
                errs.required(&path.child("prefix"), detail);
            }
            return Mapping::Claim { claim: claim.to_owned(), prefix: prefix.str().to_owned() };
        }
        ("", text) => {
            if !prefix.is_null() {
                errs.invalid(&path.child("prefix"), prefix.str(), "may not be specified when expression is set");
            }
            return compile(text, Scope::Claims, &path.child("expression"), errs).into();
        }
        _ => errs.invalid(path, "", BOTH),
    }
    Mapping::Nothing
}

fn extra(items: &[Value], path: &Path, errs: &mut ErrorList) -> Vec<(String, Expression)> {
    let mut keys: Vec<&str> = vec![];
    let mut out = vec![];
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        let (key, text, at) = (item["key"].str(), item["valueExpression"].str(), path.child("key"));
        validate_key(key, &at, errs);
        if keys.contains(&key) {
            errs.duplicate(&at, key);
            continue;
        }
        keys.push(key);
        let at = path.child("valueExpression");
        if text.is_empty() {
            errs.required(&at, "");
            continue;
        }
        out.extend(compile(text, Scope::Claims, &at, errs).map(|expression| (key.to_owned(), expression)));
    }
    out
}

/// A domain and a path, in lower case, of nobody's but the configuration's owner.
fn validate_key(key: &str, path: &Path, errs: &mut ErrorList) {
    match key.split_once('/') {
        _ if key.is_empty() => errs.required(path, ""),
        None => errs.invalid(path, key, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
        Some((domain, rest)) => {
            for why in name::dns1123_subdomain(domain) {
                errs.invalid(path, domain, &why);
            }
            if rest.is_empty() {
                errs.invalid(path, key, "must be a domain-prefixed path (such as \"acme.io/foo\")");
            }
        }
    }
    if key != key.to_lowercase() {
        errs.invalid(path, key, "must be lowercase");
    }
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let reserved = ["kubernetes.io", "k8s.io"];
    if reserved.iter().any(|own| domain == *own || domain.ends_with(&format!(".{own}"))) {
        let detail = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
        errs.invalid(path, key, detail);
    }
}

/// Who takes names from `claims.email` looks at `claims.email_verified` somewhere.
pub fn validate_email(mappings: &Mappings, rules: &[ClaimRule], path: &Path, errs: &mut ErrorList) {
    let Mapping::Expression(username) = &mappings.username else { return };
    let of_rules = rules.iter().filter_map(|rule| match rule {
        ClaimRule::Holds { expression, .. } => Some(expression),
        ClaimRule::Equals { .. } => None,
    });
    let mut all = of_rules.chain([username]).chain(mappings.extra.iter().map(|(_, expression)| expression));
    if username.selects("claims", "email") && !all.any(|expression| expression.selects("claims", "email_verified")) {
        let at = path.child("username").child("expression");
        let detail = "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression";
        errs.invalid(&at, username.text(), detail);
    }
}
