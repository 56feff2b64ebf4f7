//! DeviceClass: a kind of device that claims may ask for.

use super::configuration;
use super::names::validate_list;
use super::requests::{self, CONFIG_MAX};
use crate::core::pod::resources;
use crate::rules::immutable;
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "resource.k8s.io", "v1", "DeviceClass", "deviceclasses")
        .cluster_scoped()
        .storage_version_hash("Yk2PTc1Ybxk=")
        .strategy(Strategy {
            generation: Generation::Spec,
            delete_returns_object: true,
            name: NameRule::LongName,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .with_opaque_data()
        .hooks(DeviceClass);
    columns::with(descriptor, |object, now| vec![cells::name(object), cells::age(object, now)])
}

struct DeviceClass;

impl Hooks for DeviceClass {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate_spec(&object["spec"], Some(&old["spec"]), errs);
    }
}

fn validate_spec(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    let is_stored = |field: &str| old.is_some_and(|old| immutable::same(&spec[field], &old[field]));
    requests::validate_selectors(&spec["selectors"], is_stored("selectors"), &path.child("selectors"), errs);
    let stored = is_stored("config");
    validate_list(&spec["config"], CONFIG_MAX, &path.child("config"), errs, |config, at, errs| {
        configuration::validate(config, stored, at, errs);
    });
    if let Some(name) = spec["extendedResourceName"].as_str()
        && !resources::is_extended(name)
    {
        errs.invalid(&path.child("extendedResourceName"), name, "must be a valid extended resource name");
    }
}
