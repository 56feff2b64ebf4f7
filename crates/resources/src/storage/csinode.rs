//! CSINode: the CSI drivers of a node.

use crate::core::persistentvolume::sources;
use crate::core::pod::internal;
use crate::rules::immutable;
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "CSINode", "csinodes")
        .cluster_scoped()
        .storage_version_hash("Pe62DkZtjuo=")
        .strategy(Strategy {
            unconditional_update: false,
            metadata: MetadataRules::WHOLE,
            delete_returns_object: true,
            ..Strategy::default()
        })
        .hooks(CSINode);
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::count(&object["spec"]["drivers"]), cells::age(object, now)]
    })
}

const NODE_ID_LENGTH_MAX: usize = 256;

struct CSINode;

impl Hooks for CSINode {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec").child("drivers");
        let drivers = object["spec"]["drivers"].items();
        for (i, driver) in drivers.iter().enumerate() {
            let at = path.index(i);
            let driver_name = driver["name"].str();
            sources::validate_driver_name(driver_name, &at.child("name"), errs);
            validate_node_id(driver["nodeID"].str(), &at.child("nodeID"), errs);
            if let Some(count) = driver["allocatable"]["count"].as_int() {
                errs.non_negative(&at.child("allocatable").child("count"), count);
            }
            if drivers.iter().take(i).any(|d| d["name"].str() == driver_name) {
                errs.duplicate(&at.child("name"), driver_name);
            }
            validate_topology_keys(driver["topologyKeys"].items(), &at, errs);
        }
    }

    /// What a driver has said may change only in what can be allocated.
    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.validate(ctx, object, errs);
        let fixed = |driver: &Value| {
            let mut driver = driver.clone();
            driver.remove("allocatable");
            driver
        };
        for stored in old["spec"]["drivers"].items() {
            for driver in object["spec"]["drivers"].items() {
                if driver["name"].str() == stored["name"].str() && !immutable::same(&fixed(driver), &fixed(stored)) {
                    let shown = internal::shown("CSINodeDriver", &fixed(driver));
                    errs.invalid(&Path::new("spec").child("drivers"), shown, immutable::MESSAGE);
                }
            }
        }
    }
}

fn validate_node_id(id: &str, path: &Path, errs: &mut ErrorList) {
    if id.is_empty() {
        errs.required(path, "");
    }
    if id.len() > NODE_ID_LENGTH_MAX {
        errs.invalid(path, id, &format!("must be {NODE_ID_LENGTH_MAX} characters or less"));
    }
}

/// Upstream reports keys at the driver.
fn validate_topology_keys(keys: &[Value], path: &Path, errs: &mut ErrorList) {
    for (i, key) in keys.iter().map(Value::str).enumerate() {
        if key.is_empty() {
            errs.required(path, "");
        }
        if keys.iter().take(i).any(|k| k.str() == key) {
            errs.duplicate(path, key);
        }
        errs.invalid_each(path, key, name::qualified_name(key));
    }
}
