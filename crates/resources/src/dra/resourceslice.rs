//! ResourceSlice: devices that a driver offers.

use super::devices::{self, validate_counters};
use super::names::{self, validate_set};
use crate::core::pod::affinity::validate_node_selector;
use crate::rules::{immutable, shown};
use crate::{cells, columns};
use meta::field::{ErrorList, Path, quote};
use meta::{Value, name};
use resource::{Context, Descriptor, Generation, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "resource.k8s.io", "v1", "ResourceSlice", "resourceslices")
        .cluster_scoped()
        .storage_version_hash("KsC072WgaEY=")
        .strategy(Strategy { generation: Generation::Spec, delete_returns_object: true, ..Strategy::default() })
        .select_field("spec.nodeName")
        .select_field("spec.driver")
        .hooks(ResourceSlice);
    columns::with(descriptor, |object, now| {
        vec![
            cells::name(object),
            object["spec"]["nodeName"].str().into(),
            object["spec"]["driver"].str().into(),
            object["spec"]["pool"]["name"].str().into(),
            cells::age(object, now),
        ]
    })
}

const DEVICES_MAX: usize = 128;
/// With taints or consumed counters a device costs more.
const DEVICES_MAX_ADVANCED: usize = 64;
const COUNTER_SETS_MAX: usize = 8;

struct ResourceSlice;

impl Hooks for ResourceSlice {
    fn prepare_create(&self, ctx: &Context, object: &mut Value) {
        prepare_devices(ctx, object, None);
    }

    fn prepare_update(&self, ctx: &Context, object: &mut Value, old: &Value) {
        prepare_devices(ctx, object, Some(old));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], Some(&old["spec"]), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        let driver = object["spec"]["driver"].str();
        if driver != driver.to_lowercase() {
            warnings.push(format!(
                "spec.driver: driver names should be lowercase; {} contains uppercase characters",
                quote(driver)
            ));
        }
    }
}

/// Attributes of many values, and what devices take of their node, are features that are off, but for slices that have
/// them already.
const LIST_ATTRIBUTES: [&str; 4] = ["bools", "ints", "strings", "versions"];
const NODE_RESOURCES: &str = "nodeAllocatableResourceMappings";

fn prepare_devices(ctx: &Context, object: &mut Value, old: Option<&Value>) {
    let old_devices = old.map_or(&[][..], |old| old["spec"]["devices"].items());
    let has_lists = old_devices
        .iter()
        .flat_map(|device| device["attributes"].entries())
        .any(|(_, attribute)| LIST_ATTRIBUTES.iter().any(|field| !attribute[*field].is_null()));
    let has_node_resources = old_devices.iter().any(|device| !device[NODE_RESOURCES].is_empty());
    let Some(devices) = object.path_mut("spec.devices") else { return };
    for device in devices.items_mut() {
        if !has_node_resources {
            device.remove(NODE_RESOURCES);
        }
        if !has_lists && let Some(attributes) = device.get_mut("attributes") {
            for (_, attribute) in attributes.entries_mut() {
                LIST_ATTRIBUTES.iter().for_each(|field| drop(attribute.remove(field)));
            }
        }
        if let Some(taints) = device.get_mut("taints") {
            for taint in taints.items_mut().iter_mut().filter(|taint| taint["timeAdded"].is_null()) {
                taint.set("timeAdded", ctx.now.to_rfc3339());
            }
        }
    }
}

fn validate_spec(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    names::validate_driver(spec["driver"].str(), &path.child("driver"), errs);
    let (pool, pool_path) = (&spec["pool"], path.child("pool"));
    names::validate_pool(pool["name"].str(), &pool_path.child("name"), errs);
    if pool["resourceSliceCount"].int() <= 0 {
        errs.invalid(
            &pool_path.child("resourceSliceCount"),
            pool["resourceSliceCount"].int(),
            "must be greater than zero",
        );
    }
    if pool["generation"].int() < 0 {
        let message = "must be greater than or equal to zero";
        errs.invalid(&pool_path.child("generation"), pool["generation"].int(), message);
    }
    if let Some(old) = old {
        immutable::validate_text(&pool["name"], &old["pool"]["name"], &pool_path.child("name"), errs);
        immutable::validate_text(&spec["driver"], &old["driver"], &path.child("driver"), errs);
        immutable::validate(&spec["nodeName"], &old["nodeName"], &path.child("nodeName"), errs);
    }
    validate_nodes(spec, &path, errs);
    let (list, counters) = (&spec["devices"], &spec["sharedCounters"]);
    if !counters.is_null() && !list.is_null() {
        errs.invalid(&path, "", "only one of `sharedCounters` or `devices` is allowed");
    }
    let is_advanced = |device: &Value| !device["taints"].is_empty() || !device["consumesCounters"].is_empty();
    let max = if list.items().iter().any(is_advanced) { DEVICES_MAX_ADVANCED } else { DEVICES_MAX };
    let per_device = spec["perDeviceNodeSelection"].bool();
    validate_set(
        list,
        max,
        |device| device["name"].str(),
        &path.child("devices"),
        errs,
        |device, at, errs| {
            let old =
                old.and_then(|old| old["devices"].items().iter().find(|d| d["name"].str() == device["name"].str()));
            devices::validate(device, old, per_device, at, errs);
        },
    );
    let at = path.child("sharedCounters");
    validate_set(
        counters,
        COUNTER_SETS_MAX,
        |set| set["name"].str(),
        &at,
        errs,
        |set, at, errs| {
            validate_counters(set, "name", at, errs);
        },
    );
}

/// Exactly one way of saying which nodes can reach the devices.
fn validate_nodes(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let mut set = Vec::new();
    if let Some(node) = spec["nodeName"].as_str() {
        let at = path.child("nodeName");
        if node.is_empty() {
            errs.invalid(&at, "", "must be either unset or set to a non-empty string");
        } else {
            set.push("`nodeName`");
            errs.invalid_each(&at, node, name::dns1123_subdomain(node));
        }
    }
    let selector = &spec["nodeSelector"];
    if !selector.is_null() {
        set.push("`nodeSelector`");
        let at = path.child("nodeSelector");
        validate_node_selector(selector, false, &at, errs);
        let terms = &selector["nodeSelectorTerms"];
        if terms.items().len() != 1 {
            let shown = shown::internal_list("io.k8s.api.core.v1.NodeSelectorTerm", terms);
            errs.invalid(&at.child("nodeSelectorTerms"), shown, "must have exactly one node selector term");
        }
    }
    for (field, quoted) in [("allNodes", "`allNodes`"), ("perDeviceNodeSelection", "`perDeviceNodeSelection`")] {
        match spec[field].as_bool() {
            Some(true) => set.push(quoted),
            Some(false) => errs.invalid(&path.child(field), false, "must be either unset or set to true"),
            None => {}
        }
    }
    const ONE: &str = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    match set.len() {
        0 => errs.required(path, ONE),
        1 => {}
        _ => errs.invalid(path, format!("{{{}}}", set.join(", ")), &format!("{ONE}, but multiple fields are set")),
    }
}
