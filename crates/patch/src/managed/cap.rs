//! No more than ten managers that update: the oldest are put together.

use super::entries::{Entries, Entry, Operation};
use meta::Str;

const UPDATE_MANAGERS_MAX: usize = 10;
const OLD_UPDATES_MANAGER: &str = "ancient-changes";

/// Merges the oldest updating managers of each version into one until the bound holds.
pub(super) fn cap_update_managers(entries: &mut Entries) {
    let mut updates: Vec<Entry> = Vec::new();
    if entries.iter().filter(|e| e.operation == Operation::Update).count() <= UPDATE_MANAGERS_MAX {
        return;
    }
    entries.retain(|e| {
        let update = e.operation == Operation::Update;
        if update {
            updates.push(e.clone());
        }
        !update
    });
    // Upstream breaks ties by the text of the manager's identity: its members in the order of the wire type.
    updates.sort_by(|a, b| {
        let key = |e: &Entry| (e.time.clone(), e.manager.clone(), e.api_version.clone(), e.subresource.clone());
        key(a).cmp(&key(b))
    });
    let mut count = updates.len();
    let mut kept: Vec<Entry> = Vec::new();
    let mut first_of_version: Vec<Str> = Vec::new();
    for update in updates {
        if count <= UPDATE_MANAGERS_MAX || !first_of_version.contains(&update.api_version) {
            if count > UPDATE_MANAGERS_MAX {
                first_of_version.push(update.api_version.clone());
            }
            kept.push(update);
            continue;
        }
        count -= 1;
        let bucket = kept.iter_mut().find(|e| e.api_version == update.api_version);
        if let Some(bucket) = bucket {
            bucket.manager = OLD_UPDATES_MANAGER.into();
            bucket.subresource = Str::default();
            bucket.time = update.time;
            bucket.fields.merge(update.fields.into_set());
        }
    }
    entries.extend(kept);
}
