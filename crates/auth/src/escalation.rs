//! Nobody grants more than they have: the checks on writes of roles and bindings
//! (upstream: pkg/registry/rbac/*/policybased).

use crate::rbac::{GROUP, Rbac, Rule, uncovered};
use crate::{Attributes, PRIVILEGED_GROUP};
use meta::{Result, Status, Str, Value};
use std::collections::BTreeSet;

/// Who writes what.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    pub user: &'a str,
    pub groups: &'a [Str],
    /// Only writes of the RBAC group and of certificate requests are ever refused.
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    /// The name in the request's path; "" on create.
    pub request_name: &'a str,
    /// `None` on create.
    pub old: Option<&'a Value>,
    pub object: &'a Value,
}

/// Whether a write has to be checked at all.
pub fn is_checked(write: &Write) -> bool {
    write.group == GROUP
        && matches!(write.resource, "roles" | "clusterroles" | "rolebindings" | "clusterrolebindings")
        && !write.groups.iter().any(|g| g == PRIVILEGED_GROUP)
        && !write.old.is_some_and(|old| same_but_for_gc(old, write.object))
}

/// What lets its sender do a write that has to be checked, whatever rights it gives away: the verb `escalate` on a role, or
/// `bind` on the role that is bound. To be asked of all authorizers.
pub fn exemption<'a>(write: &Write<'a>) -> Option<Attributes<'a>> {
    let of = |verb, group, resource, name| Attributes {
        user: write.user,
        groups: write.groups,
        verb,
        group,
        resource,
        namespace: write.namespace,
        name,
        ..Attributes::default()
    };
    if matches!(write.resource, "roles" | "clusterroles") {
        return Some(of("escalate", GROUP, write.resource, write.request_name));
    }
    let role_ref = &write.object["roleRef"];
    let resource = match role_ref["kind"].str() {
        "ClusterRole" => "clusterroles",
        "Role" => "roles",
        _ => return None,
    };
    Some(of("bind", role_ref["apiGroup"].str(), resource, role_ref["name"].str()))
}

/// Checks a write that has to be checked, and that no [`exemption`] allows.
///
/// # Errors
/// 403 with what the user does not have, 404 for a binding to a role that is not there.
pub fn check(rbac: &Rbac, write: &Write) -> Result<()> {
    match write.resource {
        "roles" | "clusterroles" => check_role(rbac, write),
        _ => check_binding(rbac, write),
    }
}

fn check_role(rbac: &Rbac, write: &Write) -> Result<()> {
    confirm(rbac, write, &Rule::of_role(write.object)).map_err(|why| forbidden(write, &why))?;
    let aggregates = |role: &Value| !role["aggregationRule"]["clusterRoleSelectors"].items().is_empty();
    if aggregates(write.object) || write.old.is_some_and(aggregates) {
        // What it will gather is not known, so it may be anything.
        let why = "must have cluster-admin privileges to use the aggregationRule";
        confirm(rbac, write, &everything()).map_err(|_| forbidden(write, why))?;
    }
    Ok(())
}

fn check_binding(rbac: &Rbac, write: &Write) -> Result<()> {
    let role_ref = &write.object["roleRef"];
    let name = role_ref["name"].str();
    let rules = rbac.role_rules(role_ref, write.namespace);
    // Upstream's answer names the binding's resource with the role's name.
    let rules = rules.ok_or_else(|| Status::not_found(GROUP, write.resource, name))?;
    confirm(rbac, write, &rules).map_err(|why| forbidden(write, &why))
}

fn forbidden(write: &Write, why: &str) -> Status {
    Status::forbidden(GROUP, write.resource, write.object["metadata"]["name"].str(), why)
}

/// All verbs on all resources and paths.
fn everything() -> Vec<Rule> {
    let all = || vec![Str::from("*")];
    vec![
        Rule { verbs: all(), groups: all(), resources: all(), ..Rule::default() },
        Rule { verbs: all(), urls: all(), ..Rule::default() },
    ]
}

/// That the user has all of `rules` in the namespace.
fn confirm(rbac: &Rbac, write: &Write, rules: &[Rule]) -> std::result::Result<(), String> {
    let owned = rbac.rules_of(write.user, write.groups, write.namespace);
    let missing = uncovered(&owned.rules, rules);
    if missing.is_empty() {
        return Ok(());
    }
    let texts: BTreeSet<String> = compact(missing).iter().map(Rule::compact_text).collect();
    let texts: Vec<String> = texts.into_iter().collect();
    let (user, groups) = (meta::field::quote(write.user), crate::rbac::quoted(write.groups));
    let mut text = format!(
        "user {user} (groups={groups}) is attempting to grant RBAC permissions not currently held:\n{}",
        texts.join("\n")
    );
    if !owned.errors.is_empty() {
        text.push_str(&format!("; resolution errors: [{}]", owned.errors.join(" ")));
    }
    Err(text)
}

/// Puts rules of one group, resource and name that differ in the verb together.
fn compact(rules: Vec<Rule>) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::new();
    let mut at = std::collections::HashMap::new();
    for mut rule in rules {
        if !rule.urls.is_empty() {
            out.push(rule);
            continue;
        }
        let key = (rule.groups.clone(), rule.resources.clone(), rule.names.clone());
        match at.get(&key).and_then(|i: &usize| out.get_mut(*i)) {
            Some(same) => same.verbs.append(&mut rule.verbs),
            None => {
                at.insert(key, out.len());
                out.push(rule);
            }
        }
    }
    out
}

/// Whether an update changes only what the garbage collector needs to change to delete the object.
fn same_but_for_gc(old: &Value, new: &Value) -> bool {
    let stripped = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata") {
            for key in ["ownerReferences", "finalizers", "managedFields", "selfLink"] {
                metadata.remove(key);
            }
        }
        object
    };
    stripped(old) == stripped(new)
}
