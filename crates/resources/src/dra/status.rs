//! What a claim was given: the allocation, who may use it, and what drivers say of its devices.

use super::names::{self, validate_label, validate_list, validate_set};
use super::requests::{CONFIG_MAX, validate_reference, validate_references};
use super::{configuration, taints};
use crate::core::pod::affinity::validate_node_selector;
use crate::rules::{conditions, immutable, ip, shown};
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use std::collections::BTreeSet;

const RESERVED_FOR_MAX: usize = 256;
const RESULTS_MAX: usize = 32;
const CONDITIONS_MAX: usize = 8;
const IPS_MAX: usize = 16;
const INTERFACE_NAME_MAX: usize = 256;
const HARDWARE_ADDRESS_MAX: usize = 128;

/// Defaults within the allocation.
pub fn default_status(claim: &mut Value) {
    if let Some(results) = claim.path_mut("status.allocation.devices.results") {
        results.items_mut().iter_mut().for_each(taints::default_tolerations);
    }
}

/// Devices that are no longer allocated lose their status.
pub fn drop_deallocated(claim: &mut Value, old: &Value) {
    let ids = |claim: &Value| -> BTreeSet<[String; 3]> {
        claim["status"]["allocation"]["devices"]["results"].items().iter().map(device_id).collect()
    };
    let now = ids(claim);
    let gone: BTreeSet<_> = ids(old).into_iter().filter(|id| !now.contains(id)).collect();
    let Some(devices) = claim.path_mut("status.devices").filter(|devices| !devices.is_empty()) else { return };
    devices.array_mut().retain(|device| !gone.contains(&device_id(device)));
    if devices.is_empty()
        && let Some(status) = claim.get_mut("status")
    {
        status.remove("devices");
    }
}

fn device_id(device: &Value) -> [String; 3] {
    ["driver", "pool", "device"].map(|field| device[field].str().to_string())
}

/// Driver, pool, device and share, as messages show them.
fn shared_id(device: &Value) -> String {
    let id = device_id(device).join("/");
    match device["shareID"].str() {
        "" => id,
        share => format!("{id}/{share}"),
    }
}

pub fn validate_update(claim: &Value, old: &Value, errs: &mut ErrorList) {
    let (status, old_status) = (&claim["status"], &old["status"]);
    let path = Path::new("status");
    let reserved_path = path.child("reservedFor");
    let reserved = &status["reservedFor"];
    validate_set(
        reserved,
        RESERVED_FOR_MAX,
        |user| user["uid"].str(),
        &reserved_path,
        errs,
        |user, at, errs| {
            for field in ["resource", "name", "uid"] {
                if user[field].str().is_empty() {
                    errs.required(&at.child(field), "");
                }
            }
        },
    );
    let allocation = &status["allocation"];
    validate_devices(&status["devices"], allocation, &path.child("devices"), errs);
    if !reserved.is_empty() {
        let is_added = |user: &Value| !old_status["reservedFor"].items().contains(user);
        if allocation.is_null() {
            errs.forbidden(&reserved_path, "may not be specified when `allocated` is not set");
        } else if !claim["metadata"]["deletionTimestamp"].is_null() && reserved.items().iter().any(is_added) {
            errs.forbidden(
                &reserved_path,
                "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
            );
        }
    }
    let at = path.child("allocation");
    match (allocation.is_null(), old_status["allocation"].is_null()) {
        (false, false) if !immutable::same(allocation, &old_status["allocation"]) => {
            errs.invalid(&at, shown::internal(ALLOCATION, allocation), immutable::MESSAGE);
        }
        (false, true) => validate_allocation(allocation, &claim["spec"]["devices"], &at, errs),
        _ => {}
    }
}

const ALLOCATION: &str = "io.k8s.api.resource.v1.AllocationResult";

fn validate_allocation(allocation: &Value, claim: &Value, path: &Path, errs: &mut ErrorList) {
    let (devices, at) = (&allocation["devices"], path.child("devices"));
    validate_list(&devices["results"], RESULTS_MAX, &at.child("results"), errs, |result, at, errs| {
        validate_reference(result["request"].str(), claim, &at.child("request"), errs);
        validate_device_names(result, at, errs);
        taints::validate_binding(result, at, errs);
        for (i, toleration) in result["tolerations"].items().iter().enumerate() {
            taints::validate_toleration(toleration, &at.child("tolerations").index(i), errs);
        }
        validate_share(result, at, errs);
    });
    // Of the class and of the claim.
    validate_list(&devices["config"], 2 * CONFIG_MAX, &at.child("config"), errs, |config, at, errs| {
        match config["source"].str() {
            "FromClaim" | "FromClass" => {}
            "" => errs.required(&at.child("source"), ""),
            other => errs.not_supported(&at.child("source"), other, &["FromClaim", "FromClass"]),
        }
        validate_references(&config["requests"], claim, &at.child("requests"), errs);
        configuration::validate(config, false, at, errs);
    });
    if !allocation["nodeSelector"].is_null() {
        validate_node_selector(&allocation["nodeSelector"], false, &path.child("nodeSelector"), errs);
    }
}

fn validate_device_names(device: &Value, path: &Path, errs: &mut ErrorList) {
    names::validate_driver(device["driver"].str(), &path.child("driver"), errs);
    names::validate_pool(device["pool"].str(), &path.child("pool"), errs);
    validate_label(device["device"].str(), &path.child("device"), errs);
}

fn validate_share(device: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(share) = device["shareID"].as_str() {
        names::validate_uid(share, &path.child("shareID"), errs);
    }
}

fn validate_devices(devices: &Value, allocation: &Value, path: &Path, errs: &mut ErrorList) {
    let allocated: BTreeSet<String> = allocation["devices"]["results"].items().iter().map(shared_id).collect();
    for (i, device) in devices.items().iter().enumerate() {
        let path = path.index(i);
        validate_device_names(device, &path, errs);
        validate_share(device, &path, errs);
        let id = shared_id(device);
        if !allocated.contains(&id) {
            errs.invalid(&path, Shown(id), "must be an allocated device in the claim");
        }
        validate_report(device, &path, errs);
    }
    let mut seen = BTreeSet::new();
    for (i, device) in devices.items().iter().enumerate() {
        let id = shared_id(device);
        if !seen.insert(id.clone()) {
            errs.duplicate(&path.index(i), Shown(id));
        }
    }
}

/// Conditions, the driver's own data, and the network interface.
fn validate_report(device: &Value, path: &Path, errs: &mut ErrorList) {
    let (list, at) = (device["conditions"].items(), path.child("conditions"));
    if list.len() > CONDITIONS_MAX {
        errs.too_many(&at, list.len(), CONDITIONS_MAX);
    }
    conditions::validate(list, &at, errs);
    if let Some(data) = device.get("data") {
        configuration::validate_parameters(data, false, &path.child("data"), errs);
    }
    let (network, at) = (&device["networkData"], path.child("networkData"));
    for (field, max) in [("interfaceName", INTERFACE_NAME_MAX), ("hardwareAddress", HARDWARE_ADDRESS_MAX)] {
        if network[field].str().len() > max {
            errs.too_long(&at.child(field), max);
        }
    }
    validate_set(&network["ips"], IPS_MAX, Value::str, &at.child("ips"), errs, |address, at, errs| {
        ip::validate_interface_address(address.str(), at, errs);
    });
}
