//! rbac.authorization.k8s.io

mod role;
mod rolebinding;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        role::role(schema),
        role::cluster_role(schema),
        rolebinding::role_binding(schema),
        rolebinding::cluster_role_binding(schema),
    ]
}
