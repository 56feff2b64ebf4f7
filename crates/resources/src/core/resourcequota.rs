//! ResourceQuota: hard limits on what a namespace uses.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "ResourceQuota", "resourcequotas")
        .short_names(&["quota"])
        .storage_version_hash("8uhSgffRX6w=")
        .strategy(Strategy {
            delete_returns_object: true,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(ResourceQuota)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
            ResourceQuotaStatus,
        );
    columns::with(descriptor, quota_cells)
}

fn quota_cells(object: &Value, now: i64) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let status = &object["status"];
    for (name, hard) in status["hard"].entries() {
        let used = status["used"][name].as_str().unwrap_or("0");
        let column = if name.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(format!("{name}: {used}/{}", hard.str()));
    }
    vec![cells::name(object), requests.join(", ").into(), limits.join(", ").into(), cells::age(object, now)]
}

struct ResourceQuota;

impl Hooks for ResourceQuota {}

struct ResourceQuotaStatus;

impl Hooks for ResourceQuotaStatus {}
