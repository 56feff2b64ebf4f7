//! The roles and bindings a cluster starts with, and how a start brings existing ones up to date without taking away
//! what an administrator added (upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy, component-helpers/auth/rbac/reconciliation).

use crate::rbac::{GROUP, Rule, uncovered};
use meta::{Str, Value, value};

const FACTS: &str = include_str!("../facts/bootstrap.facts");
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// One object of the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub resource: &'static str,
    /// "" for cluster-scoped ones.
    pub namespace: Str,
    pub name: Str,
    pub object: Value,
}

/// The whole policy, in the order in which upstream writes it: cluster roles, their bindings, roles, their bindings.
pub fn policy() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in FACTS.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("  "), entries.last_mut()) {
            (Some(line), Some(entry)) => add_line(&mut entry.object, line),
            _ => entries.extend(start(line)),
        }
    }
    entries
}

/// The rules of one ClusterRole of the policy, for authorizers that need no index.
pub fn cluster_role_rules(name: &str) -> Vec<Rule> {
    let found = policy().into_iter().find(|e| e.resource == "clusterroles" && e.name == name);
    found.map(|e| Rule::of_role(&e.object)).unwrap_or_default()
}

/// The object of a line that starts one: `kind namespace/name [label]` or `kind namespace/name -> kind/role`.
fn start(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let (kind, path) = (words.next()?, words.next()?);
    let resource = match kind {
        "ClusterRole" => "clusterroles",
        "ClusterRoleBinding" => "clusterrolebindings",
        "Role" => "roles",
        "RoleBinding" => "rolebindings",
        _ => return None,
    };
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    let mut object = value!({
        "apiVersion": (format!("{GROUP}/v1")),
        "kind": kind,
        "metadata": {
            "name": name,
            "annotations": {AUTO_UPDATE: "true"},
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}
        }
    });
    let metadata = object.entry("metadata");
    if !namespace.is_empty() {
        metadata.set("namespace", namespace);
    }
    match words.next() {
        Some("->") => {
            let (kind, role) = words.next()?.split_once('/')?;
            object.set("roleRef", value!({"apiGroup": GROUP, "kind": kind, "name": role}));
        }
        Some(label) => {
            metadata.entry("labels").set(&format!("{GROUP}/{}", label.trim_matches(['[', ']'])), "true");
        }
        None => {}
    }
    if kind.ends_with("Role") {
        object.set("rules", Value::Null);
    }
    Some(Entry { resource, namespace: namespace.into(), name: name.into(), object })
}

fn add_line(object: &mut Value, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let list = |text: &str| -> Vec<Str> { text.split(',').map(|t| Str::from(t.trim_matches('"'))).collect() };
    let rule = match words.as_slice() {
        [subject] => {
            let Some((kind, name)) = subject.split_once(':') else { return };
            return push(object.entry("subjects"), subject_value(kind, name));
        }
        ["aggregate", label] => {
            let label = format!("{GROUP}/{label}");
            let selector = value!({"matchLabels": {(label): "true"}});
            return push(object.entry("aggregationRule").entry("clusterRoleSelectors"), selector);
        }
        [verbs, "urls", urls] => Rule { verbs: list(verbs), urls: list(urls), ..Rule::default() },
        [verbs, groups, resources, names @ ..] => Rule {
            verbs: list(verbs),
            groups: list(groups),
            resources: list(resources),
            names: names.iter().flat_map(|n| list(n)).collect(),
            urls: Vec::new(),
        },
        _ => return,
    };
    push(object.entry("rules"), rule.to_value());
}

fn push(list: &mut Value, item: Value) {
    list.array_mut().push(item);
}

fn subject_value(kind: &str, name: &str) -> Value {
    match name.split_once('/') {
        Some((namespace, name)) => value!({"kind": kind, "name": name, "namespace": namespace}),
        None => value!({"apiGroup": GROUP, "kind": kind, "name": name}),
    }
}

/// What a start has to do about one object of the policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    Nothing,
    Create(Value),
    Update(Value),
    /// A binding to another role cannot be updated: it is deleted and made again.
    Recreate(Value),
}

/// Brings an existing object up to the policy: what is missing is added, what is there besides stays. One that is
/// annotated with `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone.
pub fn plan(wanted: &Value, existing: Option<&Value>) -> Plan {
    let Some(existing) = existing else { return Plan::Create(wanted.clone()) };
    if existing["metadata"]["annotations"][AUTO_UPDATE].str() == "false" {
        return Plan::Nothing;
    }
    if wanted["roleRef"] != existing["roleRef"] {
        return Plan::Recreate(wanted.clone());
    }
    let mut updated = existing.clone();
    for key in ["annotations", "labels"] {
        let slot = updated.entry("metadata").entry(key);
        for (name, value) in wanted["metadata"][key].entries() {
            slot.set_default(name, value);
        }
    }
    let missing = uncovered(&Rule::of_role(existing), &Rule::of_role(wanted));
    for rule in missing {
        push(updated.entry("rules"), rule.to_value());
    }
    add_missing(&mut updated, wanted, &["subjects"]);
    if wanted["aggregationRule"].is_null() {
        updated.object_mut().remove("aggregationRule");
    } else {
        add_missing(&mut updated, wanted, &["aggregationRule", "clusterRoleSelectors"]);
    }
    if updated == *existing { Plan::Nothing } else { Plan::Update(updated) }
}

/// Appends the items of a list in `wanted` that are not in the one of `object`.
fn add_missing(object: &mut Value, wanted: &Value, path: &[&str]) {
    let items = path.iter().fold(wanted, |v, key| &v[*key]).items();
    if items.is_empty() {
        return;
    }
    let list = path.iter().fold(object, |v, key| v.entry(key));
    for item in items {
        if !list.items().contains(item) {
            push(list, item.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(policy: &'a [Entry], resource: &str, name: &str) -> &'a Value {
        &policy.iter().find(|e| e.resource == resource && e.name == name).expect("in the policy").object
    }

    #[test]
    fn the_policy_is_complete() {
        let policy = policy();
        let count = |resource| policy.iter().filter(|e| e.resource == resource).count();
        let counts = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"].map(count);
        assert_eq!(counts, [69, 50, 7, 7]);
        let view = find(&policy, "clusterroles", "view");
        assert_eq!(view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"].str(), "true");
        let admin = find(&policy, "clusterroles", "cluster-admin");
        let rules = value!([
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]}
        ]);
        assert_eq!(admin["rules"], rules);
        let binding = find(&policy, "rolebindings", "system:controller:token-cleaner");
        let subjects = value!([{"kind": "ServiceAccount", "name": "token-cleaner", "namespace": "kube-system"}]);
        assert_eq!(binding["subjects"], subjects);
        for entry in &policy {
            let rules = entry.object["rules"].items();
            assert!(rules.iter().all(|r| !r["verbs"].items().is_empty()), "{}", entry.name);
        }
    }

    #[test]
    fn a_start_adds_what_is_missing_and_keeps_the_rest() {
        let policy = policy();
        let wanted = find(&policy, "clusterroles", "system:kube-dns");
        assert_eq!(plan(wanted, None), Plan::Create(wanted.clone()));
        assert_eq!(plan(wanted, Some(wanted)), Plan::Nothing);
        let extra = value!({"apiGroups": [""], "resources": ["x"], "verbs": ["get"]});
        let mut changed = wanted.clone();
        changed.set("rules", value!([(extra.clone())]));
        changed.entry("metadata").entry("labels").set("own", "1");
        let Plan::Update(updated) = plan(wanted, Some(&changed)) else { panic!("an update") };
        assert_eq!(updated["rules"][0], extra);
        assert_eq!(updated["rules"].items().len(), 5, "list and watch on endpoints and services, one rule each");
        assert_eq!(updated["metadata"]["labels"]["own"].str(), "1");
        changed.entry("metadata").entry("annotations").set(AUTO_UPDATE, "false");
        assert_eq!(plan(wanted, Some(&changed)), Plan::Nothing);
        let binding = find(&policy, "clusterrolebindings", "system:kube-dns");
        let mut other = binding.clone();
        other.entry("roleRef").set("name", "else");
        assert_eq!(plan(binding, Some(&other)), Plan::Recreate(binding.clone()));
        let mut emptied = binding.clone();
        emptied.object_mut().remove("subjects");
        assert_eq!(plan(binding, Some(&emptied)), Plan::Update(binding.clone()));
    }
}
