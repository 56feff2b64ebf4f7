//! The clients and watchers of a simulated store, and what happens to them.

use super::history::{Answer, Call, Expected, History, Operation, Seen, Step, Told, Watching};
use super::{KEYS, PREFIXES, key, meta_of, value_of};
use crate::commit::{CommitError, Committed, Expect, Op};
use crate::embedded::disk::Random;
use crate::object::Object;
use crate::store::{OutOfRange, Store};
use crate::watch::{Cursor, Event, Interest, Kind};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Has one call at a time; several clients have several.
#[derive(Default)]
struct Client {
    call: Option<(usize, Answering)>,
}

struct Watcher {
    /// Its place in the history.
    number: usize,
    cursor: Option<Cursor>,
}

/// Everything but the disk and the threads.
pub(super) struct Scene {
    pub(super) random: Random,
    pub(super) history: History,
    pub(super) store: Option<Store>,
    /// The moment.
    now: u64,
    clients: Vec<Client>,
    watchers: Vec<Watcher>,
    /// The store's own clock, Unix seconds; and what is due when.
    pub(super) seconds: i64,
    expiries: Vec<(u64, i64)>,
    values: u64,
}

const CLIENTS: usize = 6;
const WATCHERS: usize = 5;

impl Scene {
    pub(super) fn new(seed: u64) -> Scene {
        Scene {
            random: Random::new(seed),
            history: History { first: 1, ..History::default() },
            store: None,
            now: 0,
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            watchers: Vec::new(),
            seconds: 0,
            expiries: Vec::new(),
            values: 0,
        }
    }

    pub(super) fn moment(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn store(&self) -> Store {
        self.store.clone().expect("steps are taken while the store is open")
    }

    /// One thing happens to one client or watcher.
    pub(super) fn step(&mut self) {
        match self.random.below(8) {
            0 => self.step_watcher(),
            1 => self.audit(),
            _ => self.step_client(),
        }
    }

    fn step_client(&mut self) {
        let number = self.random.below(CLIENTS as u64) as usize;
        if self.clients[number].call.is_none() {
            self.begin_call(number);
            // Sometimes it is sent a while later.
            if self.random.below(3) == 0 {
                return;
            }
        }
        self.poll(number);
    }

    fn poll(&mut self, number: usize) {
        let Some((at, answering)) = &mut self.clients[number].call else { return };
        if let Poll::Ready(answer) = answering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            let at = *at;
            self.clients[number].call = None;
            let ended = if answer == Answer::Unknown { u64::MAX } else { self.moment() };
            let operation = &mut self.history.operations[at];
            (operation.ended, operation.answer) = (ended, answer);
        }
    }

    /// No answer comes any more.
    pub(super) fn forget_calls(&mut self) {
        self.clients.iter_mut().for_each(|client| client.call = None);
    }

    /// Answers come as long as something is done for them.
    pub(super) fn poll_all(&mut self) {
        (0..CLIENTS).for_each(|number| self.poll(number));
    }

    fn begin_call(&mut self, number: usize) {
        let store = self.store();
        let (call, answering): (Call, Answering) = match self.random.below(10) {
            0..6 => {
                let (steps, ops) = self.transaction(&store);
                (Call::Write(steps.clone()), Box::pin(async move { written(store.commit(ops).await) }))
            }
            6 | 7 => {
                let key = key(&mut self.random);
                let not_older_than = match self.random.below(3) {
                    0 => store.core.lock_head().revision,
                    _ => 0,
                };
                let call = Call::Get { key: key.clone(), not_older_than };
                (call, Box::pin(get(store, key, not_older_than)))
            }
            8 => {
                let prefix = self.random.pick(&PREFIXES).to_owned();
                (Call::List { prefix: prefix.clone() }, Box::pin(async move { listed(&store.snapshot(&prefix)) }))
            }
            _ => {
                let prefix = self.random.pick(&PREFIXES).to_owned();
                let revision = store.revision().saturating_sub(self.random.below(20)).max(self.history.first);
                let call = Call::ListAt { prefix: prefix.clone(), revision };
                (call, Box::pin(async move { listed_at(store.snapshot_at(&prefix, revision)) }))
            }
        };
        let operation = Operation { began: self.moment(), ended: u64::MAX, call, answer: Answer::Unknown };
        self.history.operations.push(operation);
        self.clients[number].call = Some((self.history.operations.len() - 1, answering));
    }

    /// One to three keys, with expectations that often hold.
    fn transaction(&mut self, store: &Store) -> (Vec<Step>, Vec<Op>) {
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..=self.random.below(3) {
            let key = key(&mut self.random);
            let current = store.get(&key).map(|object| object.revision);
            let expected = match (self.random.below(4), current) {
                (0, _) => Expected::Any,
                (1, _) | (_, None) => Expected::Absent,
                (_, Some(revision)) => Expected::Revision(revision),
            };
            let deletes = self.random.below(4) == 0 && expected != Expected::Absent;
            self.values += 1;
            let value = if deletes { None } else { Some(self.values) };
            if steps.iter().all(|step| step.key != key) {
                steps.push(Step { key, value, expected });
            }
        }
        let ops = steps.clone().into_iter().map(|step| self.op(step)).collect();
        (steps, ops)
    }

    fn op(&mut self, step: Step) -> Op {
        let expect = match step.expected {
            Expected::Absent => Expect::Absent,
            Expected::Any => Expect::Any,
            Expected::Revision(revision) => Expect::Revision(revision),
        };
        let Some(value) = step.value else { return Op::Delete { key: step.key, expect } };
        let padding = self.random.below(300) as usize;
        let bytes = Bytes::from(format!("{value} {}", "x".repeat(padding)));
        let mut meta = meta_of(&step.key, &bytes);
        if self.random.below(8) == 0 {
            let at = self.seconds + 1 + self.random.below(5) as i64;
            self.expiries.push((value, at));
            meta.expires_at_seconds = Some(at);
        }
        Op::Put { key: step.key, bytes, meta, expect }
    }

    /// The store's clock moves on: what is due now may be deleted.
    pub(super) fn tick(&mut self) -> i64 {
        self.seconds += 1;
        let (at, seconds) = (self.moment(), self.seconds);
        self.history.expired.extend(self.expiries.extract_if(.., |(_, due)| *due <= seconds).map(|(v, _)| (v, at)));
        seconds
    }

    fn step_watcher(&mut self) {
        if self.watchers.len() < WATCHERS || self.random.below(30) == 0 {
            self.begin_watch();
        }
        let chosen = self.random.below(self.watchers.len() as u64) as usize;
        let reads = self.random.below(6);
        self.read_watch(chosen, reads);
    }

    fn begin_watch(&mut self) {
        let store = self.store();
        let prefix = self.random.pick(&PREFIXES).to_owned();
        let interest = match self.random.below(4) {
            0 => Interest::Key(format!("{}{}", prefix, self.random.below(KEYS)).into()),
            1 => Interest::Field { index: 0, value: self.random.below(3).to_string().into() },
            _ => Interest::All,
        };
        let after = store.revision().saturating_sub(self.random.below(10)).max(self.history.first);
        let watching =
            Watching { prefix, interest, after, told: Vec::new(), bookmarks: Vec::new(), lost: None, drained: false };
        self.history.watches.push(watching);
        self.watchers.push(Watcher { number: self.history.watches.len() - 1, cursor: None });
    }

    /// Reads up to so many events, and a bookmark.
    fn read_watch(&mut self, chosen: usize, reads: u64) {
        let store = self.store();
        let at = self.moment();
        let Watcher { number, cursor } = &mut self.watchers[chosen];
        let watching = &mut self.history.watches[*number];
        if cursor.is_none() {
            // A client resumes from what it saw last, in an event or a bookmark.
            let told = watching.told.last().map_or(watching.after, |told| told.revision);
            let after = watching.bookmarks.last().map_or(told, |(_, promised, _)| told.max(*promised));
            match store.watch_where(&watching.prefix, after, watching.interest.clone()) {
                Ok(opened) => *cursor = Some(opened),
                Err(compacted) => watching.lost = Some((at, compacted.oldest)),
            }
        }
        let mut lost = cursor.is_none();
        if let Some(cursor) = cursor {
            for _ in 0..reads {
                match cursor.try_next() {
                    Ok(Some(event)) => watching.told.push(told(at, &event)),
                    Ok(None) => break,
                    Err(err) => {
                        watching.lost = Some((at, err.oldest));
                        lost = true;
                        break;
                    }
                }
            }
            // Half of a transaction is no place to resume from.
            let promised = cursor.progress();
            if !lost {
                watching.bookmarks.push((at, promised, watching.told.len()));
            }
        }
        if lost {
            self.watchers.swap_remove(chosen);
        }
    }

    /// Cursors end with their store. Watches that stopped within a transaction begin again before it.
    pub(super) fn close_watches(&mut self) {
        for watcher in &mut self.watchers {
            watcher.cursor = None;
            let watching = &mut self.history.watches[watcher.number];
            let promised = watching.bookmarks.last().map_or(watching.after, |(_, promised, _)| *promised);
            watching.told.retain(|told| told.revision <= promised);
            let count = watching.told.len();
            watching.bookmarks.iter_mut().for_each(|(_, _, told)| *told = (*told).min(count));
        }
    }

    /// Reads all watches to their ends.
    pub(super) fn drain_watches(&mut self) {
        while !self.watchers.is_empty() {
            let number = self.watchers[0].number;
            self.read_watch(0, u64::MAX);
            if self.history.watches[number].lost.is_none() {
                self.history.watches[number].drained = true;
                self.watchers.swap_remove(0);
            }
        }
    }

    /// Reads what is new in the order of everything.
    pub(super) fn audit(&mut self) {
        let store = self.store();
        let at = self.moment();
        let after = self.history.order.last().map_or(self.history.first, |told| told.revision);
        assert!(store.revision() >= after, "revision {after} was seen, {} is there", store.revision());
        for prefix in ["/registry/a/", "/registry/b/"] {
            let mut cursor = store.watch(prefix, after).expect("nothing is given up before it was audited");
            while let Some(event) = cursor.try_next().expect("the same") {
                self.history.order.push(told(at, &event));
            }
        }
        self.history.order.sort_by_key(|told| told.revision);
    }

    /// Gives up a part of the history that was audited.
    pub(super) fn compact(&mut self) -> u64 {
        self.audit();
        let audited = self.history.order.last().map_or(1, |told| told.revision);
        let revision = audited.saturating_sub(self.random.below(25));
        let at = self.moment();
        self.history.compactions.push((at, revision));
        self.store().compact(revision);
        revision
    }
}

async fn get(store: Store, key: String, not_older_than: u64) -> Answer {
    match store.wait_for(not_older_than).await {
        Ok(()) => Answer::Got(store.get(&key).as_deref().map(seen)),
        Err(_) => Answer::Unknown,
    }
}

fn written(outcome: Result<Committed, CommitError>) -> Answer {
    match outcome {
        Ok(committed) => Answer::Written(committed.revision),
        Err(CommitError::Conflict { key, current }) => {
            Answer::Conflict { key: key.to_string(), current: current.as_deref().map(seen) }
        }
        Err(CommitError::Unavailable(_)) => Answer::Unknown,
        Err(other) => panic!("{other}"),
    }
}

fn listed(snapshot: &crate::snapshot::Snapshot) -> Answer {
    let objects = snapshot.iter().map(|object| (object.key.to_string(), seen(object))).collect();
    Answer::Listed { revision: snapshot.revision(), objects }
}

fn listed_at(snapshot: Result<crate::snapshot::Snapshot, OutOfRange>) -> Answer {
    match snapshot {
        Ok(snapshot) => listed(&snapshot),
        Err(OutOfRange::Compacted { oldest }) => Answer::Compacted(oldest),
        Err(OutOfRange::Future { newest }) => panic!("a published revision is after {newest}"),
    }
}

fn seen(object: &Object) -> Seen {
    Seen { revision: object.revision, value: value_of(&object.bytes()) }
}

fn told(at: u64, event: &Event) -> Told {
    assert_eq!(event.object.revision, event.revision);
    Told {
        at,
        revision: event.revision,
        key: event.object.key.to_string(),
        value: (event.kind == Kind::Put).then(|| value_of(&event.object.bytes())),
        previous: event.previous.as_deref().map(seen),
    }
}
