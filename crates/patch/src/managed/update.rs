//! Recording a create or an update.

use super::entries::{self, Entries, Entry, Operation};
use super::owned::Owned;
use super::{Target, cap};
use crate::fields::Set;
use crate::typed::{Change, Typed, Unowned};
use meta::{Str, Value};
use std::sync::LazyLock;

/// The fields of every object that nobody owns.
static UNTRACKED: LazyLock<Set> = LazyLock::new(|| {
    let mut set = Set::default();
    for name in ["f:apiVersion", "f:kind", "f:metadata"] {
        set.insert(&[name]);
    }
    let metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    for name in metadata {
        set.insert(&["f:metadata", &format!("f:{name}")]);
    }
    set
});

/// Takes out what nobody owns.
pub(super) fn strip(fields: &mut Set) {
    fields.remove(&UNTRACKED);
}

/// Sets `new`'s managedFields for a write by `manager` that changes `live` (`None` on create) into `new`.
///
/// `new` may carry managedFields that the client sent: valid ones replace the stored ones, except on a subresource.
/// `cleared` says that it sent none on purpose (see [`super::clears`]). An object without any managers stays so.
pub fn record_update(target: &Target, live: Option<&Value>, new: &mut Value, manager: &str, cleared: bool) {
    let sent = new.get_mut("metadata").and_then(|m| m.remove("managedFields"));
    let mut managers = managers_before(target, live, sent, cleared);
    let created = live.is_none_or(|l| l["metadata"]["uid"].str().is_empty());
    if managers.is_empty() && !created {
        return;
    }
    if live.is_none()
        && managers.is_empty()
        && let Some(text) = first_fields(target, new)
    {
        let fields = (text != "{}").then(|| Owned::of_text(text));
        return entries::write(new, fields.map(|fields| updated(target, manager, fields)).into_iter().collect());
    }
    let zero;
    let live = match live {
        Some(live) => live,
        None => {
            zero = target.typed().zero();
            &zero
        }
    };
    let Some(mut taken) = take_over(target, live, new, &mut managers) else {
        // Upstream gives up on an object it cannot compare: nobody owns anything.
        return;
    };
    strip(&mut taken);
    add_update(target, &mut managers, manager, taken);
    cap::cap_update_managers(&mut managers);
    entries::write(new, managers);
}

/// What the creator of an object owns, as text.
fn first_fields(target: &Target, new: &Value) -> Option<String> {
    target.typed().first_fields(new, Unowned { trees: target.reset.trees()?, paths: &UNTRACKED })
}

/// Whom the client or else the store says the managers are.
fn managers_before(target: &Target, live: Option<&Value>, sent: Option<Value>, cleared: bool) -> Entries {
    if !target.subresource.is_empty() {
        return entries::of_stored(live);
    }
    let sent = sent.unwrap_or_default();
    if cleared || sent.items().len() == 1 && sent[0].is_empty() {
        return Entries::new();
    }
    let stored = live.map(|l| &l["metadata"]["managedFields"]);
    if sent.items().is_empty() || stored == Some(&sent) {
        return entries::of_stored(live);
    }
    match entries::decode(&sent) {
        Ok(managers) if !managers.is_empty() => managers,
        _ => entries::of_stored(live),
    }
}

/// What `new` changed goes from its managers to the caller: the fields it set are returned. `None` when the objects cannot be compared.
fn take_over(target: &Target, live: &Value, new: &Value, managers: &mut Entries) -> Option<Set> {
    let Taken { change, .. } = changes_for(target, live, new, managers, |entry, change| {
        entry.fields.remove(&change.taken);
        entry.fields.remove(&change.removed);
        !entry.fields.is_empty()
    })?;
    Some(change)
}

/// What a write changes, as one version's managers see it.
pub(super) struct VersionedChange {
    api_version: Str,
    /// Added or modified.
    pub taken: Set,
    pub removed: Set,
}

/// What the writer took.
pub(super) struct Taken {
    pub change: Set,
}

/// Compares in every version that a manager wrote in, and keeps the managers that `keep` keeps. Those of versions that are
/// no longer known are dropped.
pub(super) fn changes_for(
    target: &Target,
    live: &Value,
    new: &Value,
    managers: &mut Entries,
    mut keep: impl FnMut(&mut Entry, &VersionedChange) -> bool,
) -> Option<Taken> {
    let here = versioned(target, target.api_version(), target.typed().compare(live, new).ok()?);
    let mut others: Vec<VersionedChange> = Vec::new();
    let mut comparable = true;
    // A definition may change how its lists merge at any time, and what is stored follows with the next write.
    let is_fixed = target.schema.ty(target.type_id).field("metadata").is_some_and(|field| field.number != 0);
    managers.retain_mut(|entry| {
        if entry.api_version == here.api_version {
            if is_fixed && entry.fields.is_apart([&here.taken, &here.removed]) {
                return true;
            }
            target.typed().reconcile(&mut entry.fields);
            return keep(entry, &here);
        }
        if !others.iter().any(|o| o.api_version == entry.api_version) {
            let versions = target.versions;
            let both = versions.convert(live, &entry.api_version).zip(versions.convert(new, &entry.api_version));
            let Some((old, new)) = both else { return false };
            match Typed::new(old.schema, old.type_id).compare(&old.object, &new.object) {
                Ok(change) => others.push(versioned(target, entry.api_version.clone(), change)),
                Err(_) => comparable = false,
            }
        }
        let change = others.iter().find(|o| o.api_version == entry.api_version);
        change.is_some_and(|change| keep(entry, change))
    });
    comparable.then_some(Taken { change: here.taken })
}

fn versioned(target: &Target, api_version: Str, change: Change) -> VersionedChange {
    let Change { removed: mut gone, modified, added: mut taken } = change;
    taken.merge(modified);
    target.reset.filter(&mut taken);
    target.reset.filter(&mut gone);
    VersionedChange { api_version, taken, removed: gone }
}

/// Adds the fields an update set to its manager's entry.
pub(super) fn add_update(target: &Target, managers: &mut Entries, manager: &str, fields: Set) {
    if fields.is_empty() {
        return;
    }
    let entry = updated(target, manager, fields.into());
    match managers.iter_mut().find(|other| other.same_manager(&entry)) {
        Some(own) => {
            own.time = entry.time;
            own.fields.merge(entry.fields.into_set());
        }
        None => managers.push(entry),
    }
}

/// The entry of an update.
fn updated(target: &Target, manager: &str, fields: Owned) -> Entry {
    Entry {
        manager: if manager.is_empty() { "unknown".into() } else { manager.into() },
        operation: Operation::Update,
        api_version: target.api_version(),
        subresource: target.subresource.into(),
        time: target.now.into(),
        fields,
    }
}

/// When nothing but times of managedFields differs from `live`, takes those over, so that the write is none.
pub fn keep_times_of_no_change(live: &Value, new: &mut Value) {
    let (old, new_entries) = (&live["metadata"]["managedFields"], &new["metadata"]["managedFields"]);
    let same_entry = |a: &Value, b: &Value| {
        let rest =
            |v: &'_ Value| v.entries().filter(|(k, _)| *k != "time").map(|(k, _)| Str::from(k)).collect::<Vec<_>>();
        rest(a) == rest(b) && rest(a).iter().all(|k| a[k.as_str()] == b[k.as_str()])
    };
    let (a, b) = (old.items(), new_entries.items());
    if a.len() != b.len() || old == new_entries || !a.iter().zip(b).all(|(a, b)| same_entry(a, b)) {
        return;
    }
    let keys = |v: &Value| v.entries().filter(|(k, _)| *k != "managedFields").count();
    let same_metadata = keys(&live["metadata"]) == keys(&new["metadata"])
        && live["metadata"].entries().filter(|(k, _)| *k != "managedFields").all(|(k, v)| *v == new["metadata"][k]);
    let same_rest = live.entries().len() == new.entries().len()
        && live.entries().filter(|(k, _)| *k != "metadata").all(|(k, v)| *v == new[k]);
    if same_metadata && same_rest {
        let old = old.clone();
        new.entry("metadata").set("managedFields", old);
    }
}
