//! The request as expressions see it: an AdmissionRequest, and who may do what.

use crate::{Attributes, Form, Question};
use cel::{Authorizer, Decision};
use meta::{Gvk, Str, Value, value};
use resource::User;

/// The variable `request`; empty fields are left out, as upstream's conversion leaves them out.
pub fn request(attributes: &Attributes, form: &Form) -> Value {
    let kind = |kind: &Gvk| value!({"group": (&kind.group), "version": (&kind.version), "kind": (&kind.kind)});
    let resource =
        |form: &Form| value!({"group": (&form.group), "version": (&form.version), "resource": (&form.resource)});
    let sent = attributes.form();
    let mut request = value!({
        "kind": (kind(&form.kind)), "requestKind": (kind(&sent.kind)),
        "resource": (resource(form)), "requestResource": (resource(&sent)),
        "operation": (attributes.operation.name()),
        "userInfo": (user_info(attributes.ctx.user)),
        "dryRun": (attributes.ctx.dry_run)
    });
    let subresource = attributes.subresource();
    let optional = [
        ("name", attributes.name),
        ("namespace", attributes.told_namespace()),
        ("subResource", subresource),
        ("requestSubResource", subresource),
    ];
    for (field, text) in optional.into_iter().filter(|(_, text)| !text.is_empty()) {
        request.set(field, text);
    }
    if !attributes.options.is_null() {
        request.set("options", attributes.options);
    }
    request
}

pub fn user_info(user: &User) -> Value {
    let texts = |list: &[Str]| Value::Array(list.iter().map(Value::from).collect());
    let mut info = Value::object();
    if !user.name.is_empty() {
        info.set("username", &user.name);
    }
    if !user.uid.is_empty() {
        info.set("uid", &user.uid);
    }
    if !user.groups.is_empty() {
        info.set("groups", texts(&user.groups));
    }
    for (key, values) in &user.extra {
        info.entry("extra").set(key, texts(values));
    }
    info
}

/// The question whether the sender may do something with what the request is about.
pub fn resource_question(attributes: &Attributes) -> cel::Question {
    cel::Question {
        group: attributes.group.to_owned(),
        version: attributes.version.to_owned(),
        resource: attributes.resource.to_owned(),
        subresource: attributes.subresource().to_owned(),
        namespace: attributes.namespace().to_owned(),
        name: attributes.name.to_owned(),
        ..cel::Question::default()
    }
}

/// The cluster's authorizers, as expressions ask them.
pub struct Asked<'a>(pub &'a Attributes<'a>);

impl Authorizer for Asked<'_> {
    fn decide(&self, question: &cel::Question) -> Decision {
        let account;
        let user = match &question.service_account {
            Some((namespace, name)) => {
                account = service_account(namespace, name);
                &account
            }
            None => self.0.ctx.user,
        };
        let cluster = self.0.cluster;
        let allowed = match question.path.as_str() {
            "" => cluster.allows(
                user,
                &Question {
                    verb: &question.verb,
                    group: &question.group,
                    version: if question.version.is_empty() { "*" } else { &question.version },
                    resource: &question.resource,
                    subresource: &question.subresource,
                    namespace: &question.namespace,
                    name: &question.name,
                },
            ),
            path => cluster.allows_path(user, &question.verb, path),
        };
        Decision { allowed, ..Decision::default() }
    }
}

fn service_account(namespace: &str, name: &str) -> User {
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        "system:authenticated".to_owned(),
    ];
    User {
        name: format!("system:serviceaccount:{namespace}:{name}").into(),
        groups: groups.into_iter().map(Str::from).collect(),
        ..User::default()
    }
}
