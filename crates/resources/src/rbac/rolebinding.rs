//! RoleBinding and ClusterRoleBinding: who has the permissions of a role.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn role_binding(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
        .storage_version_hash("eGsCzGH6b1g=")
        .strategy(Strategy { create_on_update: true, name: NameRule::PathSegment, ..Strategy::default() })
        .hooks(RoleBinding);
    columns::with(descriptor, binding_cells)
}

fn binding_cells(object: &Value, now: i64) -> Vec<Value> {
    let role = &object["roleRef"];
    let of_kind = |kind: &str| {
        let subjects = object["subjects"].items().iter().filter(|s| s["kind"].str() == kind);
        let text = |s: &Value| match kind {
            "ServiceAccount" => format!("{}/{}", s["namespace"].str(), s["name"].str()),
            _ => s["name"].str().to_string(),
        };
        Value::from(subjects.map(text).collect::<Vec<_>>().join(", "))
    };
    vec![
        cells::name(object),
        format!("{}/{}", role["kind"].str(), role["name"].str()).into(),
        cells::age(object, now),
        of_kind("User"),
        of_kind("Group"),
        of_kind("ServiceAccount"),
    ]
}

struct RoleBinding;

impl Hooks for RoleBinding {}

pub fn cluster_role_binding(schema: &Arc<Schema>) -> Descriptor {
    let descriptor =
        Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings")
            .cluster_scoped()
            .storage_version_hash("48tpQ8gZHFc=")
            .strategy(Strategy { create_on_update: true, name: NameRule::PathSegment, ..Strategy::default() })
            .hooks(ClusterRoleBinding);
    columns::with(descriptor, binding_cells)
}

struct ClusterRoleBinding;

impl Hooks for ClusterRoleBinding {}
