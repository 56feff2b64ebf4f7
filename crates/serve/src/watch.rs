//! Watching: what exists, then what happens, as one stream of events.

mod shelf;

pub use shelf::Shelves;

use crate::options::ListOptions;
use crate::query::parse_revision;
use crate::read::{self, Selection, revision_text};
use crate::route::Route;
use crate::server::{Server, random_bits};
use bytes::Bytes;
use meta::{Reason, Result, Status};
use shelf::{Held, SWEEP_PERIOD, Shelf};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::{Event, Interest, Kind, Object};
use tokio::time::{Instant, Sleep};

/// The last bookmark comes this long before the stream's end.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// Shorter streams end without one.
const BOOKMARK_STREAM_MIN: Duration = Duration::from_secs(10);

/// What an event frame says.
#[derive(Clone, Debug)]
pub enum Change {
    Added(Arc<Object>),
    Modified(Arc<Object>),
    /// The last state that was selected, and the revision at which it ceased to be.
    Deleted(Arc<Object>, u64),
    Bookmark {
        revision: u64,
        ends_initial_events: bool,
    },
    Error(Status),
}

/// An open watch: where it is, and what is still to be sent.
pub struct Watch {
    selection: Selection,
    shelf: Arc<Shelf>,
    bookmarks: Option<Bookmarks>,
    /// Set anew only when its time changes: an event must not cost a timer.
    alarm: Pin<Box<Sleep>>,
}

struct Bookmarks {
    next: Instant,
    period: Duration,
}

/// Opens a watch. What is wrong with the request is an error here; what is wrong with its revision is told as an event.
pub async fn open(server: &Arc<Server>, route: &Route, options: &ListOptions) -> Result<Watch> {
    let endpoint = &route.endpoint;
    let selection = Selection::new(endpoint, options.labels.clone(), options.fields.clone())?;
    let text = options.resource_version.as_str();
    let revision =
        parse_revision(text).map_err(|why| Status::failure(500, Reason::Unknown, revision_text(text, &why)))?;
    let initial = options.send_initial_events.unwrap_or(revision == 0);
    let mut namespace = route.info.namespace.as_str();
    if let Some(wanted) = selection.exact_namespace().filter(|_| namespace.is_empty() && endpoint.descriptor.namespaced)
    {
        namespace = wanted;
    }
    let prefix = endpoint.namespace_prefix(namespace);
    let mut waiting = VecDeque::new();
    let mut after = revision;
    if text.is_empty() {
        read::newest(server).await?;
    }
    if initial {
        read::wait_for(server, revision).await?;
        let snapshot = server.store.snapshot(&prefix);
        after = snapshot.revision();
        let existing = snapshot.iter().filter(|object| selection.selects(object));
        waiting.extend(existing.cloned().map(Change::Added));
        if options.send_initial_events == Some(true) && options.bookmarks {
            waiting.push_back(Change::Bookmark { revision: after, ends_initial_events: true });
        }
    } else if revision == 0 {
        after = server.store.revision();
    }
    let interest = interest(route, &selection, namespace);
    let cursor = match server.store.watch_where(&prefix, after, interest) {
        Ok(cursor) => Some(cursor),
        Err(compacted) => {
            waiting.push_back(Change::Error(too_old(after, compacted.oldest)));
            None
        }
    };
    let timeout = timeout(server, options);
    let now = Instant::now();
    let period = server.settings.bookmark_period;
    let first = period.min(timeout.saturating_sub(BOOKMARK_BEFORE_END));
    let bookmarks =
        (options.bookmarks && timeout >= BOOKMARK_STREAM_MIN).then(|| Bookmarks { next: now + first, period });
    let alarm = Box::pin(tokio::time::sleep_until(now + timeout));
    let shelf = server.watches.add(Held { waiting, cursor, deadline: now + timeout });
    Ok(Watch { selection, shelf, bookmarks, alarm })
}

/// Looks after the watches whose clients do not read, as long as there is a server.
pub fn start_sweeping(server: &Arc<Server>) {
    let (server, mut stopping) = (Arc::downgrade(server), server.stopping.clone());
    tokio::spawn(async move {
        while tokio::time::timeout(SWEEP_PERIOD, stopping.wait_for(|stop| *stop)).await.is_err() {
            let Some(server) = server.upgrade() else { return };
            server.watches.sweep(Instant::now());
        }
    });
}

/// What the store need not wake this watch for.
fn interest(route: &Route, selection: &Selection, namespace: &str) -> Interest {
    let endpoint = &route.endpoint;
    if let Some(name) = selection.exact_name()
        && (!namespace.is_empty() || !endpoint.descriptor.namespaced)
    {
        return Interest::Key(endpoint.key(namespace, name).into());
    }
    match selection.exact_field() {
        Some((index, value)) => Interest::Field { index, value: value.clone() },
        None => Interest::All,
    }
}

fn timeout(server: &Server, options: &ListOptions) -> Duration {
    match options.timeout_seconds.map(u64::try_from) {
        Some(Ok(seconds)) if seconds > 0 => Duration::from_secs(seconds),
        _ => {
            let min = server.settings.watch_timeout_min;
            let spread = u64::try_from(min.as_millis()).unwrap_or(u64::MAX).max(1);
            min + Duration::from_millis(random_bits() % spread)
        }
    }
}

fn too_old(revision: u64, oldest: u64) -> Status {
    Status::expired(format!("too old resource version: {revision} ({oldest})"))
}

impl Watch {
    /// The next event; `None` when the stream ends.
    pub async fn next(&mut self) -> Option<Change> {
        let mut held = self.shelf.take()?;
        let change = self.next_of(&mut held).await;
        self.shelf.put(held);
        change
    }

    async fn next_of(&mut self, held: &mut Held) -> Option<Change> {
        let deadline = held.deadline;
        loop {
            if let Some(change) = held.waiting.pop_front() {
                return Some(change);
            }
            let cursor = held.cursor.as_mut()?;
            let bookmark_at = self.bookmarks.as_ref().map_or(deadline, |b| b.next.min(deadline));
            if self.alarm.deadline() != bookmark_at {
                self.alarm.as_mut().reset(bookmark_at);
            }
            tokio::select! {
                biased;
                event = cursor.next() => match event {
                    Ok(event) => held.waiting.extend(self.selection.change(&event)),
                    Err(lost) => {
                        held.cursor = None;
                        return Some(Change::Error(too_old(lost.oldest, lost.oldest)));
                    }
                },
                () = self.alarm.as_mut() => {
                    if bookmark_at >= deadline {
                        return None;
                    }
                    let revision = cursor.progress();
                    self.bookmarks = self.bookmarks.take().map(|bookmarks| bookmarks.planned_until(deadline));
                    return Some(Change::Bookmark { revision, ends_initial_events: false });
                }
            }
        }
    }
}

impl Bookmarks {
    /// The next one after a period, the last one shortly before the end.
    fn planned_until(self, deadline: Instant) -> Bookmarks {
        let last = deadline - BOOKMARK_BEFORE_END;
        let next = if self.next < last { (self.next + self.period).min(last) } else { deadline };
        Bookmarks { next, ..self }
    }
}

impl Selection {
    /// What an event of the store is to a watcher of this selection: an object that begins or ceases to be selected
    /// appears or disappears.
    fn change(&self, event: &Event) -> Option<Change> {
        let before = event.previous.as_ref().filter(|object| self.selects(object));
        let after = (event.kind == Kind::Put).then_some(&event.object).filter(|object| self.selects(object));
        match (before, after) {
            (None, Some(object)) => Some(Change::Added(object.clone())),
            (Some(_), Some(object)) => Some(Change::Modified(object.clone())),
            (Some(_), None) if event.kind == Kind::Delete => {
                Some(Change::Deleted(event.object.clone(), event.revision))
            }
            (Some(object), None) => Some(Change::Deleted(object.clone(), event.revision)),
            (None, None) => None,
        }
    }
}

/// A stream of frames, made one by one as the client takes them.
pub fn stream<E>(watch: Watch, encode: E) -> impl futures_core::Stream<Item = Bytes> + Send
where
    E: FnMut(&Change) -> Option<Bytes> + Send + 'static,
{
    futures_util::stream::unfold((watch, encode), |(mut watch, mut encode)| async move {
        loop {
            let change = watch.next().await?;
            if let Some(frame) = encode(&change) {
                return Some((frame, (watch, encode)));
            }
        }
    })
}
