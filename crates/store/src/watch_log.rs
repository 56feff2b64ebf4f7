//! The log that watches read: a resource's recent events, and topics within them.

use crate::object::{Object, Resource};
use crate::watch::{Event, Interest};
use meta::Str;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::watch;

/// The events of one resource, oldest first, numbered from 0 without gaps.
#[derive(Debug, Default)]
pub(crate) struct WatchLog {
    events: VecDeque<Event>,
    /// The number of `events[0]`.
    pub(crate) first: u64,
    /// Events at or before this revision are gone or never were: the log is complete after it.
    pub(crate) floor: u64,
    /// Stored bytes that the events refer to; many are shared with the live objects.
    bytes: usize,
    pub(crate) withdrawn: bool,
    topics: Topics,
    /// Topics with something new since the last wake-up.
    touched: Vec<Arc<Topic>>,
}

impl WatchLog {
    pub(crate) fn starting_after(floor: u64) -> WatchLog {
        WatchLog { floor, ..WatchLog::default() }
    }

    pub(crate) fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Event> {
        self.events.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The number of the first event after `revision`.
    pub(crate) fn position_after(&self, revision: u64) -> u64 {
        self.first + self.events.partition_point(|event| event.revision <= revision) as u64
    }

    /// Events after `revision`, newest first.
    pub(crate) fn newest_until(&self, revision: u64) -> impl Iterator<Item = &Event> {
        self.events.iter().rev().take_while(move |event| event.revision > revision)
    }

    pub(crate) fn push(&mut self, event: Event, bytes_max: usize) {
        self.bytes += event.object.bytes_len();
        self.topics.note(&event, self.end(), self.first, &mut self.touched);
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
        self.bytes -= event.object.bytes_len();
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
        self.touched.extend(self.topics.all().cloned());
    }

    /// The topic of those events that a cursor with this prefix and interest wants; `None` when that is all of them.
    pub(crate) fn topic(&mut self, resource_prefix: &str, prefix: &str, interest: &Interest) -> Option<Arc<Topic>> {
        let since = self.end();
        let topics = &mut self.topics;
        let slot = match interest {
            Interest::Key(key) => topics.keys.entry(key.clone()),
            Interest::All if prefix == resource_prefix => return None,
            Interest::All => topics.namespaces.entry(prefix.into()),
            Interest::Field { index, value } => {
                let topic = topics.fields.entry(*index).or_default().entry(value.clone());
                return Some(topic.or_insert_with(|| Topic::since(since)).clone());
            }
        };
        Some(slot.or_insert_with(|| Topic::since(since)).clone())
    }

    /// Lets go of a topic, and forgets it when nobody else has it.
    pub(crate) fn leave(&mut self, topic: Arc<Topic>, prefix: &str, interest: &Interest) {
        drop(topic);
        let is_last = |topic: Option<&Arc<Topic>>| topic.is_some_and(|topic| Arc::strong_count(topic) == 1);
        let topics = &mut self.topics;
        match interest {
            Interest::Key(key) if is_last(topics.keys.get(key)) => drop(topics.keys.remove(key)),
            Interest::All if is_last(topics.namespaces.get(prefix)) => drop(topics.namespaces.remove(prefix)),
            Interest::Field { index, value } => {
                let Some(values) = topics.fields.get_mut(index) else { return };
                if is_last(values.get(value)) {
                    values.remove(value);
                }
                if values.is_empty() {
                    topics.fields.remove(index);
                }
            }
            Interest::Key(_) | Interest::All => {}
        }
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
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        let (end, touched) = (log.end(), std::mem::take(&mut log.touched));
        drop(log);
        self.end.send_replace(end);
        for topic in touched {
            topic.end.send_replace(end);
        }
    }
}

/// A part of a log that somebody watches: one object, a namespace, a field's value. All its cursors share it, and only
/// they are woken: thousands of kubelets cost nothing when another node's pod changes.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Complete from this event number on.
    pub(crate) since: u64,
    numbers: Mutex<Numbers>,
    pub(crate) end: watch::Sender<u64>,
}

/// The numbers of a topic's events.
#[derive(Debug, Default)]
struct Numbers {
    known: VecDeque<u64>,
    /// Numbers below this are gone.
    floor: u64,
}

impl Topic {
    fn since(number: u64) -> Arc<Topic> {
        Arc::new(Topic { since: number, numbers: Mutex::default(), end: watch::Sender::new(number) })
    }

    /// The first of its events at or after `number`; an error when some there are gone.
    pub(crate) fn first_from(&self, number: u64) -> Result<Option<u64>, ()> {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if number < numbers.floor {
            return Err(());
        }
        let at = numbers.known.partition_point(|known| *known < number);
        Ok(numbers.known.get(at).copied())
    }

    fn push(&self, number: u64, first: u64) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        while numbers.known.front().is_some_and(|known| *known < first) {
            numbers.floor = numbers.known.pop_front().unwrap_or(0) + 1;
        }
        if numbers.known.back() != Some(&number) {
            numbers.known.push_back(number);
        }
    }
}

/// The topics of a log.
#[derive(Debug, Default)]
struct Topics {
    keys: HashMap<Arc<str>, Arc<Topic>>,
    /// By prefix, with the slash.
    namespaces: HashMap<Arc<str>, Arc<Topic>>,
    /// By the field's position, then its value.
    fields: HashMap<usize, HashMap<Str, Arc<Topic>>>,
}

impl Topics {
    fn all(&self) -> impl Iterator<Item = &Arc<Topic>> {
        let fields = self.fields.values().flat_map(HashMap::values);
        self.keys.values().chain(self.namespaces.values()).chain(fields)
    }

    /// Tells the topics of an event its number. `first` is the number of the oldest event that is kept.
    fn note(&self, event: &Event, number: u64, first: u64, touched: &mut Vec<Arc<Topic>>) {
        let mut tell = |topic: Option<&Arc<Topic>>| {
            let Some(topic) = topic else { return };
            topic.push(number, first);
            touched.push(topic.clone());
        };
        let key = &event.object.key;
        if !self.keys.is_empty() {
            tell(self.keys.get(key));
        }
        if !self.namespaces.is_empty() {
            let name_at = key.rfind('/').map_or(0, |slash| slash + 1);
            tell(self.namespaces.get(key.get(..name_at).unwrap_or_default()));
        }
        for (index, values) in &self.fields {
            let value = |object: &Object| object.meta.fields.get(*index).cloned();
            let (after, before) = (value(&event.object), event.previous.as_deref().and_then(value));
            tell(after.as_ref().and_then(|value| values.get(value)));
            if before != after {
                tell(before.as_ref().and_then(|value| values.get(value)));
            }
        }
    }
}
