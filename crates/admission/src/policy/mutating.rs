//! MutatingAdmissionPolicy: a policy's expressions make configurations that are applied to a request's object, or patches
//! of it (k8s.io/apiserver/pkg/admission/plugin/policy/mutating).

use super::evaluate::{conditions_hold, evaluate};
use super::params::{Unbound, params};
use super::program::{Bound, Kept, Mutation, Mutations};
use super::subject::Subject;
use crate::matching::Candidate;
use crate::{Attributes, Form, Operation, Plugin};
use cel::Value as Cel;
use cel::policy::misnamed_types;
use meta::status::Cause;
use meta::{Reason, Result, Status, Value, value};
use patch::json::Unfit;
use patch::typed::{self, Typed};

const GROUP: &str = "admissionregistration.k8s.io";

pub struct MutatingAdmissionPolicy {
    kept: Kept<Mutations>,
}

/// A policy that a request is for, by one of its bindings and with one parameter.
struct Invocation<'a> {
    policy: &'a Bound<Mutations>,
    binding: &'a Value,
    form: Form,
    param: Option<Value>,
}

/// Why a mutation came to nothing.
enum Unmade {
    /// The failure policy says what that means.
    Failed(String),
    /// The request cannot go on.
    Broken(Status),
}

impl From<String> for Unmade {
    fn from(why: String) -> Unmade {
        Unmade::Failed(why)
    }
}

/// Why a policy could not do what it is for.
struct Failed {
    message: String,
    /// The policy is not to blame but the way it is set up.
    misconfigured: bool,
}

impl Default for MutatingAdmissionPolicy {
    fn default() -> MutatingAdmissionPolicy {
        MutatingAdmissionPolicy { kept: Kept::new(Mutations::new) }
    }
}

impl Plugin for MutatingAdmissionPolicy {
    fn name(&self) -> &'static str {
        "MutatingAdmissionPolicy"
    }

    fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        let reader = attributes.ctx.reader;
        let policies = reader.list_all(GROUP, "mutatingadmissionpolicies");
        if policies.is_empty() || attributes.operation == Operation::Delete {
            return Ok(());
        }
        let bindings = reader.list_all(GROUP, "mutatingadmissionpolicybindings");
        let bound = self.kept.bound(&policies, &bindings);
        let namespace = attributes.namespace_object();
        let candidate = Candidate { attributes, object, namespace: namespace.as_ref() };
        if candidate.is_exempt() {
            return Ok(());
        }
        let mut failures = Vec::new();
        let invocations: Vec<Invocation> =
            bound.iter().flat_map(|policy| invocations(&candidate, policy, &mut failures)).collect();
        if !invocations.is_empty() {
            invoke_all(attributes, namespace.as_ref(), &invocations, object, &mut failures)?;
        }
        refuse(attributes, failures)
    }
}

/// How a policy is to be applied. What is wrong with its setup is added to the failures.
fn invocations<'a>(
    candidate: &Candidate,
    policy: &'a Bound<Mutations>,
    failures: &mut Vec<Failed>,
) -> Vec<Invocation<'a>> {
    let spec = &policy.policy["spec"];
    let ignore = spec["failurePolicy"].str() == "Ignore";
    let Some(form) = candidate.matches(&spec["matchConstraints"]) else { return Vec::new() };
    let mut found = Vec::new();
    for binding in &policy.bindings {
        if candidate.matches(&binding["spec"]["matchResources"]).is_none() {
            continue;
        }
        match params(candidate.attributes, spec, &binding["spec"]["paramRef"]) {
            Ok(params) => {
                let invocation = |param| Invocation { policy, binding, form: form.clone(), param };
                found.extend(params.into_iter().map(invocation));
            }
            Err(_) if ignore => {}
            Err(Unbound::Policy(why)) => {
                let name = meta::field::quote(policy.policy["metadata"]["name"].str());
                let message = format!("policy {name} denied request: failed to configure policy: {why}");
                failures.push(Failed { message, misconfigured: true });
                break;
            }
            Err(Unbound::Binding(why)) => {
                let message = denied(policy, binding, &format!("failed to configure binding: {why}"));
                failures.push(Failed { message, misconfigured: true });
            }
        }
    }
    found
}

fn denied(policy: &Bound<Mutations>, binding: &Value, why: &str) -> String {
    let [policy, binding] = [&policy.policy, binding].map(|object| object["metadata"]["name"].str());
    format!("policy '{policy}' with binding '{binding}' denied request: {why}")
}

fn refuse(attributes: &Attributes, failures: Vec<Failed>) -> Result<()> {
    let Some(first) = failures.first() else { return Ok(()) };
    let mut status = attributes.forbidden("");
    status.message.clone_from(&first.message);
    if !first.misconfigured {
        status.reason = Reason::Invalid;
    }
    let causes = failures.into_iter().map(|failed| Cause { message: failed.message, ..Cause::default() });
    status.details.get_or_insert_default().causes.extend(causes);
    Err(status)
}

fn invoke_all(
    attributes: &Attributes,
    namespace: Option<&Value>,
    invocations: &[Invocation],
    object: &mut Value,
    failures: &mut Vec<Failed>,
) -> Result<()> {
    let is_second = {
        let rounds = &mut attributes.notes.borrow_mut().rounds;
        let is_second = rounds.is_second();
        rounds.policies.begin(is_second, object);
        is_second
    };
    for invocation in invocations {
        let spec = &invocation.policy.policy["spec"];
        let ignore = spec["failurePolicy"].str() == "Ignore";
        let fail =
            |why: String| Failed { message: denied(invocation.policy, invocation.binding, &why), misconfigured: false };
        match invocation.is_wanted(attributes, namespace, object, ignore) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(why) => {
                failures.push(fail(why));
                continue;
            }
        }
        let key = invocation.key();
        if is_second && !attributes.notes.borrow().rounds.policies.is_due_again(&key) {
            continue;
        }
        let mut acted = false;
        let before = object.clone();
        for mutation in invocation.policy.compiled.mutations.iter().filter(|_| !before.is_null()) {
            match invocation.mutate(attributes, namespace, mutation, object) {
                Ok(changed) => (*object, acted) = (changed, true),
                Err(Unmade::Broken(status)) => return Err(status),
                Err(Unmade::Failed(why)) if !ignore => failures.push(fail(why)),
                Err(Unmade::Failed(_)) => {}
            }
        }
        let rounds = &mut attributes.notes.borrow_mut().rounds;
        if *object != before {
            rounds.policies.repeat_done();
        }
        if acted {
            rounds.want_second();
        }
        if spec["reinvocationPolicy"].str() == "IfNeeded" {
            rounds.policies.note_done(&key);
        }
    }
    attributes.notes.borrow_mut().rounds.policies.end(object);
    Ok(())
}

impl Invocation<'_> {
    fn key(&self) -> String {
        let param = self.param.as_ref().map_or(&Value::Null, |param| &param["metadata"]);
        let [policy, binding] = [&self.policy.policy, self.binding].map(|object| object["metadata"]["name"].str());
        format!("{policy} {binding} {} {}", param["namespace"].str(), param["name"].str())
    }

    /// Whether the policy's conditions hold.
    fn is_wanted(
        &self,
        attributes: &Attributes,
        namespace: Option<&Value>,
        object: &Value,
        ignore: bool,
    ) -> std::result::Result<bool, String> {
        let compiled = &self.policy.compiled;
        if compiled.conditions.is_empty() {
            return Ok(true);
        }
        let candidate = Candidate { attributes, object, namespace };
        let subject = Subject::new(&candidate, &self.form);
        let given = subject.given(&self.policy.policy["spec"], self.param.as_ref());
        conditions_hold(&compiled.conditions, &compiled.variables, &given, ignore)
    }

    /// The object after a mutation.
    fn mutate(
        &self,
        attributes: &Attributes,
        namespace: Option<&Value>,
        mutation: &Mutation,
        object: &Value,
    ) -> std::result::Result<Value, Unmade> {
        let candidate = Candidate { attributes, object, namespace };
        let subject = Subject::new(&candidate, &self.form);
        let given = subject.given(&self.policy.policy["spec"], self.param.as_ref());
        let made = evaluate(&self.policy.compiled.variables, given, &mutation.expression)?;
        let (cluster, form) = (attributes.cluster, &self.form);
        if mutation.applies {
            return Ok(cluster.read(form, applied(attributes, form, &made, object)?, object)?);
        }
        let Some(changed) = patched(attributes, form, &made, object)? else { return Ok(object.clone()) };
        let broken = |why: String| Unmade::Broken(Status::internal(why));
        let unknown = cluster.unknown_in(form, &changed);
        if !unknown.is_empty() {
            return Err(broken(format!("strict decoding error: {}", unknown.join(", "))));
        }
        cluster.read(form, changed, object).map_err(broken)
    }
}

/// Names of types say where in the object a part belongs.
fn check_names(made: &Cel) -> std::result::Result<(), String> {
    match misnamed_types(made).as_slice() {
        [] => Ok(()),
        wrong => Err(format!("type mismatch: {}", wrong.join("\n"))),
    }
}

/// The object with a configuration applied; nobody becomes the manager of its fields.
fn applied(attributes: &Attributes, form: &Form, made: &Cel, object: &Value) -> std::result::Result<Value, String> {
    check_names(made)?;
    let mut configuration = made.to_data().ok_or("invalid return type: it is no data")?;
    configuration.set("apiVersion", form.kind.api_version());
    configuration.set("kind", &form.kind.kind);
    let failed = |why: String| format!("error applying patch: {why}");
    let Some((schema, ty)) = attributes.cluster.type_of(form) else {
        let why = format!("failed to convert patch object to typed object: no corresponding type for {}", form.kind);
        return Err(failed(why));
    };
    let typed = Typed::new(&schema, ty);
    let errs = typed.validate(&configuration);
    if !errs.is_empty() {
        return Err(failed(format!("failed to convert patch object to typed object: {}", typed::message(&errs))));
    }
    let atomics = typed.atomics(&configuration);
    if !atomics.is_empty() {
        let atomics = atomics.join(", ");
        return Err(failed(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {atomics}"
        )));
    }
    let converted = attributes.cluster.converted(form, object);
    Ok(typed.merge(converted.as_ref().unwrap_or(object), &configuration))
}

/// The object with a patch applied; `None` when a test of the patch fails, which leaves the object as it is.
fn patched(
    attributes: &Attributes,
    form: &Form,
    made: &Cel,
    object: &Value,
) -> std::result::Result<Option<Value>, String> {
    let items = made.items().ok_or("type mismatch: JSONPatchType.expression should evaluate to array")?;
    let mut operations = Vec::with_capacity(items.len());
    for item in &items {
        let Cel::Struct(written) = item else {
            return Err("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch".into());
        };
        let mut operation = value!({"op": "", "path": ""});
        for (name, field) in &written.fields {
            check_names(field)?;
            let why = "JSONPath valueExpression evaluated to a type that could not marshal to JSON";
            operation.set(name, field.to_data().ok_or(why)?);
        }
        operations.push(operation);
    }
    let mut changed = attributes.cluster.written(form, object);
    match patch::json::apply_explained(&mut changed, &operations) {
        Ok(()) => Ok(Some(changed)),
        Err(Unfit::Test(_)) => Ok(None),
        Err(Unfit::Operation(why)) => Err(format!("JSON Patch: {why}")),
    }
}
