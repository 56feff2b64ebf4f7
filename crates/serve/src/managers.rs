//! managedFields of the objects that are written.

use crate::form;
use crate::registry::Resources;
use meta::Value;
use meta::time::Timestamp;
use patch::managed::{self, ResetFields, Target};
use resource::Descriptor;

/// What managedFields need to know of the resource that is written.
pub struct Recorder<'a> {
    pub resources: &'a Resources,
    pub descriptor: &'a Descriptor,
    pub subresource: &'a str,
    pub reset_fields: &'static [&'static str],
    pub now: Timestamp,
}

/// Who writes.
pub struct Sender<'a> {
    pub manager: &'a str,
    /// They ask to forget who manages which field.
    pub clears: bool,
}

impl Recorder<'_> {
    /// Sets the managedFields of an object (in the storage version) that a create or an update makes of the stored one.
    pub fn record(&self, live: Option<&Value>, object: &mut Value, sender: &Sender<'_>) {
        let (descriptor, manager, clears) = (self.descriptor, sender.manager, sender.clears);
        if descriptor.convert.is_none() {
            self.with_target(|target| managed::record_update(target, live, object, manager, clears));
            return;
        }
        let mut served = form::to_served(descriptor, object.clone());
        let live = live.map(|live| form::to_served(descriptor, live.clone()));
        self.with_target(|target| managed::record_update(target, live.as_ref(), &mut served, manager, clears));
        let metadata = object.entry("metadata");
        match served.get_mut("metadata").and_then(|m| m.remove("managedFields")) {
            Some(entries) => metadata.set("managedFields", entries),
            None => drop(metadata.remove("managedFields")),
        }
    }

    /// Calls `f` with what managedFields need to know of the resource.
    pub fn with_target<T>(&self, f: impl FnOnce(&Target<'_>) -> T) -> T {
        let descriptor = self.descriptor;
        f(&Target {
            schema: &descriptor.schema,
            type_id: descriptor.type_id,
            gvk: &descriptor.gvk(),
            subresource: self.subresource,
            reset: &ResetFields::new(self.reset_fields),
            now: &self.now.to_rfc3339(),
            versions: &OtherVersions { resources: self.resources, descriptor },
        })
    }
}

/// The other served versions of a kind, for managedFields entries that were written through one.
struct OtherVersions<'a> {
    resources: &'a Resources,
    descriptor: &'a Descriptor,
}

impl OtherVersions<'_> {
    fn other(&self, api_version: &str) -> Option<&Descriptor> {
        let (group, version) = meta::gvk::split_api_version(api_version);
        let endpoint = self.resources.endpoint(group, version, &self.descriptor.plural)?;
        (endpoint.descriptor.storage == self.descriptor.storage).then_some(&*endpoint.descriptor)
    }
}

impl managed::Versions for OtherVersions<'_> {
    fn convert(&self, object: &Value, api_version: &str) -> Option<managed::Converted<'_>> {
        let other = self.other(api_version)?;
        let object = form::to_served(other, form::to_storage(self.descriptor, object.clone()));
        Some(managed::Converted { object, schema: &other.schema, type_id: other.type_id })
    }

    fn convert_back(&self, object: Value, api_version: &str) -> Option<Value> {
        let other = self.other(api_version)?;
        Some(form::to_served(self.descriptor, form::to_storage(other, object)))
    }
}
