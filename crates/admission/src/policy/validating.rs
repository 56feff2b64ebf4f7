//! ValidatingAdmissionPolicy: requests that a policy's expressions are not true of are refused, warned of, or noted
//! (k8s.io/apiserver/pkg/admission/plugin/policy/validating).

use super::evaluate::{Found, Given, judge, object as or_null};
use super::program::{Bound, Kept};
use super::request::{Asked, request, resource_question};
use crate::matching::Candidate;
use crate::{Attributes, Form, Plugin};
use cel::Value as Cel;
use meta::selector::LabelSelector;
use meta::status::Cause;
use meta::{Reason, Result, Status, Value};

const GROUP: &str = "admissionregistration.k8s.io";
/// The longest value of an annotation (bytes).
const ANNOTATION_BYTES_MAX: usize = 10 * 1024;

#[derive(Default)]
pub struct ValidatingAdmissionPolicy {
    kept: Kept,
}

/// A request as a policy sees it.
struct Subject<'a> {
    candidate: &'a Candidate<'a>,
    request: Value,
    /// The objects where they have another form than the candidate's.
    new: Option<Value>,
    old: Option<Value>,
    asked: Asked<'a>,
}

/// Why a request is refused.
struct Denial {
    /// "" for the usual.
    reason: String,
    message: String,
}

impl Plugin for ValidatingAdmissionPolicy {
    fn name(&self) -> &'static str {
        "ValidatingAdmissionPolicy"
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        let reader = attributes.ctx.reader;
        let policies = reader.list_all(GROUP, "validatingadmissionpolicies");
        if policies.is_empty() {
            return Ok(());
        }
        let bindings = reader.list_all(GROUP, "validatingadmissionpolicybindings");
        let bound = self.kept.bound(&policies, &bindings);
        let namespace = match attributes.namespace() {
            "" => None,
            name => reader.get("", "namespaces", "", name),
        };
        let candidate = Candidate { attributes, object, namespace: namespace.as_ref() };
        if candidate.is_exempt() {
            return Ok(());
        }
        let mut first: Option<Denial> = None;
        for policy in bound.iter() {
            let Some(form) = candidate.matches(&policy.policy["spec"]["matchConstraints"]) else { continue };
            let denial = apply(&Subject::new(&candidate, &form), policy);
            first = first.or(denial);
        }
        first.map_or(Ok(()), |denial| Err(refusal(attributes, &denial)))
    }
}

fn refusal(attributes: &Attributes, denial: &Denial) -> Status {
    let mut status = attributes.forbidden(&denial.message);
    (status.code, status.reason) = match denial.reason.as_str() {
        "Forbidden" => (403, Reason::Forbidden),
        "Unauthorized" => (401, Reason::Unauthorized),
        "RequestEntityTooLarge" => (413, Reason::RequestEntityTooLarge),
        _ => (422, Reason::Invalid),
    };
    let details = status.details.get_or_insert_default();
    details.causes.push(Cause { message: denial.message.clone(), ..Cause::default() });
    status
}

/// Applies a policy through its bindings; the first reason to refuse the request.
fn apply(subject: &Subject, bound: &Bound) -> Option<Denial> {
    let (policy, compiled) = (&bound.policy, &*bound.compiled);
    let spec = &policy["spec"];
    let (name, ignore) = (policy["metadata"]["name"].str(), spec["failurePolicy"].str() == "Ignore");
    let mut first: Option<Denial> = None;
    let mut deny = |reason: String, message: String| {
        first.get_or_insert(Denial { reason, message });
    };
    let mut annotations: Vec<(String, Vec<String>)> = Vec::new();
    for binding in &bound.bindings {
        if subject.candidate.matches(&binding["spec"]["matchResources"]).is_none() {
            continue;
        }
        let by = format!("ValidatingAdmissionPolicy '{name}' with binding '{}'", binding["metadata"]["name"].str());
        let params = match params(subject.candidate.attributes, spec, &binding["spec"]["paramRef"]) {
            Ok(params) => params,
            Err(_) if ignore => continue,
            Err(Unbound::Policy(why)) => {
                let by = format!("ValidatingAdmissionPolicy '{name}'");
                deny(String::new(), format!("{by} denied request: failed to configure policy: {why}"));
                return first;
            }
            Err(Unbound::Binding(why)) => {
                deny(String::new(), format!("{by} denied request: failed to configure binding: {why}"));
                continue;
            }
        };
        for param in &params {
            let found = judge(compiled, subject.given(spec, param.as_ref()), ignore);
            for (key, value) in &found.annotations {
                note(&mut annotations, key, value);
            }
            for (reason, message) in act(subject, binding, &by, found, ignore, compiled.validations.len()) {
                deny(reason, format!("{by} denied request: {message}"));
            }
        }
    }
    for (key, values) in annotations {
        subject.candidate.attributes.annotate(&format!("{name}/{key}"), values.join(", "));
    }
    first
}

/// Does what a binding says about what was found; what the request is refused for. Failures of annotations, which come
/// after the `validations`, always refuse.
fn act(
    subject: &Subject,
    binding: &Value,
    by: &str,
    found: Found,
    ignore: bool,
    validations: usize,
) -> Vec<(String, String)> {
    let mut decisions = found.denied;
    let mut refused = Vec::new();
    for (i, why) in found.failed.into_iter().filter(|_| !ignore) {
        if i < validations.max(1) {
            decisions.push((i, String::new(), why));
        } else {
            refused.push((String::new(), why));
        }
    }
    decisions.sort_by_key(|(i, ..)| *i);
    let mut denied = Vec::new();
    for (i, reason, message) in decisions {
        for action in binding["spec"]["validationActions"].items() {
            match action.str() {
                "Deny" => denied.push((reason.clone(), message.clone())),
                "Warn" => subject.candidate.attributes.warn(format!("Validation failed for {by}: {message}")),
                "Audit" => annotate_failure(subject.candidate.attributes, binding, i, &message),
                _ => {}
            }
        }
    }
    denied.extend(refused);
    denied
}

fn annotate_failure(attributes: &Attributes, binding: &Value, index: usize, message: &str) {
    let failure = meta::value!([{
        "message": message,
        "policy": (&binding["spec"]["policyName"]),
        "binding": (&binding["metadata"]["name"]),
        "expressionIndex": (i64::try_from(index).unwrap_or(i64::MAX)),
        "validationActions": (&binding["spec"]["validationActions"])
    }]);
    attributes.annotate("validation.policy.admission.k8s.io/validation_failure", meta::json::to_string(&failure));
}

/// Adds a value to an annotation; several parameters may give several.
fn note(annotations: &mut Vec<(String, Vec<String>)>, key: &str, value: &str) {
    let end = (0..=value.len().min(ANNOTATION_BYTES_MAX)).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    let value = value.get(..end).unwrap_or_default();
    match annotations.iter_mut().find(|(known, _)| known == key) {
        Some((_, values)) if values.iter().any(|known| known == value) => {}
        Some((_, values)) => values.push(value.to_owned()),
        None => annotations.push((key.to_owned(), vec![value.to_owned()])),
    }
}

impl<'s> Subject<'s> {
    fn new(candidate: &'s Candidate<'s>, form: &Form) -> Subject<'s> {
        let attributes = candidate.attributes;
        let converted = |object: &Value| attributes.cluster.converted(form, object);
        Subject {
            candidate,
            request: request(attributes, form),
            new: converted(candidate.object),
            old: attributes.old.and_then(converted),
            asked: Asked(attributes),
        }
    }

    fn given<'a>(&'a self, spec: &Value, param: Option<&'a Value>) -> Given<'a> {
        let candidate = self.candidate;
        let object = Some(self.new.as_ref().unwrap_or(candidate.object)).filter(|object| !object.is_null());
        let mut given = vec![
            ("object", or_null(object)),
            ("oldObject", or_null(self.old.as_ref().or(candidate.attributes.old))),
            ("request", Cel::data(&self.request)),
            ("namespaceObject", or_null(candidate.namespace)),
            ("authorizer", Cel::authorizer(&self.asked)),
            ("authorizer.requestResource", Cel::resource_check(&self.asked, resource_question(candidate.attributes))),
        ];
        if !spec["paramKind"].is_null() {
            given.push(("params", or_null(param)));
        }
        given
    }
}

/// Why the parameters of a binding cannot be had.
enum Unbound {
    /// The kind of the policy's parameters is not there.
    Policy(String),
    Binding(String),
}

/// The parameters a binding names, each to be judged with; one that is absent where there are none.
fn params(
    attributes: &Attributes,
    spec: &Value,
    reference: &Value,
) -> std::result::Result<Vec<Option<Value>>, Unbound> {
    let kind = &spec["paramKind"];
    if kind.is_null() {
        return Ok(vec![None]);
    }
    let (group, version) = match kind["apiVersion"].str() {
        text if text.contains('/') => text.split_once('/').unwrap_or_default(),
        text => ("", text),
    };
    let served = attributes.cluster.resources_of(group, version, kind["kind"].str());
    let Some(served) = served.first() else {
        let kind = kind["kind"].str();
        let why = format!("failed to find resource referenced by paramKind: '{group}/{version}, Kind={kind}'");
        return Err(Unbound::Policy(why));
    };
    if reference.is_null() {
        return Ok(vec![None]);
    }
    let binding = |why: &str| Unbound::Binding(why.to_owned());
    let namespace = match (served.namespaced, reference["namespace"].str()) {
        (false, "") => "",
        (false, _) => return Err(binding("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")),
        (true, "") if attributes.namespace().is_empty() => {
            let why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources";
            return Err(binding(why));
        }
        (true, "") => attributes.namespace(),
        (true, named) => named,
    };
    let reader = attributes.ctx.reader;
    let found: Vec<Option<Value>> = match reference["name"].str() {
        "" => {
            let selector = LabelSelector::from_value(&reference["selector"]).map_err(|why| binding(&why))?;
            let all = reader.list(group, &served.plural, namespace).into_iter();
            all.filter(|object| selector.matches_value(&object["metadata"]["labels"])).map(Some).collect()
        }
        name => reader.get(group, &served.plural, namespace, name).map(Some).into_iter().collect(),
    };
    if found.is_empty() && reference["parameterNotFoundAction"].str() == "Deny" {
        return Err(binding("no params found for policy binding with `Deny` parameterNotFoundAction"));
    }
    Ok(found)
}
