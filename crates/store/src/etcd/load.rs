//! Filling the memory with what etcd has.

use super::{Etcd, signed};
use crate::commit::{Unpublished, resource_of};
use crate::object::{EncodingCache, Object, Resource};
use crate::version::Version;
use crate::watch_log::{Feed, WatchLog};
use ::etcd::{Error, RangeRequest};
use meta::Str;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects of one answer.
const PAGE_OBJECTS: i64 = 500;
/// How far back history is read when the server starts, so that watches resume across a restart.
const HISTORY_REVISIONS_MAX: u64 = 10_000;

/// Why memory is not filled.
#[derive(Debug)]
pub(super) enum LoadError {
    Etcd(Error),
    /// An object is kept under a key that nobody has.
    Unreadable(String),
}

impl From<Error> for LoadError {
    fn from(error: Error) -> LoadError {
        LoadError::Etcd(error)
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Etcd(error) => error.fmt(f),
            LoadError::Unreadable(why) => f.write_str(why),
        }
    }
}

impl Etcd {
    pub(super) fn encodings(&self) -> Arc<EncodingCache> {
        self.core.encodings.clone()
    }

    /// Makes resources known, without objects.
    pub(super) fn install(&self, resources: Vec<Resource>) {
        let mut head = self.core.lock_head();
        for resource in resources {
            self.core.install(&mut head, resource, Version::default(), Feed::of(WatchLog::starting_after(0)));
        }
    }

    /// Loads the oldest state that is still there, within bounds: what has happened since comes with the watch, and so
    /// can be watched and paged. Returns the newest revision.
    pub(super) async fn load_first(&self) -> Result<u64, LoadError> {
        let newest = self.ask_revision().await?;
        // One who may not read the key starts without history.
        let compacted = self.compacted_revision().await.unwrap_or(newest);
        let oldest = compacted.max(newest.saturating_sub(HISTORY_REVISIONS_MAX)).max(1);
        match self.load_at(oldest).await {
            Err(LoadError::Unreadable(_)) => self.load_at(newest).await?,
            Err(LoadError::Etcd(why)) if why.is_compacted() => self.load_at(newest).await?,
            loaded => loaded?,
        }
        Ok(newest)
    }

    /// Replaces what is in memory by the newest state. Nobody knows what happened since the last revision in memory, so
    /// that every watch ends as one that was too slow.
    pub(super) async fn reload(&self) -> Result<(), LoadError> {
        let newest = self.ask_revision().await?;
        self.load_at(newest).await
    }

    async fn load_at(&self, revision: u64) -> Result<(), LoadError> {
        let (mut start, end) = self.keys.range();
        let mut objects = Vec::new();
        loop {
            let request = RangeRequest {
                key: start,
                range_end: end.clone(),
                limit: PAGE_OBJECTS,
                revision: signed(revision),
                ..RangeRequest::default()
            };
            let page = self.client.range(&request).await?;
            for kv in &page.kvs {
                if let Some(key) = self.keys.in_memory(&kv.key) {
                    objects.push(Arc::new(self.object_of(key, kv).map_err(LoadError::Unreadable)?));
                }
            }
            match page.kvs.last() {
                Some(last) if page.more => start = [&last.key[..], &[0]].concat(),
                _ => break,
            }
        }
        self.replace(objects, revision);
        Ok(())
    }

    /// `objects` in key order.
    fn replace(&self, objects: Vec<Arc<Object>>, revision: u64) {
        let core = &self.core;
        let mut head = core.lock_head();
        let resources: Vec<Resource> =
            head.resources.values().map(|working| working.published.resource.clone()).collect();
        let resources: BTreeMap<Str, Resource> = resources.into_iter().map(|r| (r.prefix.clone(), r)).collect();
        let mut own: BTreeMap<&str, Vec<Arc<Object>>> = BTreeMap::new();
        let mut unclaimed = BTreeMap::new();
        for object in objects {
            match resource_of(&resources, &object.key) {
                // Registered anew since the object was read, perhaps with other fields.
                Some(resource) => own.entry(&resource.prefix).or_default().push(object.claimed_by(resource)),
                None => drop(unclaimed.insert(object.key.clone(), object)),
            }
        }
        for (prefix, resource) in &resources {
            let version = Version::from_sorted(own.remove(prefix.as_str()).unwrap_or_default(), revision);
            core.replace(&mut head, resource.clone(), version, Feed::of(WatchLog::starting_after(revision)));
        }
        head.unclaimed = unclaimed;
        head.unclaimed_log = WatchLog::starting_after(revision);
        head.revision = revision;
        drop(head);
        core.publish(Unpublished { revision, changed: Vec::new() });
        core.drained.notify_all();
    }
}
