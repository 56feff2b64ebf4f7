//! Watching: a bounded log per resource, and cursors into it.
//!
//! There is no queue per watcher. A cursor is a position; a slow one costs nothing until the log has dropped what it
//! would read next, and then it is told so ([`Lost`]).

use crate::object::{Object, Resource};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Put,
    Delete,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: Kind,
    /// For a deletion: the last state, carrying the revision of the deletion.
    pub object: Arc<Object>,
    /// The state before; `None` for a creation.
    pub previous: Option<Arc<Object>>,
    /// Of the transaction. Several events share one when they were one transaction.
    pub revision: u64,
}

/// The cursor's next event was dropped from the log, or its resource was withdrawn: the client lists again (410).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Watching can begin after this revision at the earliest.
    pub oldest: u64,
}

/// The revision is older than what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest revision that can be asked for.
    pub oldest: u64,
}

/// Which events a cursor wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Interest {
    /// Everything under the prefix.
    #[default]
    All,
    /// One object's.
    Key(Arc<str>),
    /// Those where the field (by position in `Meta::fields`) has the value before or after.
    Field { index: usize, value: meta::Str },
}

impl Interest {
    fn wants(&self, event: &Event) -> bool {
        match self {
            Interest::All => true,
            Interest::Key(key) => event.object.key == *key,
            Interest::Field { index, value } => {
                let has = |object: &Object| object.meta.fields.get(*index) == Some(value);
                has(&event.object) || event.previous.as_deref().is_some_and(has)
            }
        }
    }
}

/// The events of one resource, oldest first, numbered from 0 without gaps.
#[derive(Debug, Default)]
pub(crate) struct WatchLog {
    events: VecDeque<Event>,
    /// The number of `events[0]`.
    first: u64,
    /// Events at or before this revision are gone or never were: the log is complete after it.
    pub(crate) floor: u64,
    /// Stored bytes that the events refer to; many are shared with the live objects.
    bytes: usize,
    withdrawn: bool,
}

impl WatchLog {
    pub(crate) fn starting_after(floor: u64) -> WatchLog {
        WatchLog { floor, ..WatchLog::default() }
    }

    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn get(&self, number: u64) -> Option<&Event> {
        self.events.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The number of the first event after `revision`.
    fn position_after(&self, revision: u64) -> u64 {
        self.first + self.events.partition_point(|event| event.revision <= revision) as u64
    }

    /// Events after `revision`, newest first.
    pub(crate) fn newest_until(&self, revision: u64) -> impl Iterator<Item = &Event> {
        self.events.iter().rev().take_while(move |event| event.revision > revision)
    }

    pub(crate) fn push(&mut self, event: Event, bytes_max: usize) {
        self.bytes += event.object.bytes.len();
        self.events.push_back(event);
        while self.bytes > bytes_max && self.events.len() > EVENTS_MIN {
            self.pop();
        }
    }

    /// Forgets events up to `revision`.
    pub(crate) fn compact(&mut self, revision: u64) {
        while self.events.front().is_some_and(|event| event.revision <= revision) {
            self.pop();
        }
        self.floor = self.floor.max(revision);
    }

    fn pop(&mut self) {
        let Some(event) = self.events.pop_front() else { return };
        self.first += 1;
        self.bytes -= event.object.bytes.len();
        self.floor = self.floor.max(event.revision);
    }

    /// The part that is under a resource's prefix.
    pub(crate) fn claimed_by(&self, resource: &Resource) -> WatchLog {
        let mut own = WatchLog::starting_after(self.floor);
        for event in self.events.iter().filter(|event| event.object.key.starts_with(resource.prefix.as_str())) {
            let object = event.object.claimed_by(resource);
            let previous = event.previous.as_ref().map(|previous| previous.claimed_by(resource));
            own.push(Event { object, previous, ..event.clone() }, usize::MAX);
        }
        own
    }

    pub(crate) fn withdraw(&mut self) {
        self.withdrawn = true;
    }
}

/// Kept however large they are, so that one huge object does not cut off every watcher.
const EVENTS_MIN: usize = 100;

/// The log of a resource with the way to wake its readers.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) log: RwLock<WatchLog>,
    /// The number after the last event.
    pub(crate) end: watch::Sender<u64>,
}

impl Feed {
    pub(crate) fn of(log: WatchLog) -> Feed {
        Feed { end: watch::Sender::new(log.end()), log: RwLock::new(log) }
    }

    pub(crate) fn wake(&self) {
        let end = self.log.read().unwrap_or_else(PoisonError::into_inner).end();
        self.end.send_replace(end);
    }
}

/// A watcher's position.
#[derive(Debug)]
pub struct Cursor {
    feed: Arc<Feed>,
    end: watch::Receiver<u64>,
    /// The store's published revision.
    published: Arc<AtomicU64>,
    prefix: Arc<str>,
    interest: Interest,
    next: u64,
    /// Where it began.
    after: u64,
    /// The revision of the last event before `next`.
    seen: u64,
}

impl Cursor {
    pub(crate) fn open(
        feed: &Arc<Feed>,
        published: &Arc<AtomicU64>,
        prefix: &str,
        interest: Interest,
        after: u64,
    ) -> Result<Cursor, Compacted> {
        let end = feed.end.subscribe();
        let log = feed.log.read().unwrap_or_else(PoisonError::into_inner);
        if after < log.floor {
            return Err(Compacted { oldest: log.floor });
        }
        let next = log.position_after(after);
        drop(log);
        let (feed, published) = (feed.clone(), published.clone());
        Ok(Cursor { feed, end, published, prefix: prefix.into(), interest, next, after, seen: after })
    }

    /// The next event. Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Result<Event, Lost> {
        loop {
            // Marked as seen first: a push between the look and the wait then ends the wait at once.
            self.end.borrow_and_update();
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            if self.end.changed().await.is_err() {
                return Err(Lost { oldest: self.after });
            }
        }
    }

    /// The next event if it is there already.
    pub fn try_next(&mut self) -> Result<Option<Event>, Lost> {
        let log = self.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        if log.withdrawn || self.next < log.first {
            return Err(Lost { oldest: log.floor });
        }
        while let Some(event) = log.get(self.next) {
            self.next += 1;
            // Only when it asked for a revision that was not there yet.
            if event.revision <= self.after {
                continue;
            }
            self.seen = event.revision;
            if event.object.key.starts_with(&*self.prefix) && self.interest.wants(event) {
                return Ok(Some(event.clone()));
            }
        }
        Ok(None)
    }

    /// A revision up to which everything was returned by `next`: what a bookmark may say. Grows also when nothing happens
    /// under the prefix.
    pub fn progress(&self) -> u64 {
        // Read before the log: all events up to this revision are in the log by now.
        let published = self.published.load(Ordering::Acquire);
        let log = self.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        match log.get(self.next) {
            // Not the last event's: one transaction's events share a revision.
            Some(waiting) => (waiting.revision - 1).max(self.after),
            None => self.seen.max(published),
        }
    }
}
