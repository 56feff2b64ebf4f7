//! ServiceCIDR: a range of service addresses.

use crate::rules::{immutable, ip};
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use resource::{Context, Descriptor, Hooks, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs")
        .cluster_scoped()
        .storage_version_hash("gNLvruQhW2g=")
        .strategy(Strategy {
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .hooks(ServiceCIDR)
        .status(
            Strategy { keep_on_update: &["spec"], reset_fields: &["metadata", "spec"], ..Strategy::default() },
            ServiceCIDRStatus,
        );
    columns::with(descriptor, |object, now| {
        vec![cells::name(object), cells::joined(object["spec"]["cidrs"].items()).into(), cells::age(object, now)]
    })
}

struct ServiceCIDR;

impl Hooks for ServiceCIDR {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_ranges(&object["spec"]["cidrs"], errs);
    }

    /// Only a second family may be added.
    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec").child("cidrs");
        let ranges = &object["spec"]["cidrs"];
        let (new, stored) = (ranges.items(), old["spec"]["cidrs"].items());
        let changed = |(i, (new, stored)): (usize, (&Value, &Value))| (new != stored).then_some((i, new.clone()));
        let changes: Vec<(usize, Value)> = new.iter().zip(stored).enumerate().filter_map(changed).collect();
        if new.len() != stored.len() && (new.len(), stored.len()) != (2, 1) {
            errs.invalid(&path, ranges, immutable::MESSAGE);
            return;
        }
        for (i, range) in changes {
            errs.invalid(&path.index(i), &range, immutable::MESSAGE);
        }
        if new.len() > stored.len() {
            validate_ranges(ranges, errs);
        }
    }
}

fn validate_ranges(ranges: &Value, errs: &mut ErrorList) {
    let path = Path::new("spec").child("cidrs");
    let items = ranges.items();
    if items.is_empty() {
        errs.required(&path, "at least one CIDR required");
        return;
    }
    if items.len() > 2 {
        let shown = Shown(format!("{{\"CIDRs\":{}}}", meta::json::to_string(ranges)));
        errs.invalid(&path, shown, "may only hold up to 2 values");
        return;
    }
    for (i, range) in items.iter().enumerate() {
        ip::validate_canonical_cidr(range.str(), &path.index(i), errs);
    }
    let family = |range: &Value| ip::parse_cidr_sloppy(range.str()).map(|(address, _)| ip::is_v6(address));
    if let [first, second] = items
        && family(first).is_some()
        && family(first) == family(second)
    {
        let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errs.invalid(&path, ranges, detail);
    }
}

struct ServiceCIDRStatus;

impl Hooks for ServiceCIDRStatus {
    fn validate_update(&self, _ctx: &Context, _object: &Value, _old: &Value, _errs: &mut ErrorList) {}
}
