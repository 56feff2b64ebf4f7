//! Role and ClusterRole: sets of permissions.

use resource::{Descriptor, Hooks, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn role(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "Role", "roles")
        .storage_version_hash("7FuwZcIIItM=")
        .strategy(Strategy { create_on_update: true, name: NameRule::PathSegment, ..Strategy::default() })
        .hooks(Role)
}

struct Role;

impl Hooks for Role {}

pub fn cluster_role(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles")
        .cluster_scoped()
        .storage_version_hash("bYE5ZWDrJ44=")
        .strategy(Strategy { create_on_update: true, name: NameRule::PathSegment, ..Strategy::default() })
        .hooks(ClusterRole)
}

struct ClusterRole;

impl Hooks for ClusterRole {}
