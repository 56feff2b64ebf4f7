//! managedFields between an object and its scale subresource, which sees one field of it.

use super::entries::{self, Entries, Entry, Operation};
use crate::fields::Set;
use meta::{Str, Value};

const SCALE_API_VERSION: &str = "autoscaling/v1";
const REPLICAS_OF_SCALE: [&str; 2] = ["f:spec", "f:replicas"];

fn elements(path: &str) -> Vec<Str> {
    path.split('.').map(|p| Str::from(format!("f:{p}"))).collect()
}

/// The entries of a Scale made of `parent`: of those who own its replicas. `replicas_path` gives the dotted path in an
/// apiVersion of the parent, `None` for a version without scale.
pub fn entries_of_scale(parent: &Value, scale: &mut Value, replicas_path: &dyn Fn(&str) -> Option<Str>) {
    let owners = entries::of_stored(Some(parent)).into_iter().filter(|entry| {
        let path = replicas_path(&entry.api_version).map(|p| elements(&p));
        path.is_some_and(|p| entry.fields.contains(&p.iter().map(Str::as_str).collect::<Vec<_>>()))
    });
    let owners = owners.map(|entry| {
        let mut fields = Set::default();
        fields.insert(&REPLICAS_OF_SCALE);
        // The identity of an update includes the parent's version, and keeps it; only what is shown is Scale's.
        Entry { api_version: SCALE_API_VERSION.into(), fields: fields.into(), ..entry }
    });
    let owners: Entries = owners.collect();
    entries::write(scale, owners);
}

/// Gives `parent` the entries that a written `scale` ends up with. `api_version` is the parent's.
pub fn entries_of_parent(
    scale: &Value,
    parent: &mut Value,
    api_version: &str,
    replicas_path: &dyn Fn(&str) -> Option<Str>,
) {
    let mut scales = entries::of_stored(Some(scale));
    let mut kept = Entries::new();
    for mut entry in entries::of_stored(Some(parent)) {
        let path = replicas_path(&entry.api_version).map(|p| elements(&p)).unwrap_or_default();
        let path: Vec<&str> = path.iter().map(Str::as_str).collect();
        if entry.fields.contains(&path) {
            // Upstream knows an updating manager by its version too, which is Scale's here and was the parent's there:
            // it takes the field from itself, and its time is lost.
            let owner = |s: &Entry| s.operation == Operation::Apply && s.same_manager(&entry);
            match scales.iter().position(owner) {
                Some(at) => drop(scales.remove(at)),
                None => {
                    let mut stolen = Set::default();
                    stolen.insert(&path);
                    entry.fields.remove(&stolen);
                }
            }
        }
        if !entry.fields.is_empty() {
            kept.push(entry);
        }
    }
    for entry in scales.into_iter().filter(|e| e.fields.contains(&REPLICAS_OF_SCALE)) {
        let Some(path) = replicas_path(api_version) else { continue };
        let mut fields = Set::default();
        fields.insert(&elements(&path).iter().map(Str::as_str).collect::<Vec<_>>());
        kept.push(Entry { api_version: api_version.into(), time: Str::default(), fields: fields.into(), ..entry });
    }
    entries::write(parent, kept);
}
