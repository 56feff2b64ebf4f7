//! FlowSchema: which requests belong to which priority level.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas")
        .cluster_scoped()
        .storage_version_hash("GJVAJZSZBIw=")
        .strategy(Strategy {
            generation: Generation::Spec,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(FlowSchema)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["metadata", "spec"], ..Strategy::default() },
            FlowSchemaStatus,
        );
    columns::with(descriptor, flow_schema_cells)
}

fn flow_schema_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let dangling = object["status"]["conditions"].items().iter().find(|c| c["type"].str() == "Dangling");
    vec![
        cells::name(object),
        spec["priorityLevelConfiguration"]["name"].str().into(),
        spec["matchingPrecedence"].int().into(),
        cells::text_or(&spec["distinguisherMethod"]["type"], cells::NONE),
        cells::age(object, now),
        dangling.map_or("?", |c| c["status"].str()).into(),
    ]
}

struct FlowSchema;

impl Hooks for FlowSchema {}

struct FlowSchemaStatus;

impl Hooks for FlowSchemaStatus {}
