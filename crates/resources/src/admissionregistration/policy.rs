//! ValidatingAdmissionPolicy and MutatingAdmissionPolicy: rules on requests, in CEL.

use super::rules;
use crate::{cells, columns};
use cel::Type;
use cel::policy::{PolicyEnv, Variables, json_patch_type, object_type};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::collections::HashSet;
use std::sync::Arc;

pub fn validating_admission_policy(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("6OxvlMmQ6is=")
    .strategy(Strategy {
        unconditional_update: false,
        metadata: MetadataRules::WHOLE.with_any_finalizers(),
        generation: Generation::Spec,
        reset_on_create: &["status"],
        keep_on_update: &["status"],
        reset_fields: &["status"],
        ..Strategy::default()
    })
    .hooks(ValidatingAdmissionPolicy)
    .status(
        Strategy {
            keep_on_update: &["spec"],
            reset_fields: &["metadata", "spec"],
            metadata: MetadataRules::NONE,
            ..Strategy::default()
        },
        ValidatingAdmissionPolicyStatus,
    );
    columns::with(descriptor, |object, now| {
        vec![
            cells::name(object),
            cells::count(&object["spec"]["validations"]),
            param_kind(object),
            cells::age(object, now),
        ]
    })
}

fn param_kind(object: &Value) -> Value {
    let kind = &object["spec"]["paramKind"];
    match kind.is_null() {
        true => cells::UNSET.into(),
        false => format!("{}/{}", kind["apiVersion"].str(), kind["kind"].str()).into(),
    }
}

struct ValidatingAdmissionPolicy;

impl Hooks for ValidatingAdmissionPolicy {
    fn default(&self, object: &mut Value) {
        default_policy(object);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let (spec, path) = (&object["spec"], Path::new("spec"));
        // Without variables there is no `variables`, which a mutating policy always has.
        let env = if spec["variables"].is_empty() { PolicyEnv::new() } else { PolicyEnv::composed() };
        let expressions = validate_policy(spec, env, false, errs);
        let (validations, annotations) = (spec["validations"].items(), spec["auditAnnotations"].items());
        if validations.is_empty() && annotations.is_empty() {
            for field in ["validations", "auditAnnotations"] {
                errs.required(&path.child(field), "validations or auditAnnotations must contain at least one item");
            }
        }
        for (i, validation) in validations.iter().enumerate() {
            validate_validation(validation, &expressions, &path.child("validations").index(i), errs);
        }
        validate_annotations(annotations, object["metadata"]["name"].str(), &expressions, errs);
    }
}

fn default_policy(object: &mut Value) {
    object.entry("spec").set_default("failurePolicy", "Fail");
    rules::default_match_resources(object, "matchConstraints");
}

/// What a policy's expressions may refer to.
struct Expressions {
    env: PolicyEnv,
    params: bool,
}

impl Expressions {
    /// Reports what is wrong with an expression; its type when nothing is.
    fn validate(
        &self,
        text: &str,
        with: Variables,
        returned: &[Type],
        path: &Path,
        errs: &mut ErrorList,
    ) -> Option<Type> {
        match self.env.compile(text, with, returned) {
            Ok(program) => Some(program.output_type().clone()),
            Err(detail) => {
                errs.invalid(path, text, &detail);
                None
            }
        }
    }

    fn variables(&self) -> Variables {
        Variables { params: self.params, authorizer: true, patches: false }
    }
}

/// What both kinds of policy have; what its other expressions may refer to.
fn validate_policy(spec: &Value, env: PolicyEnv, mutates: bool, errs: &mut ErrorList) -> Expressions {
    let path = Path::new("spec");
    rules::validate_failure_policy(spec, &path, errs);
    if !spec["paramKind"].is_null() {
        validate_param_kind(&spec["paramKind"], &path.child("paramKind"), errs);
    }
    let (constraints, at) = (&spec["matchConstraints"], path.child("matchConstraints"));
    if constraints.is_null() {
        errs.required(&at, "");
    } else {
        rules::validate_match_resources(constraints, &at, errs);
        // Without a rule there would be no type to compile expressions for.
        if constraints["resourceRules"].is_empty() {
            errs.required(&at.child("resourceRules"), "");
        }
        if mutates {
            rules::validate_mutated_operations(spec, "matchConstraints", errs);
        }
    }
    let params = !spec["paramKind"].is_null();
    rules::validate_match_conditions(&spec["matchConditions"], params, &path.child("matchConditions"), errs);
    let mut expressions = Expressions { env, params };
    for (i, variable) in spec["variables"].items().iter().enumerate() {
        validate_variable(variable, &mut expressions, &path.child("variables").index(i), errs);
    }
    expressions
}

fn validate_param_kind(kind: &Value, path: &Path, errs: &mut ErrorList) {
    let at = path.child("apiVersion");
    match kind["apiVersion"].str() {
        "" => errs.required(&at, ""),
        gv if gv.matches('/').count() > 1 => {
            errs.invalid(&at, gv, &format!("unexpected GroupVersion string: {gv}"));
        }
        gv => {
            let (group, version) = gv.split_once('/').unwrap_or(("", gv));
            if !group.is_empty() {
                errs.invalid_each(&at, group, name::dns1123_subdomain(group));
            }
            errs.invalid_each(&at, version, name::dns1035_label(version));
        }
    }
    let (text, at) = (kind["kind"].str(), path.child("kind"));
    if text.is_empty() {
        errs.required(&at, "");
    } else {
        let wrong = name::dns1035_label(&text.to_lowercase());
        if !wrong.is_empty() {
            let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
            errs.invalid(&at, text, &detail);
        }
    }
}

fn validate_variable(variable: &Value, expressions: &mut Expressions, path: &Path, errs: &mut ErrorList) {
    let variable_name = variable["name"].str();
    if variable_name.trim().is_empty() {
        errs.required(&path.child("name"), "name is not specified");
    } else if !is_cel_identifier(variable_name) {
        errs.invalid(&path.child("name"), variable_name, "must be a valid CEL identifier");
    }
    let (expression, at) = (variable["expression"].str(), path.child("expression"));
    if expression.trim().is_empty() {
        errs.required(&at, "expression is not specified");
        return;
    }
    // One that does not compile has a name all the same, so that it is reported once.
    let found = expressions.validate(expression, expressions.variables(), &[], &at, errs);
    expressions.env.add(variable_name, found.unwrap_or(Type::Dyn));
}

fn is_cel_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The reasons that a refusal may have.
const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge"];

fn validate_validation(validation: &Value, expressions: &Expressions, path: &Path, errs: &mut ErrorList) {
    let (expression, message) = (validation["expression"].str().trim(), validation["message"].str());
    let blank = |text: &str| !text.is_empty() && text.trim().is_empty();
    if expression.is_empty() {
        errs.required(&path.child("expression"), "expression is not specified");
    } else {
        let text = validation["expression"].str();
        expressions.validate(text, expressions.variables(), &[Type::Bool], &path.child("expression"), errs);
    }
    let (message_expression, at) = (validation["messageExpression"].str(), path.child("messageExpression"));
    if blank(message_expression) {
        errs.invalid(&at, message_expression, "must be non-empty if specified");
    } else if !message_expression.is_empty() {
        // A message asks nobody for access.
        let with = Variables { authorizer: false, ..expressions.variables() };
        expressions.validate(message_expression, with, &[Type::String], &at, errs);
    }
    let at = path.child("message");
    if blank(message) {
        errs.invalid(&at, message, "message must be non-empty if specified");
    } else if message.trim().contains('\n') {
        errs.invalid(&at, message, "message must not contain line breaks");
    } else if message.is_empty() && expression.contains('\n') {
        errs.required(&at, "message must be specified if expression contains line breaks");
    }
    if let Some(reason) = validation["reason"].as_str()
        && !REASONS.contains(&reason)
    {
        errs.not_supported(&path.child("reason"), reason, REASONS);
    }
}

/// The longest expression for the value of an annotation (bytes).
const VALUE_EXPRESSION_MAX: usize = 5 * 1024;

fn validate_annotations(annotations: &[Value], policy: &str, expressions: &Expressions, errs: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (i, annotation) in annotations.iter().enumerate() {
        let path = Path::new("spec").child("auditAnnotations").index(i);
        let key = annotation["key"].str();
        if policy.is_empty() {
            errs.invalid(&path.child("key"), key, "requires metadata.name be non-empty");
        } else {
            let full = format!("{policy}/{key}");
            errs.invalid_each(&path.child("key"), full.as_str(), name::qualified_name(&full));
        }
        let (expression, at) = (annotation["valueExpression"].str(), path.child("valueExpression"));
        let trimmed = expression.trim();
        if trimmed.is_empty() {
            errs.required(&at, "valueExpression is not specified");
        } else if trimmed.len() > VALUE_EXPRESSION_MAX {
            errs.required(&at, &format!("must not exceed {VALUE_EXPRESSION_MAX} bytes in length"));
        } else if let Err(detail) =
            expressions.env.compile(trimmed, expressions.variables(), &[Type::String, Type::Null])
        {
            errs.invalid(&at, expression, &detail);
        }
        if !seen.insert(key) {
            errs.duplicate(&path.child("key"), key);
        }
    }
}

struct ValidatingAdmissionPolicyStatus;

impl Hooks for ValidatingAdmissionPolicyStatus {}

pub fn mutating_admission_policy(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "admissionregistration.k8s.io",
        "v1",
        "MutatingAdmissionPolicy",
        "mutatingadmissionpolicies",
    )
    .cluster_scoped()
    .categories(&["api-extensions"])
    .storage_version_hash("LYmCf+UMVdg=")
    .strategy(Strategy {
        unconditional_update: false,
        metadata: MetadataRules::WHOLE.with_any_finalizers(),
        generation: Generation::Spec,
        ..Strategy::default()
    })
    .in_etcd(super::IN_ETCD)
    .hooks(MutatingAdmissionPolicy);
    columns::with(descriptor, |object, now| {
        vec![
            cells::name(object),
            cells::count(&object["spec"]["mutations"]),
            param_kind(object),
            cells::age(object, now),
        ]
    })
}

struct MutatingAdmissionPolicy;

impl Hooks for MutatingAdmissionPolicy {
    fn default(&self, object: &mut Value) {
        default_policy(object);
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let (spec, path) = (&object["spec"], Path::new("spec"));
        let expressions = validate_policy(spec, PolicyEnv::composed(), true, errs);
        if spec["mutations"].is_empty() {
            errs.required(&path.child("mutations"), "mutations must contain at least one item");
        }
        for (i, mutation) in spec["mutations"].items().iter().enumerate() {
            validate_mutation(mutation, &expressions, &path.child("mutations").index(i), errs);
        }
        let at = path.child("reinvocationPolicy");
        match spec["reinvocationPolicy"].str() {
            "" => errs.required(&at, ""),
            "IfNeeded" | "Never" => {}
            other => errs.not_supported(&at, other, &["IfNeeded", "Never"]),
        }
    }
}

/// A type of patch, the field that holds it, and the field that must then be absent.
const PATCHES: &[(&str, &str, &str)] =
    &[("ApplyConfiguration", "applyConfiguration", "jsonPatch"), ("JSONPatch", "jsonPatch", "applyConfiguration")];

fn validate_mutation(mutation: &Value, expressions: &Expressions, path: &Path, errs: &mut ErrorList) {
    let patch_type = mutation["patchType"].str();
    let at = path.child("patchType");
    if patch_type.is_empty() {
        errs.required(&at, "");
        return;
    }
    let Some((_, own, other)) = PATCHES.iter().find(|(known, ..)| *known == patch_type) else {
        errs.not_supported(&at, patch_type, &["ApplyConfiguration", "JSONPatch"]);
        return;
    };
    if mutation[*own].is_null() {
        errs.required(&path.child(own), &format!("must be specified when patchType is {patch_type}"));
    } else if mutation[*own]["expression"].str().trim().is_empty() {
        errs.required(&path.child(own).child("expression"), "");
    } else {
        let made = if *own == "jsonPatch" { json_patch_type() } else { object_type() };
        let with = Variables { patches: true, ..expressions.variables() };
        let text = mutation[*own]["expression"].str();
        expressions.validate(text, with, &[made], &path.child(own).child("expression"), errs);
    }
    if !mutation[*other].is_null() {
        let detail = format!("must not be specified when patchType is {patch_type}");
        errs.invalid(&path.child(other), &mutation[*other], &detail);
    }
}
