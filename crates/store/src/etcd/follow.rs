//! The watch that keeps memory as etcd is.

use super::{Etcd, keys, signed, unsigned};
use crate::commit::{Head, Unpublished};
use crate::object::Object;
use crate::watch::{Event, Kind};
use ::etcd::{Error, WatchEvent, WatchRequest, WatchResponse, Watcher};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Between two questions of how far the watch is.
const PROGRESS_PERIOD: Duration = Duration::from_millis(20);

/// Why a watch ended.
enum Ended {
    /// History that it needed is gone.
    Compacted,
    Unreadable,
    Broken(Error),
    /// etcd ended it, and why.
    Canceled(String),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Broken(error)
    }
}

/// Follows etcd for ever, from one member to the next, from where it was.
pub(super) async fn run(etcd: Arc<Etcd>) {
    let mut pause = PAUSE_MIN;
    loop {
        let before = etcd.core.newest_revision();
        let ended = match etcd.follow().await {
            // An event may be under a key that is not in use any more; the newest state has none of those.
            Ended::Compacted | Ended::Unreadable => {
                let failed = etcd.reload().await.err().map(|why| why.to_string());
                etcd.link.note_reload(failed.clone());
                failed
            }
            Ended::Broken(error) => Some(error.to_string()),
            Ended::Canceled(why) => Some(why),
        };
        if etcd.core.newest_revision() > before {
            pause = PAUSE_MIN;
        }
        etcd.link.note_watch(ended);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

impl Etcd {
    async fn follow(&self) -> Ended {
        let start_revision = signed(self.core.newest_revision()).saturating_add(1);
        let plan = |version: &str| {
            let (key, range_end) = if tells_progress(version) { self.keys.range() } else { keys::everything() };
            WatchRequest { key, range_end, start_revision }
        };
        let watched = async {
            let watcher = self.client.watch(plan).await?;
            self.follow_watcher(watcher).await
        };
        match watched.await {
            Err(ended) => ended,
            Ok(never) => match never {},
        }
    }

    async fn follow_watcher(&self, mut watcher: Watcher) -> Result<std::convert::Infallible, Ended> {
        let tells_progress = tells_progress(watcher.version());
        let mut asked = Instant::now();
        // Events of the newest revision, of which more may come.
        let mut held: Vec<WatchEvent> = Vec::new();
        loop {
            let response = tokio::select! {
                response = watcher.next() => response?,
                () = self.impatient.notified(), if tells_progress => {
                    if asked.elapsed() >= PROGRESS_PERIOD {
                        asked = Instant::now();
                        watcher.request_progress();
                    }
                    continue;
                }
            };
            if response.compact_revision != 0 {
                return Err(Ended::Compacted);
            }
            if response.canceled {
                return Err(Ended::Canceled(response.cancel_reason));
            }
            self.link.note_watch(None);
            if response.is_progress() {
                if tells_progress {
                    self.advance(unsigned(response.revision));
                }
                continue;
            }
            let events = take_whole(response, &mut held);
            if let Some(last) = events.last() {
                let revision = unsigned(last.kv.mod_revision);
                self.apply(events, revision)?;
            }
        }
    }

    /// Nothing has happened up to `revision` that was not told.
    fn advance(&self, revision: u64) {
        let mut head = self.core.lock_head();
        if revision <= head.revision {
            return;
        }
        head.revision = revision;
        drop(head);
        self.core.publish(Unpublished { revision, changed: Vec::new() });
        self.core.drained.notify_all();
    }

    fn apply(&self, events: Vec<WatchEvent>, revision: u64) -> Result<(), Ended> {
        // Decoding is the dear part and needs no lock.
        let changes = events.into_iter().filter_map(|event| self.change_of(&event).transpose());
        let changes: Vec<Change> = changes.collect::<Result<_, String>>().map_err(|_| Ended::Unreadable)?;
        let mut head = self.core.lock_head();
        // A watch that begins anew may tell something twice.
        let known = head.revision;
        for change in changes.into_iter().filter(|change| change.revision() > known) {
            let deleted = matches!(change, Change::Delete { .. });
            if let Some(object) = self.apply_change(&mut head, change) {
                self.own_writes.tell(&object, deleted);
            }
        }
        head.revision = head.revision.max(revision);
        let unpublished = head.take_unpublished();
        drop(head);
        self.core.publish(unpublished);
        self.core.drained.notify_all();
        Ok(())
    }

    fn change_of(&self, event: &WatchEvent) -> Result<Option<Change>, String> {
        let Some(key) = self.keys.in_memory(&event.kv.key) else { return Ok(None) };
        if event.deleted {
            return Ok(Some(Change::Delete { key, revision: unsigned(event.kv.mod_revision) }));
        }
        let opened = self.open(&key, &event.kv)?;
        let own = self.own_writes.put_with(&key, &opened.bytes);
        Ok(Some(Change::Put(self.object_with(key, &event.kv, &opened, own.as_ref()))))
    }

    fn apply_change(&self, head: &mut Head, change: Change) -> Option<Arc<Object>> {
        match change {
            Change::Put(mut object) => {
                let key = head.get(&object.key).map(|known| known.key.clone());
                object.key = key.unwrap_or(object.key);
                let object = Arc::new(object);
                let Some(working) = head.resource_mut(&object.key) else {
                    let previous = head.unclaimed.insert(object.key.clone(), object.clone());
                    self.note_unclaimed(head, Kind::Put, object.clone(), previous);
                    return Some(object);
                };
                let object = object.claimed_by(&working.published.resource.clone());
                head.put(object.clone());
                Some(object)
            }
            Change::Delete { key, revision } => {
                if head.resource_mut(&key).is_some() {
                    return head.delete(&key, revision);
                }
                let previous = head.unclaimed.remove(&key)?;
                let object = Arc::new(previous.deleted_at(revision));
                self.note_unclaimed(head, Kind::Delete, object.clone(), Some(previous));
                Some(object)
            }
        }
    }

    /// For the day when the resource is registered.
    fn note_unclaimed(&self, head: &mut Head, kind: Kind, object: Arc<Object>, previous: Option<Arc<Object>>) {
        let event = Event { kind, revision: object.revision, object, previous };
        head.unclaimed_log.push(event, self.core.options.log_bytes_max);
    }
}

enum Change {
    Put(Object),
    Delete { key: Arc<str>, revision: u64 },
}

impl Change {
    fn revision(&self) -> u64 {
        match self {
            Change::Put(object) => object.revision,
            Change::Delete { revision, .. } => *revision,
        }
    }
}

/// The events of a response with those held before. Of one that is a fragment the newest revision stays held: more of it may
/// come, and a transaction is seen whole.
fn take_whole(response: WatchResponse, held: &mut Vec<WatchEvent>) -> Vec<WatchEvent> {
    held.extend(response.events);
    let newest = held.last().map_or(0, |event| event.kv.mod_revision);
    let unfinished = |event: &WatchEvent| response.fragment && event.kv.mod_revision == newest;
    let whole = held.iter().position(unfinished).unwrap_or(held.len());
    held.drain(..whole).collect()
}

/// Whether an etcd of this version answers truly how far a watch is. Older ones may name revisions whose events are still
/// to come (etcd issue 15220); with them every key is watched, so that no revision passes unseen
/// (k8s.io/apiserver/pkg/storage/feature/feature_support_checker.go has the versions).
fn tells_progress(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    match (next(), next(), next()) {
        (3, 4, patch) => patch >= 31,
        (3, 5, patch) => patch >= 13,
        (major, minor, _) => (major, minor) > (3, 5),
    }
}

#[cfg(test)]
mod tests {
    use super::{take_whole, tells_progress};
    use ::etcd::{KeyValue, WatchEvent, WatchResponse};

    #[test]
    fn a_revision_in_fragments_is_held_until_it_is_whole() {
        let event = |mod_revision| WatchEvent { deleted: false, kv: KeyValue { mod_revision, ..KeyValue::default() } };
        let mut held = Vec::new();
        let mut taken = |revisions: &[i64], fragment| {
            let events = revisions.iter().copied().map(event).collect();
            let response = WatchResponse { events, fragment, ..WatchResponse::default() };
            let whole = take_whole(response, &mut held);
            whole.iter().map(|event| event.kv.mod_revision).collect::<Vec<_>>()
        };
        assert_eq!(taken(&[1, 2, 2], true), [1]);
        assert_eq!(taken(&[2], true), []);
        assert_eq!(taken(&[2, 3], true), [2, 2, 2, 2]);
        assert_eq!(taken(&[3, 4], false), [3, 3, 4]);
        assert_eq!(taken(&[5, 6], false), [5, 6]);
    }

    #[test]
    fn versions_that_tell_progress() {
        for (version, want) in [
            ("3.4.23", false),
            ("3.4.31", true),
            ("3.5.12", false),
            ("3.5.13", true),
            ("3.6.0-rc.1", true),
            ("4.0.0", true),
            ("3.3.25", false),
            ("", false),
        ] {
            assert_eq!(tells_progress(version), want, "{version}");
        }
    }
}
