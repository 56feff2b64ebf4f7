//! What a watch holds while its client does not read.
//!
//! A client may stop reading without going away: its connection answers pings, and the stream is never asked for more, so
//! nothing here runs for it. As long as the log has what it would read next it may go on. After that, and after its time,
//! what it holds is of no use to it, and would keep objects that nobody else needs: it is taken away. When it reads again
//! it is told (410), or the stream ends.

use super::{Change, too_old};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use store::Cursor;
use tokio::time::Instant;

/// How often those that do not read are looked at.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(10);

/// Where a watch is, and what it has not sent yet.
pub struct Held {
    pub waiting: VecDeque<Change>,
    /// `None`: after what waits the stream ends.
    pub cursor: Option<Cursor>,
    pub deadline: Instant,
}

impl Held {
    /// Lets go of what its client cannot use any more.
    fn give_up_when_over(&mut self, now: Instant) {
        if now >= self.deadline {
            self.waiting = VecDeque::new();
            self.cursor = None;
        } else if let Some(lost) = self.cursor.as_ref().and_then(Cursor::lost) {
            self.waiting = VecDeque::from([Change::Error(too_old(lost.oldest, lost.oldest))]);
            self.cursor = None;
        }
    }
}

/// The place of one watch's things between two readings; empty while it waits for an event.
#[derive(Default)]
pub struct Shelf(Mutex<Option<Box<Held>>>);

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take(&self) -> Option<Box<Held>> {
        self.lock().take()
    }

    pub fn put(&self, held: Box<Held>) {
        *self.lock() = Some(held);
    }
}

/// Of all watches.
#[derive(Default)]
pub struct Shelves(Mutex<Vec<Weak<Shelf>>>);

impl Shelves {
    pub fn add(&self, held: Held) -> Arc<Shelf> {
        let shelf = Arc::new(Shelf(Mutex::new(Some(Box::new(held)))));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&shelf));
        shelf
    }

    /// Takes away what is of no use any more.
    pub fn sweep(&self, now: Instant) {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.retain(|shelf| {
            let Some(shelf) = shelf.upgrade() else { return false };
            if let Some(held) = shelf.lock().as_mut() {
                held.give_up_when_over(now);
            }
            true
        });
        shelves.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use store::{Expect, Meta, Op, Options, Resource, Store};

    const PREFIX: &str = "/registry/a/";

    fn store() -> Store {
        let (extract, field_names) = (Arc::new(|_: &str, _: &[u8]| Ok(Meta::default())), Vec::new());
        let resource = Resource { prefix: PREFIX.into(), extract, field_names, canonical: None, in_etcd: None };
        Store::open_memory_with(vec![resource], Options { upkeep: false, ..Options::default() })
    }

    async fn put(store: &Store, name: &str) {
        let op = Op::Put {
            key: format!("{PREFIX}{name}"),
            bytes: Bytes::from(vec![1; 100]),
            meta: Meta::default(),
            expect: Expect::Any,
        };
        store.commit(vec![op]).await.unwrap();
    }

    fn held(store: &Store, deadline: Instant) -> Held {
        let waiting = store.snapshot(PREFIX).iter().cloned().map(Change::Added).collect();
        Held { waiting, cursor: store.watch(PREFIX, store.revision()).ok(), deadline }
    }

    #[tokio::test]
    async fn who_does_not_read_holds_no_objects_when_the_log_has_moved_on() {
        let (store, shelves) = (store(), Shelves::default());
        put(&store, "x").await;
        let now = Instant::now();
        let deadline = now + Duration::from_secs(1000);
        let shelf = shelves.add(held(&store, deadline));
        let pinned = Arc::downgrade(store.get("/registry/a/x").as_ref().unwrap());
        put(&store, "x").await;
        shelves.sweep(now);
        let kept = shelf.take().expect("it is there");
        assert!(kept.waiting.len() == 1 && kept.cursor.is_some(), "what it would read next is still in the log");
        shelf.put(kept);
        store.compact(store.revision());
        assert!(pinned.upgrade().is_some());
        shelves.sweep(now);
        assert!(pinned.upgrade().is_none(), "nobody else has the old state");
        let mut told = shelf.take().expect("it is there");
        let expired = |change: &Change| matches!(change, Change::Error(status) if status.code == 410);
        assert!(told.waiting.pop_front().is_some_and(|change| expired(&change)));
        assert!(told.waiting.is_empty() && told.cursor.is_none());
    }

    #[tokio::test]
    async fn who_does_not_read_in_time_holds_nothing() {
        let (store, shelves) = (store(), Shelves::default());
        put(&store, "x").await;
        let deadline = Instant::now() + Duration::from_secs(1000);
        let (shelf, busy) = (shelves.add(held(&store, deadline)), shelves.add(held(&store, deadline)));
        let taken = busy.take();
        shelves.sweep(deadline - Duration::from_secs(1));
        assert_eq!(shelf.lock().as_ref().map(|held| held.waiting.len()), Some(1));
        shelves.sweep(deadline);
        assert!(shelf.take().is_some_and(|held| held.waiting.is_empty() && held.cursor.is_none()));
        assert!(taken.is_some_and(|held| held.cursor.is_some()), "one that reads sees to that itself");
        drop((shelf, busy));
        shelves.sweep(deadline);
        assert!(shelves.0.lock().unwrap().is_empty(), "those that ended are forgotten");
    }
}
