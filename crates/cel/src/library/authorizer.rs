//! Questions for what a user may do, put together step by step and answered by who evaluates the expression.

use super::{Opaque, Run};
use crate::eval::{Call, Failed};
use crate::value::Value;
use meta::name;

/// Who answers questions for access.
pub trait Authorizer {
    fn decide(&self, question: &Question) -> Decision;
}

/// A question for access: of a path, or of a resource when `path` is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The service account (namespace, name) asked for; otherwise the user of the request.
    pub service_account: Option<(String, String)>,
    pub verb: String,
    pub path: String,
    pub group: String,
    /// The version; any when empty.
    pub version: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// The texts of the selectors that what is asked for is limited to.
    pub field_selector: String,
    pub label_selector: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub reason: String,
    /// Why the question could not be answered well.
    pub error: Option<String>,
}

/// A decision as a value. Only its identity could be compared, and it has none here: no two are equal.
pub struct Decided(Decision);

impl PartialEq for Decided {
    fn eq(&self, _: &Decided) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Authorizer,
    Path,
    Group,
    Resource,
}

/// A question in the making.
#[derive(Clone)]
pub struct Check<'a> {
    authorizer: &'a dyn Authorizer,
    stage: Stage,
    question: Question,
}

impl PartialEq for Check<'_> {
    fn eq(&self, other: &Check) -> bool {
        self.stage == other.stage && self.question == other.question
    }
}

impl<'a> Check<'a> {
    pub fn of(authorizer: &'a dyn Authorizer) -> Check<'a> {
        Check { authorizer, stage: Stage::Authorizer, question: Question::default() }
    }

    pub fn resource(authorizer: &'a dyn Authorizer, question: Question) -> Check<'a> {
        Check { authorizer, stage: Stage::Resource, question }
    }

    pub fn type_name(&self) -> &'static str {
        match self.stage {
            Stage::Authorizer => "kubernetes.authorization.Authorizer",
            Stage::Path => "kubernetes.authorization.PathCheck",
            Stage::Group => "kubernetes.authorization.GroupCheck",
            Stage::Resource => "kubernetes.authorization.ResourceCheck",
        }
    }
}

type Made<'a> = Result<Value<'a>, Failed>;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "path" => |call| {
            step(call, Stage::Authorizer, Stage::Path, |question, path| {
                question.path = path.trim().to_owned();
                if question.path.is_empty() { Err("path must not be empty") } else { Ok(()) }
            })
        },
        "group" => {
            |call| step(call, Stage::Authorizer, Stage::Group, |question, group| set(&mut question.group, group))
        }
        "serviceAccount" => service_account,
        "resource" => |call| {
            step(call, Stage::Group, Stage::Resource, |question, resource| {
                question.resource = resource.trim().to_owned();
                if question.resource.is_empty() { Err("resource must not be empty") } else { Ok(()) }
            })
        },
        "subresource" => |call| resource(call, |question, text| set(&mut question.subresource, text)),
        "namespace" => |call| resource(call, |question, text| set(&mut question.namespace, text)),
        "name" => |call| resource(call, |question, text| set(&mut question.name, text)),
        "fieldSelector" => |call| resource(call, |question, text| set(&mut question.field_selector, text)),
        "labelSelector" => |call| resource(call, |question, text| set(&mut question.label_selector, text)),
        "check" => check,
        "errored" => |call| Ok(Value::Bool(decision(call)?.error.is_some())),
        "error" => |call| Ok(Value::string(decision(call)?.error.clone().unwrap_or_default())),
        "allowed" => |call| Ok(Value::Bool(decision(call)?.allowed)),
        "reason" => |call| Ok(Value::string(decision(call)?.reason.clone())),
        _ => return None,
    })
}

fn set(slot: &mut String, text: &str) -> Result<(), &'static str> {
    text.clone_into(slot);
    Ok(())
}

fn checked<'a>(call: &Call<'a, '_>) -> Result<Check<'a>, Failed> {
    match call.args.first() {
        Some(Value::Opaque(of)) => match &**of {
            Opaque::Check(check) => Ok(check.clone()),
            _ => Err(call.no_overload()),
        },
        _ => Err(call.no_overload()),
    }
}

fn step<'a>(
    call: &mut Call<'a, '_>,
    from: Stage,
    to: Stage,
    change: impl Fn(&mut Question, &str) -> Result<(), &'static str>,
) -> Made<'a> {
    let mut check = checked(call)?;
    let Some(text) = call.args.get(1).and_then(Value::as_str).filter(|_| check.stage == from) else {
        return Err(call.no_overload());
    };
    change(&mut check.question, text).map_err(Failed::new)?;
    check.stage = to;
    Ok(Value::opaque(Opaque::Check(check)))
}

fn resource<'a>(call: &mut Call<'a, '_>, change: impl Fn(&mut Question, &str) -> Result<(), &'static str>) -> Made<'a> {
    step(call, Stage::Resource, Stage::Resource, change)
}

fn service_account<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let mut check = checked(call)?;
    let (Some(namespace), Some(account)) =
        (call.args.get(1).and_then(Value::as_str), call.args.get(2).and_then(Value::as_str))
    else {
        return Err(call.no_overload());
    };
    if !name::dns1123_subdomain(account).is_empty() {
        return Err(Failed::new("Invalid service account name"));
    }
    if !name::dns1123_label(namespace).is_empty() {
        return Err(Failed::new("Invalid service account namespace"));
    }
    check.question.service_account = Some((namespace.to_owned(), account.to_owned()));
    Ok(Value::opaque(Opaque::Check(check)))
}

fn check<'a>(call: &mut Call<'a, '_>) -> Made<'a> {
    let mut check = checked(call)?;
    let asked = matches!(check.stage, Stage::Path | Stage::Resource);
    let Some(verb) = call.args.get(1).and_then(Value::as_str).filter(|_| asked) else {
        return Err(call.no_overload());
    };
    check.question.verb = verb.to_owned();
    let decision = check.authorizer.decide(&check.question);
    Ok(Value::opaque(Opaque::Decision(Decided(decision))))
}

fn decision<'c>(call: &'c Call) -> Result<&'c Decision, Failed> {
    match call.args.first() {
        Some(Value::Opaque(of)) => match &**of {
            Opaque::Decision(decided) => Ok(&decided.0),
            _ => Err(call.no_overload()),
        },
        _ => Err(call.no_overload()),
    }
}
