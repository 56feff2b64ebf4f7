//! Roles and bindings, indexed by whom they bind.

use super::GROUP;
use super::rule::Rule;
use crate::{Attributes, Decision};
use meta::{Str, Value, value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Namespace and name; cluster-scoped objects have the namespace "".
type Key = (Str, Str);

/// All roles and bindings of a cluster. Changes cost what the changed object weighs; a decision looks only at the
/// bindings of the user and its groups.
#[derive(Debug, Default)]
pub struct Rbac {
    roles: HashMap<Key, Arc<[Rule]>>,
    bindings: HashMap<Key, Arc<Binding>>,
    /// By namespace ("": everywhere).
    by_subject: HashMap<Str, Scope>,
}

/// The bindings of one namespace, or of the whole cluster, by whom they bind; each list by name, so that the first reason is
/// always the same.
#[derive(Debug, Default)]
struct Scope {
    users: HashMap<Str, BTreeMap<Str, Arc<Binding>>>,
    groups: HashMap<Str, BTreeMap<Str, Arc<Binding>>>,
}

impl Scope {
    fn lists_of(&mut self, subject: &Subject) -> (&mut HashMap<Str, BTreeMap<Str, Arc<Binding>>>, Str) {
        match subject {
            Subject::User(name) => (&mut self.users, name.clone()),
            Subject::Group(name) => (&mut self.groups, name.clone()),
        }
    }
}

/// Whom a binding names. A service account is the user of its name.
#[derive(Clone, Debug, PartialEq)]
enum Subject {
    User(Str),
    Group(Str),
}

#[derive(Debug)]
struct Binding {
    namespace: Str,
    name: Str,
    role_kind: Str,
    role: Key,
    /// Each with the text in which messages describe it.
    subjects: Vec<(Subject, String)>,
}

/// What a user may do, for SelfSubjectRulesReview and escalation checks.
#[derive(Debug, Default, PartialEq)]
pub struct RulesOf {
    pub rules: Vec<Rule>,
    /// Roles that bindings name and that do not exist.
    pub errors: Vec<String>,
}

impl Rbac {
    /// Takes over a change of one object of the RBAC group; `None` when it was deleted. Other resources change nothing.
    pub fn set(&mut self, resource: &str, namespace: &str, name: &str, object: Option<&Value>) {
        let key: Key = (namespace.into(), name.into());
        match resource {
            "roles" | "clusterroles" => match object {
                Some(role) => drop(self.roles.insert(key, Rule::of_role(role).into())),
                None => drop(self.roles.remove(&key)),
            },
            "rolebindings" | "clusterrolebindings" => {
                self.unbind(&key);
                if let Some(object) = object {
                    self.bind(key, object);
                }
            }
            _ => {}
        }
    }

    fn bind(&mut self, key: Key, object: &Value) {
        let (namespace, name) = key.clone();
        let role = &object["roleRef"];
        let role_kind = Str::from(role["kind"].str());
        // A Role is looked for in the binding's namespace.
        let role_namespace = if role_kind == "Role" { namespace.clone() } else { Str::default() };
        let role = (role_namespace, Str::from(role["name"].str()));
        let subjects = object["subjects"].items().iter().filter_map(|s| subject(s, &namespace)).collect();
        let binding = Arc::new(Binding { namespace: namespace.clone(), name, role_kind, role, subjects });
        let scope = self.by_subject.entry(namespace).or_default();
        for (subject, _) in &binding.subjects {
            let (lists, name) = scope.lists_of(subject);
            lists.entry(name).or_default().insert(binding.name.clone(), binding.clone());
        }
        self.bindings.insert(key, binding);
    }

    fn unbind(&mut self, key: &Key) {
        let Some(binding) = self.bindings.remove(key) else { return };
        let Some(scope) = self.by_subject.get_mut(&binding.namespace) else { return };
        for (subject, _) in &binding.subjects {
            let (lists, name) = scope.lists_of(subject);
            if let Some(bindings) = lists.get_mut(&name) {
                bindings.remove(&binding.name);
                if bindings.is_empty() {
                    lists.remove(&name);
                }
            }
        }
        if scope.users.is_empty() && scope.groups.is_empty() {
            self.by_subject.remove(&binding.namespace);
        }
    }

    /// Whether a rule allows the request. Members of `system:masters` are not special here: another authorizer lets them through.
    pub fn authorize(&self, request: &Attributes) -> Decision {
        let mut errors = Vec::new();
        let mut allowed = None;
        self.visit(request.user, request.groups, request.namespace, |binding, who| {
            match self.roles.get(&binding.role) {
                Some(rules) if rules.iter().any(|rule| rule.allows(request)) => {
                    allowed = Some(binding.describe(who));
                    true
                }
                Some(_) => false,
                None => {
                    errors.push(binding.missing_role());
                    false
                }
            }
        });
        match allowed {
            Some(by) => Decision::Allow(format!("RBAC: allowed by {by}")),
            None if errors.is_empty() => Decision::NoOpinion(String::new()),
            None => Decision::NoOpinion(format!("RBAC: {}", aggregate(&errors))),
        }
    }

    /// All that binds a user in a namespace ("": only what holds everywhere).
    pub fn rules_of(&self, user: &str, groups: &[Str], namespace: &str) -> RulesOf {
        let mut out = RulesOf::default();
        self.visit(user, groups, namespace, |binding, _| {
            match self.roles.get(&binding.role) {
                Some(rules) => out.rules.extend(rules.iter().cloned()),
                None => out.errors.push(binding.missing_role()),
            }
            false
        });
        out
    }

    /// The rules of a role that a binding in `namespace` names.
    pub fn role_rules(&self, role_ref: &Value, namespace: &str) -> Option<Arc<[Rule]>> {
        let namespace = if role_ref["kind"].str() == "Role" { namespace } else { "" };
        self.roles.get(&(namespace.into(), role_ref["name"].str().into())).cloned()
    }

    /// The `status` of a SelfSubjectRulesReview.
    pub fn review(&self, user: &str, groups: &[Str], namespace: &str) -> Value {
        let RulesOf { rules, errors } = self.rules_of(user, groups, namespace);
        let list = |rules: Vec<Value>| Value::Array(rules);
        let resources = rules.iter().filter(|r| !r.resources.is_empty()).map(Rule::to_value).collect();
        let paths = rules.iter().filter(|r| !r.urls.is_empty()).map(|r| {
            let list = |texts: &[Str]| Value::Array(texts.iter().map(Value::from).collect());
            value!({"verbs": (list(&r.verbs)), "nonResourceURLs": (list(&r.urls))})
        });
        let paths = paths.collect();
        let mut status =
            value!({"resourceRules": (list(resources)), "nonResourceRules": (list(paths)), "incomplete": false});
        if !errors.is_empty() {
            status.set("evaluationError", aggregate(&errors));
        }
        status
    }

    /// Calls `stop` with each binding of the user, those of the whole cluster first, until it says true.
    fn visit(&self, user: &str, groups: &[Str], namespace: &str, mut stop: impl FnMut(&Binding, Who) -> bool) {
        let scopes = [Some(""), Some(namespace).filter(|n| !n.is_empty())];
        for scope in scopes.into_iter().flatten().filter_map(|namespace| self.by_subject.get(namespace)) {
            for binding in scope.users.get(user).into_iter().flat_map(BTreeMap::values) {
                if stop(binding, Who::User(user)) {
                    return;
                }
            }
            for (i, group) in groups.iter().enumerate() {
                for binding in scope.groups.get(group).into_iter().flat_map(BTreeMap::values) {
                    // A binding that names several of them counts once.
                    let before = groups.get(..i).unwrap_or_default();
                    if !binding.names_one_of(user, before) && stop(binding, Who::Group(group)) {
                        return;
                    }
                }
            }
        }
    }
}

/// For whom a binding was found.
#[derive(Clone, Copy)]
enum Who<'a> {
    User(&'a str),
    Group(&'a str),
}

impl Subject {
    fn is(&self, who: Who) -> bool {
        match (self, who) {
            (Subject::User(own), Who::User(name)) | (Subject::Group(own), Who::Group(name)) => own == name,
            _ => false,
        }
    }
}

/// Whom one entry of `subjects` means, and how messages describe it.
fn subject(subject: &Value, binding_namespace: &str) -> Option<(Subject, String)> {
    let name = subject["name"].str();
    let kind = subject["kind"].str();
    let described = |text: &str| format!("{kind} {}", meta::field::quote(text));
    match kind {
        "User" => Some((Subject::User(name.into()), described(name))),
        "Group" => Some((Subject::Group(name.into()), described(name))),
        "ServiceAccount" => {
            let namespace = match subject["namespace"].str() {
                "" => binding_namespace,
                own => own,
            };
            let user = Subject::User(format!("system:serviceaccount:{namespace}:{name}").into());
            (!namespace.is_empty()).then(|| (user, described(&format!("{name}/{namespace}"))))
        }
        _ => None,
    }
}

impl Binding {
    fn names_one_of(&self, user: &str, groups: &[Str]) -> bool {
        let is_one = |subject: &Subject| match subject {
            Subject::User(name) => name == user,
            Subject::Group(name) => groups.contains(name),
        };
        self.subjects.len() > 1 && self.subjects.iter().any(|(subject, _)| is_one(subject))
    }

    /// `ClusterRoleBinding "a" of ClusterRole "b" to User "c"`
    fn describe(&self, who: Who) -> String {
        let subject = self.subjects.iter().find(|(subject, _)| subject.is(who)).map_or("", |(_, text)| text.as_str());
        let (kind, name) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", self.name.to_string())
        } else {
            ("RoleBinding", format!("{}/{}", self.name, self.namespace))
        };
        let quote = meta::field::quote;
        format!("{kind} {} of {} {} to {subject}", quote(&name), self.role_kind, quote(&self.role.1))
    }

    fn missing_role(&self) -> String {
        match self.role_kind.as_str() {
            "Role" | "ClusterRole" => {
                let resource = self.role_kind.to_lowercase();
                format!("{resource}.{GROUP} {} not found", meta::field::quote(&self.role.1))
            }
            other => format!("unsupported role reference kind: {}", meta::field::quote(other)),
        }
    }
}

/// Several errors in one text, each once, as Go's aggregate prints them.
fn aggregate(errors: &[String]) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for error in errors {
        if !distinct.contains(&error.as_str()) {
            distinct.push(error);
        }
    }
    match distinct.as_slice() {
        [one] => (*one).to_string(),
        all => format!("[{}]", all.join(", ")),
    }
}
