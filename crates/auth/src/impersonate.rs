//! What must be allowed before a request may be made in another user's name
//! (upstream: k8s.io/apiserver/pkg/endpoints/filters/impersonation).
//!
//! There are several modes, from the narrowest to the oldest. A mode is a list of questions to the authorizers, all of
//! which must be answered with yes; the first mode that holds decides. When none does, the answer is the refusal of the
//! first mode that applies.

use meta::Str;
use meta::field::quote;

/// Whom the headers ask for. Also who the request is from when the questions are answered with yes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub name: Str,
    pub uid: Str,
    pub groups: Vec<Str>,
    /// Sorted by key.
    pub extra: Vec<(Str, Vec<Str>)>,
}

/// A question to the authorizers.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// May the sender use this verb on the very thing that the request is for?
    OnRequest { verb: String },
    /// May the sender use this verb on a part of an identity?
    On { verb: Str, group: &'static str, resource: &'static str, subresource: Str, namespace: Str, name: Str },
    /// No, without asking, and why; about the part of an identity.
    Refused { verb: Str, group: &'static str, resource: &'static str, name: Str, why: String },
}

/// A mode: what to ask, and who the sender then is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// Upstream's; "legacy" for the oldest.
    pub name: &'static str,
    pub questions: Vec<Question>,
    pub becomes: Identity,
}

impl Mode {
    /// The verb that allows the mode, as the audit log names it; "" for the oldest.
    pub fn constraint(&self) -> String {
        if self.name == "legacy" { String::new() } else { format!("impersonate:{}", self.name) }
    }
}

const GROUP: &str = "authentication.k8s.io";
const NODES_GROUP: &str = "system:nodes";
const NODE_NAME_KEY: &str = "authentication.kubernetes.io/node-name";
/// Where each name would be a question, one question for all names is tried first.
const MANY: usize = 4;

/// The modes that apply, in order. `verb` is that of the request.
pub fn plan(wanted: &Identity, sender: &Identity, verb: &str) -> Vec<Mode> {
    let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
    let node = node_of(&wanted.name);
    let account = account_of(&wanted.name);
    let associated = node.is_some()
        && account_of(&sender.name).is_some()
        && sender.extra.iter().any(|(key, values)| key == NODE_NAME_KEY && node == single(values));
    let applies = [
        ("associated-node", only_name && associated),
        ("arbitrary-node", only_name && node.is_some()),
        ("serviceaccount", only_name && account.is_some()),
        ("user-info", node.is_none() && account.is_none()),
    ];
    let constrained = applies.iter().filter(|(_, applies)| *applies).map(|(name, _)| {
        let on_request = Question::OnRequest { verb: format!("impersonate-on:{name}:{verb}") };
        let verb = format!("impersonate:{name}");
        let mut mode = Mode { name, ..parts(wanted, &verb, true, *name == "associated-node") };
        mode.questions.insert(0, on_request);
        mode
    });
    constrained.chain([parts(wanted, "impersonate", false, false)]).collect()
}

/// The questions about each part of the identity, as the oldest mode.
fn parts(wanted: &Identity, verb: &str, constrained: bool, any_node: bool) -> Mode {
    let verb = Str::from(verb);
    let group = if constrained { GROUP } else { "" };
    let on = |group, resource, subresource: &str, namespace: &str, name: &str| Question::On {
        verb: verb.clone(),
        group,
        resource,
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    let refused = |group, resource, name: &str, why: &str| Question::Refused {
        verb: verb.clone(),
        group,
        resource,
        name: name.into(),
        why: why.to_owned(),
    };
    let mut becomes = wanted.clone();
    let mut questions = vec![];
    match (account_of(&wanted.name), node_of(&wanted.name)) {
        (Some((namespace, name)), _) => {
            if wanted.groups.is_empty() {
                becomes.groups =
                    vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}").into()];
            }
            questions.push(on(group, "serviceaccounts", "", namespace, name));
        }
        (None, Some(node)) if constrained => {
            becomes.groups = vec![NODES_GROUP.into()];
            questions.push(on(group, "nodes", "", "", if any_node { "*" } else { node }));
        }
        _ => questions.push(on(group, "users", "", "", &wanted.name)),
    }
    if !wanted.uid.is_empty() {
        questions.push(on(GROUP, "uids", "", "", &wanted.uid));
    }
    if constrained && wanted.groups.iter().any(|group| group.is_empty()) {
        questions.push(refused(group, "groups", "", "impersonating the empty string group is not allowed"));
    } else if constrained && wanted.groups.iter().any(|group| group == crate::PRIVILEGED_GROUP) {
        let why = "impersonating the system:masters group is not allowed";
        questions.push(refused(group, "groups", crate::PRIVILEGED_GROUP, why));
    }
    questions.extend(wanted.groups.iter().map(|name| on(group, "groups", "", "", name)));
    if constrained && let Some(why) = invalid_extra(&wanted.extra) {
        questions.push(refused(GROUP, "userextras", "", &why));
    }
    for (key, values) in &wanted.extra {
        questions.extend(values.iter().map(|value| on(GROUP, "userextras", key, "", value)));
    }
    add_standard_group(&mut becomes);
    Mode { name: "legacy", questions, becomes }
}

/// One question that stands for many of a kind: with yes to it the others need not be asked.
pub fn wholesale(mode: &Mode) -> Option<Question> {
    let groups = mode.questions.iter().filter(|q| matches!(q, Question::On { resource: "groups", group: GROUP, .. }));
    let mut groups = groups.peekable();
    let Some(Question::On { verb, group, resource, .. }) = groups.peek().copied() else { return None };
    let (verb, group, resource) = (verb.clone(), *group, *resource);
    let question =
        Question::On { verb, group, resource, subresource: "".into(), namespace: "".into(), name: "*".into() };
    (groups.count() >= MANY).then_some(question)
}

fn add_standard_group(identity: &mut Identity) {
    let has = |group: &str| identity.groups.iter().any(|have| have == group);
    let wanted = match identity.name.as_str() {
        "system:anonymous" => "system:unauthenticated",
        _ if has("system:unauthenticated") => return,
        _ => "system:authenticated",
    };
    if !has(wanted) {
        identity.groups.push(wanted.into());
    }
}

fn invalid_extra(extra: &[(Str, Vec<Str>)]) -> Option<String> {
    for (key, values) in extra {
        if key.is_empty() {
            return Some("impersonating the empty string key in extra is not allowed".into());
        }
        if !key.contains('/') {
            let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            return Some(format!(
                "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {}: {why}",
                quote(key)
            ));
        }
        if key.chars().any(char::is_uppercase) {
            return Some(format!("impersonating a non-lowercase key in extra is not allowed: {}", quote(key)));
        }
        if values.is_empty() {
            return Some("impersonating empty values in extra is not allowed".into());
        }
        if values.iter().any(|value| value.is_empty()) {
            return Some("impersonating the empty string value in extra is not allowed".into());
        }
    }
    None
}

fn node_of(user: &str) -> Option<&str> {
    user.strip_prefix("system:node:").filter(|name| meta::name::dns1123_subdomain(name).is_empty())
}

/// Namespace and name of a service account's user name.
fn account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let valid = meta::name::dns1123_label(namespace).is_empty() && meta::name::dns1123_subdomain(name).is_empty();
    valid.then_some((namespace, name))
}

fn single(values: &[Str]) -> Option<&str> {
    match values {
        [value] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, groups: &[&str]) -> Identity {
        Identity {
            name: name.into(),
            groups: groups.iter().map(|group| (*group).into()).collect(),
            ..Identity::default()
        }
    }

    fn verbs(wanted: &Identity) -> Vec<String> {
        let first = |mode: Mode| match mode.questions.into_iter().next() {
            Some(Question::OnRequest { verb }) => verb,
            Some(Question::On { verb, resource, .. }) => format!("{verb} {resource}"),
            other => format!("{other:?}"),
        };
        plan(wanted, &Identity::default(), "get").into_iter().map(first).collect()
    }

    #[test]
    fn modes_depend_on_whom() {
        let cases = [
            (identity("x", &[]), vec!["impersonate-on:user-info:get", "impersonate users"]),
            (
                identity("system:serviceaccount:a:b", &[]),
                vec!["impersonate-on:serviceaccount:get", "impersonate serviceaccounts"],
            ),
            (identity("system:serviceaccount:a:b", &["g"]), vec!["impersonate serviceaccounts"]),
            (identity("system:node:n1", &[]), vec!["impersonate-on:arbitrary-node:get", "impersonate users"]),
            (identity("system:node:N_1", &[]), vec!["impersonate-on:user-info:get", "impersonate users"]),
        ];
        for (wanted, modes) in cases {
            assert_eq!(verbs(&wanted), modes, "{wanted:?}");
        }
        let sender = Identity {
            extra: vec![(NODE_NAME_KEY.into(), vec!["n1".into()])],
            ..identity("system:serviceaccount:a:b", &[])
        };
        assert_eq!(plan(&identity("system:node:n1", &[]), &sender, "get").len(), 3);
    }

    #[test]
    fn what_one_becomes() {
        let becomes = |wanted: &Identity| {
            let modes = plan(wanted, &Identity::default(), "get");
            modes.first().map(|mode| mode.becomes.groups.join(" ")).unwrap_or_default()
        };
        assert_eq!(becomes(&identity("x", &["g"])), "g system:authenticated");
        assert_eq!(becomes(&identity("system:anonymous", &[])), "system:unauthenticated");
        assert_eq!(becomes(&identity("x", &["system:unauthenticated"])), "system:unauthenticated");
        assert_eq!(becomes(&identity("system:node:n", &[])), "system:nodes system:authenticated");
        let account = becomes(&identity("system:serviceaccount:a:b", &[]));
        assert_eq!(account, "system:serviceaccounts system:serviceaccounts:a system:authenticated");
    }

    #[test]
    fn masters_only_in_the_oldest_mode() {
        let modes = plan(&identity("x", &["system:masters"]), &Identity::default(), "get");
        let refused = |mode: &Mode| mode.questions.iter().any(|q| matches!(q, Question::Refused { .. }));
        assert_eq!(modes.iter().map(refused).collect::<Vec<_>>(), [true, false]);
    }
}
