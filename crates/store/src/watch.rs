//! Watching: a bounded log per resource, and cursors into it.
//!
//! There is no queue per watcher. A cursor is a position; a slow one costs nothing until the log has dropped what it
//! would read next, and then it is told so ([`Lost`]).

use crate::object::Object;
use crate::watch_log::{Feed, Topic, WatchLog};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
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

/// A watcher's position.
#[derive(Debug)]
pub struct Cursor {
    feed: Arc<Feed>,
    /// Where what it wants is noted; `None` when it wants everything.
    topic: Option<Arc<Topic>>,
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
    /// What `progress` said last: it never goes back.
    promised: AtomicU64,
}

impl Cursor {
    pub(crate) fn open(
        feed: &Arc<Feed>,
        published: &Arc<AtomicU64>,
        resource_prefix: &str,
        prefix: &str,
        interest: Interest,
        after: u64,
    ) -> Result<Cursor, Compacted> {
        let mut log = feed.log.write().unwrap_or_else(PoisonError::into_inner);
        if after < log.floor {
            return Err(Compacted { oldest: log.floor });
        }
        let next = log.position_after(after);
        let topic = log.topic(resource_prefix, prefix, &interest);
        drop(log);
        let end = topic.as_ref().map_or(&feed.end, |topic| &topic.end).subscribe();
        let (feed, published) = (feed.clone(), published.clone());
        Ok(Cursor {
            feed,
            topic,
            end,
            published,
            prefix: prefix.into(),
            interest,
            next,
            after,
            seen: after,
            promised: AtomicU64::new(after),
        })
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
        let published = self.published.load(Ordering::Acquire);
        let log = self.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        if log.withdrawn {
            return Err(Lost { oldest: log.floor });
        }
        loop {
            let number = candidate(self.topic.as_deref(), self.next, &log)?;
            let Some((number, event)) = number.and_then(|number| Some((number, log.get(number)?))) else {
                return Ok(None);
            };
            if event.revision > published {
                // About to be visible everywhere; then this is woken.
                return Ok(None);
            }
            self.next = number + 1;
            // Only when it asked for a revision that was not there yet.
            if event.revision <= self.after {
                continue;
            }
            self.seen = event.revision;
            if event.object.key.starts_with(&*self.prefix) && self.interest.wants(event) {
                return Ok(Some(event.clone()));
            }
        }
    }

    /// What [`Cursor::next`] would say now, when that is that its next event is gone.
    pub fn lost(&self) -> Option<Lost> {
        let log = self.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        if log.withdrawn {
            return Some(Lost { oldest: log.floor });
        }
        candidate(self.topic.as_deref(), self.next, &log).err()
    }

    /// A revision up to which everything was returned by `next`: what a bookmark may say. Grows also when nothing happens
    /// under the prefix.
    pub fn progress(&self) -> u64 {
        // Read before the log: all events up to this revision are in the log by now.
        let published = self.published.load(Ordering::Acquire);
        let log = self.feed.log.read().unwrap_or_else(PoisonError::into_inner);
        let returned = match candidate(self.topic.as_deref(), self.next, &log) {
            // Not the last event's: one transaction's events share a revision.
            Ok(Some(number)) => log.get(number).map_or(published, |waiting| published.min(waiting.revision - 1)),
            Ok(None) => self.seen.max(published),
            // The next event is gone, which `next` will tell.
            Err(_) => 0,
        };
        self.promised.fetch_max(returned, Ordering::Relaxed).max(returned)
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Some(topic) = self.topic.take() {
            let mut log = self.feed.log.write().unwrap_or_else(PoisonError::into_inner);
            log.leave(topic, &self.prefix, &self.interest);
        }
    }
}

/// The number of the first event from `next` on that may be wanted.
fn candidate(topic: Option<&Topic>, next: u64, log: &WatchLog) -> Result<Option<u64>, Lost> {
    let lost = Lost { oldest: log.floor };
    match topic {
        // Older than the topic: one by one.
        Some(topic) if next >= topic.since => topic
            .first_from(next)
            .map_err(|()| lost)?
            .map_or(Ok(None), |number| if number < log.first { Err(lost) } else { Ok(Some(number)) }),
        _ if next < log.first => Err(lost),
        _ => Ok(Some(next).filter(|next| *next < log.end())),
    }
}
