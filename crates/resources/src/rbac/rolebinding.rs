//! RoleBinding and ClusterRoleBinding: who has the permissions of a role.

use crate::rules::{immutable, shown};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn role_binding(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
        .storage_version_hash("eGsCzGH6b1g=")
        .strategy(Strategy {
            create_on_update: true,
            name: NameRule::PathSegment,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(RoleBinding { namespaced: true });
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

pub fn cluster_role_binding(schema: &Arc<Schema>) -> Descriptor {
    let descriptor =
        Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings")
            .cluster_scoped()
            .storage_version_hash("48tpQ8gZHFc=")
            .strategy(Strategy {
                create_on_update: true,
                name: NameRule::PathSegment,
                metadata: MetadataRules::WHOLE_AND_CHANGES,
                ..Strategy::default()
            })
            .hooks(RoleBinding { namespaced: false });
    columns::with(descriptor, binding_cells)
}

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of both kinds.
struct RoleBinding {
    namespaced: bool,
}

impl Hooks for RoleBinding {
    fn default(&self, object: &mut Value) {
        let role = object.entry("roleRef");
        if role["apiGroup"].is_empty() {
            role.set("apiGroup", GROUP);
        }
        for subject in object.get_mut("subjects").map(Value::items_mut).unwrap_or_default() {
            if subject["apiGroup"].is_empty() && ["User", "Group"].contains(&subject["kind"].str()) {
                subject.set("apiGroup", GROUP);
            }
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let (role, path) = (&object["roleRef"], Path::new("roleRef"));
        if role["apiGroup"].str() != GROUP {
            errs.not_supported(&path.child("apiGroup"), role["apiGroup"].str(), &[GROUP]);
        }
        let kinds: &[&str] = if self.namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
        if !kinds.contains(&role["kind"].str()) {
            errs.not_supported_in_order(&path.child("kind"), role["kind"].str(), kinds);
        }
        match role["name"].str() {
            "" => errs.required(&path.child("name"), ""),
            role_name => errs.invalid_each(&path.child("name"), role_name, name::path_segment(role_name)),
        }
        for (i, subject) in object["subjects"].items().iter().enumerate() {
            validate_subject(subject, self.namespaced, &Path::new("subjects").index(i), errs);
        }
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.validate(ctx, object, errs);
        if !immutable::same(&object["roleRef"], &old["roleRef"]) {
            let role = shown::internal("io.k8s.api.rbac.v1.RoleRef", &object["roleRef"]);
            errs.invalid(&Path::new("roleRef"), role, "cannot change roleRef");
        }
    }
}

fn validate_subject(subject: &Value, namespaced: bool, path: &Path, errs: &mut ErrorList) {
    let subject_name = subject["name"].str();
    if subject_name.is_empty() {
        errs.required(&path.child("name"), "");
    }
    let (group, at) = (subject["apiGroup"].str(), path.child("apiGroup"));
    match subject["kind"].str() {
        "ServiceAccount" => {
            if !subject_name.is_empty() {
                errs.invalid_each(&path.child("name"), subject_name, name::dns1123_subdomain(subject_name));
            }
            if !group.is_empty() {
                errs.not_supported(&at, group, &[""]);
            }
            if !namespaced && subject["namespace"].is_empty() {
                errs.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errs.not_supported(&at, group, &[GROUP]);
            }
        }
        other => errs.not_supported_in_order(&path.child("kind"), other, &["ServiceAccount", "User", "Group"]),
    }
}
