//! APIService: which server serves a group and version.

use resource::{Descriptor, Hooks, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apiregistration.k8s.io", "v1", "APIService", "apiservices")
        .cluster_scoped()
        .categories(&["api-extensions"])
        .storage_prefix("/registry/apiregistration.k8s.io/apiservices")
        .storage_version_hash("InPBPD7+PqM=")
        .strategy(Strategy {
            unconditional_update: false,
            name: NameRule::PathSegment,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(APIService)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            APIServiceStatus,
        )
}

struct APIService;

impl Hooks for APIService {}

struct APIServiceStatus;

impl Hooks for APIServiceStatus {}
