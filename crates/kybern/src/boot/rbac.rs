//! The bootstrap roles and bindings, from a table.

use meta::{Map, Value, value};

use super::Wanted;

const TABLE: &str = include_str!("rbac.tsv");
const PREFIX: &str = "/apis/rbac.authorization.k8s.io/v1";
const API_GROUP: &str = "rbac.authorization.k8s.io";

/// The rows of one object, in order, become one object.
pub fn objects() -> Vec<Wanted> {
    let mut objects: Vec<Wanted> = vec![];
    let mut last = ("", "", "");
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [kind, namespace, name, labels, row, first, groups, resources, names, others] = columns.as_slice() else {
            continue;
        };
        if last != (kind, namespace, name) {
            last = (kind, namespace, name);
            objects.push(begin(kind, namespace, name, labels));
        }
        let Some(Wanted { object, .. }) = objects.last_mut() else { continue };
        match *row {
            "rule" => push(object, "rules", rule(first, groups, resources, names, others)),
            "aggregate" => object.set("aggregationRule", aggregation(others)),
            _ => bind(object, first, others),
        }
    }
    objects
}

fn begin(kind: &str, namespace: &str, name: &str, labels: &str) -> Wanted {
    let (kind, plural) = match kind {
        "CR" => ("ClusterRole", "clusterroles"),
        "CRB" => ("ClusterRoleBinding", "clusterrolebindings"),
        "R" => ("Role", "roles"),
        _ => ("RoleBinding", "rolebindings"),
    };
    let mut metadata = value!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    });
    for (key, value) in pairs(labels) {
        metadata.entry("labels").set(&format!("{API_GROUP}/{key}"), value);
    }
    let collection = if namespace.is_empty() {
        format!("{PREFIX}/{plural}")
    } else {
        metadata.set("namespace", namespace);
        format!("{PREFIX}/namespaces/{namespace}/{plural}")
    };
    let mut object = value!({"apiVersion": (format!("{API_GROUP}/v1")), "kind": kind, "metadata": metadata});
    if kind.ends_with("Role") {
        object.set("rules", Value::Array(vec![]));
    }
    Wanted::new(collection, object)
}

fn rule(verbs: &str, groups: &str, resources: &str, names: &str, urls: &str) -> Value {
    let verbs =
        verbs.replace("@read", "get,list,watch").replace("@write", "create,delete,deletecollection,patch,update");
    let mut rule = Map::new();
    for (key, text) in [
        ("verbs", verbs.as_str()),
        ("apiGroups", groups),
        ("resources", resources),
        ("resourceNames", names),
        ("nonResourceURLs", urls),
    ] {
        if !text.is_empty() {
            let mut items: Vec<&str> = text.split(',').map(|item| if item == "core" { "" } else { item }).collect();
            items.sort_unstable();
            rule.insert(key, items.into_iter().map(Value::from).collect::<Vec<Value>>());
        }
    }
    Value::Object(rule)
}

fn aggregation(labels: &str) -> Value {
    let mut selector = Map::new();
    for (key, value) in pairs(labels) {
        selector.insert(format!("{API_GROUP}/{key}").as_str(), value);
    }
    value!({"clusterRoleSelectors": [{"matchLabels": (Value::Object(selector))}]})
}

/// `role` is `Kind/name`; subjects are `User:name`, `Group:name` or `ServiceAccount:namespace/name`.
fn bind(object: &mut Value, role: &str, subjects: &str) {
    let (kind, name) = role.split_once('/').unwrap_or_default();
    object.set("roleRef", value!({"apiGroup": API_GROUP, "kind": kind, "name": name}));
    for subject in subjects.split(';') {
        let (kind, name) = subject.split_once(':').unwrap_or_default();
        let subject = match name.split_once('/') {
            Some((namespace, name)) if kind == "ServiceAccount" => {
                value!({"kind": kind, "namespace": namespace, "name": name})
            }
            _ => value!({"apiGroup": API_GROUP, "kind": kind, "name": name}),
        };
        push(object, "subjects", subject);
    }
}

fn push(object: &mut Value, key: &str, item: Value) {
    match object.entry(key) {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').filter_map(|pair| pair.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_becomes_part_of_an_object() {
        let objects = objects();
        let count = |kind: &str| objects.iter().filter(|wanted| wanted.object["kind"].str() == kind).count();
        assert_eq!(
            (count("ClusterRole"), count("ClusterRoleBinding"), count("Role"), count("RoleBinding")),
            (69, 50, 7, 7)
        );
        let admin = objects.iter().find(|wanted| wanted.name() == "cluster-admin").expect("cluster-admin");
        let all = value!([
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]}
        ]);
        assert_eq!(admin.object["rules"], all);
    }
}
