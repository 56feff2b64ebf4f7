//! autoscaling: HorizontalPodAutoscaler, served as v1 and v2, stored as v2.

mod convert;
mod table;

use crate::strategies;
use meta::Gvk;
use resource::{Descriptor, Generation, NoHooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    let v1 = descriptor(schema, "v1").stored_as(Gvk::new("autoscaling", "v2", "HorizontalPodAutoscaler"), convert::V1);
    vec![v1, descriptor(schema, "v2")]
}

fn descriptor(schema: &Arc<Schema>, version: &str) -> Descriptor {
    Descriptor::builtin(schema, "autoscaling", version, "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .short_names(&["hpa"])
        .categories(&["all"])
        .storage_version_hash("qwQve8ut294=")
        .strategy(Strategy { generation: Generation::None, ..strategies::SPEC_AND_STATUS })
        .columns(table::COLUMNS, table::cells)
        .status(strategies::STATUS, NoHooks)
}
