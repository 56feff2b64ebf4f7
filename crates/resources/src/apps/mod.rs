//! apps/v1: workloads made of pods.

mod controllerrevision;
mod daemonset;
mod deployment;
mod replicaset;
mod statefulset;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        controllerrevision::descriptor(schema),
        daemonset::descriptor(schema),
        deployment::descriptor(schema),
        replicaset::descriptor(schema),
        statefulset::descriptor(schema),
    ]
}
