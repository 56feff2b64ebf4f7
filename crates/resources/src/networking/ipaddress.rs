//! IPAddress: one address of a service range, and whose it is.

use crate::rules::{immutable, ip, shown};
use crate::{cells, columns};
use meta::field::{ErrorList, Path, Shown};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "networking.k8s.io", "v1", "IPAddress", "ipaddresses")
        .cluster_scoped()
        .short_names(&["ip"])
        .storage_version_hash("3f/plJFChNE=")
        .strategy(Strategy { name: NameRule::Hooks, metadata: MetadataRules::CHANGES, ..Strategy::default() })
        .hooks(IPAddress);
    columns::with(descriptor, ip_address_cells)
}

fn ip_address_cells(object: &Value, now: i64) -> Vec<Value> {
    let parent = &object["spec"]["parentRef"];
    let text = if parent.is_null() {
        cells::NONE.to_string()
    } else {
        let resource = meta::gvk::group_resource(parent["group"].str(), parent["resource"].str()).to_lowercase();
        match parent["namespace"].str() {
            "" => format!("{resource}/{}", parent["name"].str()),
            namespace => format!("{resource}/{namespace}/{}", parent["name"].str()),
        }
    };
    vec![cells::name(object), text.into(), cells::age(object, now)]
}

struct IPAddress;

impl Hooks for IPAddress {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        resource::rules::validate_metadata(object, false, NameRule::PathSegment, errs);
        let own = object["metadata"]["name"].str();
        if !own.is_empty() {
            ip::validate_canonical(own, &Path::new("metadata").child("name"), errs);
        }
        let parent = &object["spec"]["parentRef"];
        let path = Path::new("spec").child("parentRef");
        if parent.is_null() {
            errs.required(&path, "");
            return;
        }
        let group = parent["group"].str();
        if !group.is_empty() {
            errs.invalid_each(&path.child("group"), group, name::dns1123_subdomain(group));
        }
        for (field, required) in [("resource", true), ("name", true), ("namespace", false)] {
            match parent[field].str() {
                "" if required => errs.required(&path.child(field), ""),
                value => errs.invalid_each(&path.child(field), value, name::path_segment(value)),
            }
        }
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.validate(ctx, object, errs);
        let (parent, stored) = (&object["spec"]["parentRef"], &old["spec"]["parentRef"]);
        let path = Path::new("spec").child("parentRef");
        if !immutable::same(parent, stored) {
            let value = match parent.is_null() {
                true => Shown::from(parent),
                false => shown::internal("io.k8s.api.networking.v1.ParentReference", parent),
            };
            errs.invalid(&path, value, immutable::MESSAGE);
        }
    }
}
