//! CSIDriver: what a CSI driver can do.

use crate::rules::immutable::{self, same};
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::{Value, value};
use resource::{Context, Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "storage.k8s.io", "v1", "CSIDriver", "csidrivers")
        .cluster_scoped()
        .storage_version_hash("hL6j/rwBV5w=")
        .strategy(Strategy { unconditional_update: false, delete_returns_object: true, ..Strategy::default() })
        .hooks(CSIDriver);
    columns::with(descriptor, driver_cells)
}

fn driver_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let audiences = spec["tokenRequests"].items().iter().map(|t| t["audience"].str()).collect::<Vec<_>>().join(",");
    let modes = cells::joined(spec["volumeLifecycleModes"].items());
    vec![
        cells::name(object),
        spec["attachRequired"].as_bool().unwrap_or(true).into(),
        spec["podInfoOnMount"].bool().into(),
        spec["storageCapacity"].bool().into(),
        if spec["tokenRequests"].is_null() { cells::UNSET.into() } else { audiences.into() },
        spec["requiresRepublish"].bool().into(),
        if modes.is_empty() { cells::NONE.into() } else { modes.into() },
        cells::age(object, now),
    ]
}

/// Defaults of the spec's switches.
const SWITCHES: [(&str, bool); 5] = [
    ("attachRequired", true),
    ("podInfoOnMount", false),
    ("storageCapacity", false),
    ("requiresRepublish", false),
    ("seLinuxMount", false),
];
const FS_GROUP_POLICIES: &[&str] = &["File", "None", "ReadWriteOnceWithFSType"];
const LIFECYCLE_MODES: &[&str] = &["Persistent", "Ephemeral"];
const UPDATE_PERIOD_SECONDS_MIN: i64 = 10;
const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;

/// A field of a feature that is off by default.
const GATED: &str = "preventPodSchedulingIfMissing";

struct CSIDriver;

impl Hooks for CSIDriver {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        for (field, on) in SWITCHES {
            spec.set_default(field, on);
        }
        spec.set_default("fsGroupPolicy", "ReadWriteOnceWithFSType");
        if spec["volumeLifecycleModes"].is_empty() {
            spec.set("volumeLifecycleModes", value!(["Persistent"]));
        }
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        object.entry("spec").remove(GATED);
    }

    /// The generation is not set on create, and yet moves.
    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        if old["spec"][GATED].is_null() {
            object.entry("spec").remove(GATED);
        }
        if !same(&object["spec"], &old["spec"]) {
            let next = old["metadata"]["generation"].int().saturating_add(1);
            object.entry("metadata").set("generation", next);
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], &Path::new("spec"), errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let (spec, stored) = (&object["spec"], &old["spec"]);
        let path = Path::new("spec");
        validate_spec(spec, &path, errs);
        // upstream misspells the first
        for (field, shown) in [("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")]
        {
            immutable::validate(&spec[field], &stored[field], &path.child(shown), errs);
        }
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        let spec = &object["spec"];
        if old.is_some_and(|old| immutable::same(&old["spec"]["tokenRequests"], &spec["tokenRequests"])) {
            return;
        }
        if !spec["tokenRequests"].is_empty() && spec["serviceAccountTokenInSecrets"].is_null() {
            let advice = "if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";
            warnings.push(format!("spec.serviceAccountTokenInSecrets is unset; {advice}"));
        }
    }
}

fn validate_spec(spec: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(policy) = spec["fsGroupPolicy"].as_str()
        && !FS_GROUP_POLICIES.contains(&policy)
    {
        errs.not_supported(&path.child("fsGroupPolicy"), policy, FS_GROUP_POLICIES);
    }
    validate_token_requests(spec["tokenRequests"].items(), &path.child("tokenRequests"), errs);
    for mode in spec["volumeLifecycleModes"].items() {
        if !LIFECYCLE_MODES.contains(&mode.str()) {
            errs.not_supported_in_order(&path.child("volumeLifecycleModes"), mode, LIFECYCLE_MODES);
        }
    }
    if let Some(period) = spec["nodeAllocatableUpdatePeriodSeconds"].as_int()
        && period < UPDATE_PERIOD_SECONDS_MIN
    {
        let detail = format!("must be greater than or equal to {UPDATE_PERIOD_SECONDS_MIN} seconds");
        errs.invalid(&path.child("nodeAllocatableUpdatePeriodSeconds"), period, &detail);
    }
    if spec["serviceAccountTokenInSecrets"].bool() && spec["tokenRequests"].is_empty() {
        let detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
        errs.invalid(&path.child("serviceAccountTokenInSecrets"), true, detail);
    }
}

fn validate_token_requests(requests: &[Value], path: &Path, errs: &mut ErrorList) {
    for (i, request) in requests.iter().enumerate() {
        let at = path.index(i);
        let audience = request["audience"].str();
        if requests.iter().take(i).any(|r| r["audience"].str() == audience) {
            errs.duplicate(&at.child("audience"), audience);
            continue;
        }
        let Some(seconds) = request["expirationSeconds"].as_int() else { continue };
        let at = at.child("expirationSeconds");
        if seconds < TOKEN_SECONDS_MIN {
            errs.invalid(&at, seconds, "may not specify a duration less than 10 minutes");
        }
        if seconds > TOKEN_SECONDS_MAX {
            errs.invalid(&at, seconds, "may not specify a duration larger than 2^32 seconds");
        }
    }
}
