//! ValidatingAdmissionPolicy: requests that a policy's expressions are not true of are refused, warned of, or noted
//! (k8s.io/apiserver/pkg/admission/plugin/policy/validating).

use super::evaluate::{Found, judge};
use super::params::{Unbound, params};
use super::program::{Bound, Compiled, Kept};
use super::subject::Subject;
use crate::matching::Candidate;
use crate::{Attributes, Plugin};
use meta::status::Cause;
use meta::{Reason, Result, Status, Value};

const GROUP: &str = "admissionregistration.k8s.io";
/// The longest value of an annotation (bytes).
const ANNOTATION_BYTES_MAX: usize = 10 * 1024;

pub struct ValidatingAdmissionPolicy {
    kept: Kept<Compiled>,
}

impl Default for ValidatingAdmissionPolicy {
    fn default() -> ValidatingAdmissionPolicy {
        ValidatingAdmissionPolicy { kept: Kept::new(Compiled::new) }
    }
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
        let namespace = attributes.namespace_object();
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
fn apply(subject: &Subject, bound: &Bound<Compiled>) -> Option<Denial> {
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
