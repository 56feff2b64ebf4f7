//! Whether a history could have happened to one copy of the data, each operation at one moment between its call and its
//! answer (strict serializability), and whether its watches told the truth.
//!
//! Finding such an order is hard in general. Here every answer names revisions and a watch of everything names the order
//! of all writes, so it is enough to check: the order is explained by what was asked; each operation has a place in it, and
//! an operation that began after another had ended has a later place. The earliest possible place is taken each time,
//! which never rules out a later choice.

use super::history::{Answer, Call, Expected, History, Operation, Seen, Step, Told, Watching};
use crate::watch::Interest;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// All states that there were.
struct States {
    /// Of each key: since which revision it has which value.
    keys: BTreeMap<String, Vec<(u64, Option<u64>)>>,
    last: u64,
}

impl States {
    fn at(&self, key: &str, revision: u64) -> Option<Seen> {
        let changes = self.keys.get(key)?;
        let (revision, value) = changes.get(changes.partition_point(|(at, _)| *at <= revision).checked_sub(1)?)?;
        value.map(|value| Seen { revision: *revision, value })
    }

    /// The first revision from `from` on at which the key is as `seen`.
    fn first_with(&self, key: &str, seen: Option<Seen>, from: u64) -> Option<u64> {
        let changes = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let later = changes.iter().map(|(at, _)| *at).filter(|at| *at > from);
        [from].into_iter().chain(later).find(|at| self.at(key, *at) == seen)
    }

    fn list(&self, prefix: &str, revision: u64) -> Vec<(String, Seen)> {
        let keys = self.keys.range(prefix.to_owned()..).map(|(key, _)| key);
        let keys = keys.take_while(|key| key.starts_with(prefix));
        keys.filter_map(|key| Some((key.clone(), self.at(key, revision)?))).collect()
    }
}

/// Nothing when the history is right, else what is wrong with it.
pub(crate) fn check(history: &History) -> Result<(), String> {
    let (states, resolved) = explain(history)?;
    check_places(history, &states, &resolved)?;
    history.watches.iter().try_for_each(|watching| check_watch(history, watching, &states))
}

/// Every change in the order was asked for, under the expectations that came with it, and everything acknowledged is in it.
/// Also returns the operations without an answer that happened, with their revisions.
fn explain(history: &History) -> Result<(States, Vec<Operation>), String> {
    let mut states = States { keys: BTreeMap::new(), last: history.first };
    let mut known: BTreeMap<u64, &Operation> = BTreeMap::new();
    for operation in &history.operations {
        if let Answer::Written(revision) = operation.answer
            && known.insert(revision, operation).is_some()
        {
            return Err(format!("two writes have revision {revision}: {operation:?}"));
        }
    }
    let mut resolved = Vec::new();
    let mut unknown: Vec<&Operation> =
        history.operations.iter().filter(|operation| operation.answer == Answer::Unknown).collect();
    // Several deletions of one key look the same: those that are possible at one moment only come first.
    unknown.sort_by_key(|operation| match &operation.call {
        Call::Write(steps) => !steps.iter().any(|step| matches!(step.expected, Expected::Revision(_))),
        _ => true,
    });
    for changes in history.order.chunk_by(|a, b| a.revision == b.revision) {
        let revision = changes[0].revision;
        if revision != states.last + 1 {
            return Err(format!("revision {revision} follows {}", states.last));
        }
        for change in changes {
            if change.previous != states.at(&change.key, revision) {
                return Err(format!("{change:?}, but before there was {:?}", states.at(&change.key, revision)));
            }
        }
        match known.remove(&revision) {
            Some(operation) => is_of(changes, operation, &states)?,
            // What the clock may have done takes nothing from what was asked.
            None if is_expiry(history, changes).is_ok() => {}
            None => match unknown.iter().position(|operation| {
                is_of(changes, operation, &states).is_ok() && operation.began < first_seen(history, revision)
            }) {
                Some(at) => {
                    resolved.push(Operation { answer: Answer::Written(revision), ..unknown.remove(at).clone() })
                }
                None => is_expiry(history, changes)?,
            },
        }
        for change in changes {
            states.keys.entry(change.key.clone()).or_default().push((revision, change.value));
        }
        states.last = revision;
    }
    match known.first_key_value() {
        Some((revision, operation)) => Err(format!("acknowledged at {revision} and not there: {operation:?}")),
        None => Ok((states, resolved)),
    }
}

/// The first moment when somebody knew of a revision.
fn first_seen(history: &History, revision: u64) -> u64 {
    let told = history.watches.iter().flat_map(|watching| &watching.told).chain(&history.order);
    let told = told.map(|told| (told.at, told.revision));
    let bookmarks = history.watches.iter().flat_map(|watching| watching.bookmarks.iter().map(|(at, p, _)| (*at, *p)));
    let answers = history.operations.iter().map(|operation| {
        let known = match &operation.answer {
            Answer::Written(revision) | Answer::Listed { revision, .. } => *revision,
            Answer::Got(seen) | Answer::Conflict { current: seen, .. } => seen.map_or(0, |seen| seen.revision),
            Answer::Compacted(_) | Answer::Unknown => 0,
        };
        (operation.ended, known)
    });
    let moments = told.chain(bookmarks).chain(answers).filter(|(_, known)| *known >= revision);
    moments.map(|(at, _)| at).min().unwrap_or(u64::MAX)
}

/// These changes are what the operation asked for, and its expectations hold before them.
fn is_of(changes: &[Told], operation: &Operation, states: &States) -> Result<(), String> {
    let Call::Write(steps) = &operation.call else { return Err(format!("no write: {operation:?}")) };
    let asked: BTreeSet<_> = steps.iter().map(|step| (&step.key, step.value)).collect();
    let done: BTreeSet<_> = changes.iter().map(|change| (&change.key, change.value)).collect();
    let at = changes[0].at;
    if asked != done || changes.len() != steps.len() || at < operation.began {
        return Err(format!("{changes:?} is not {operation:?}"));
    }
    match steps.iter().find(|step| !holds(step, states.at(&step.key, states.last))) {
        Some(step) => Err(format!("{operation:?} was done though {:?}", states.at(&step.key, states.last))),
        None => Ok(()),
    }
}

fn holds(step: &Step, current: Option<Seen>) -> bool {
    match step.expected {
        Expected::Absent => current.is_none(),
        Expected::Any => step.value.is_some() || current.is_some(),
        Expected::Revision(revision) => current.is_some_and(|seen| seen.revision == revision),
    }
}

fn is_expiry(history: &History, changes: &[Told]) -> Result<(), String> {
    let is_due = |change: &Told| {
        let previous = change.previous.map_or(0, |seen| seen.value);
        change.value.is_none() && history.expired.iter().any(|(value, at)| *value == previous && *at < change.at)
    };
    match changes {
        [change] if is_due(change) => Ok(()),
        _ => Err(format!("nobody asked for {changes:?}")),
    }
}

/// Each operation has a place among the revisions, none before the place of what ended before it began.
fn check_places(history: &History, states: &States, resolved: &[Operation]) -> Result<(), String> {
    // What is not an operation but shows how far the store is: (moment, revision).
    let told = history.watches.iter().flat_map(|watching| watching.told.iter().map(|told| (told.at, told.revision)));
    let bookmarks = history.watches.iter().flat_map(|watching| watching.bookmarks.iter().map(|(at, p, _)| (*at, *p)));
    let order = history.order.iter().map(|told| (told.at, told.revision));
    // By when they ended, soonest first.
    let mut ended: BinaryHeap<std::cmp::Reverse<(u64, u64)>> =
        told.chain(bookmarks).chain(order).map(std::cmp::Reverse).collect();
    let mut operations: Vec<&Operation> = history.operations.iter().chain(resolved).collect();
    operations.sort_by_key(|operation| operation.began);
    let mut seen = history.first;
    for operation in operations {
        while let Some(std::cmp::Reverse((at, place))) = ended.peek()
            && *at < operation.began
        {
            seen = seen.max(*place);
            ended.pop();
        }
        let place = place_of(operation, states, seen)
            .map_err(|why| format!("{operation:?}: {why}; revision {seen} was seen before it began"))?;
        if place > states.last {
            return Err(format!("{operation:?} is of the future"));
        }
        ended.push(std::cmp::Reverse((operation.ended, place)));
    }
    Ok(())
}

/// The first possible place that is not before `seen`.
fn place_of(operation: &Operation, states: &States, seen: u64) -> Result<u64, String> {
    match (&operation.call, &operation.answer) {
        (_, Answer::Unknown | Answer::Compacted(_)) => Ok(seen),
        (Call::Write(_), Answer::Written(revision)) if *revision > seen => Ok(*revision),
        (Call::Write(_), Answer::Written(_)) => Err("a revision of before".into()),
        (Call::Write(steps), Answer::Conflict { key, current }) => {
            let step = steps.iter().find(|step| step.key == *key).ok_or("a conflict of another key")?;
            if holds(step, *current) {
                return Err("no conflict".into());
            }
            states.first_with(key, *current, seen).ok_or_else(|| "never so again".into())
        }
        (Call::Get { key, not_older_than }, Answer::Got(object)) => {
            states.first_with(key, *object, seen.max(*not_older_than)).ok_or_else(|| "never so again".into())
        }
        (Call::List { prefix }, Answer::Listed { revision, objects }) => {
            if *revision < seen {
                return Err("an old list".into());
            }
            check_list(prefix, *revision, objects, states)?;
            Ok(*revision)
        }
        (Call::ListAt { prefix, revision: asked }, Answer::Listed { revision, objects }) if asked == revision => {
            check_list(prefix, *revision, objects, states)?;
            Ok(seen.max(*revision))
        }
        _ => Err("not an answer to this".into()),
    }
}

fn check_list(prefix: &str, revision: u64, objects: &[(String, Seen)], states: &States) -> Result<(), String> {
    let wanted = states.list(prefix, revision);
    if wanted == objects { Ok(()) } else { Err(format!("at {revision} there was {wanted:?}")) }
}

/// Ordered, once each, complete, and never promised too early.
fn check_watch(history: &History, watching: &Watching, states: &States) -> Result<(), String> {
    let wanted = |told: &&Told| {
        told.revision > watching.after && told.key.starts_with(&watching.prefix) && wants(&watching.interest, told)
    };
    let events: Vec<&Told> = history.order.iter().filter(wanted).collect();
    let of = format!("the watch of {} ({:?}) after {}", watching.prefix, watching.interest, watching.after);
    for (number, told) in watching.told.iter().enumerate() {
        let same = events.get(number).is_some_and(|event| Told { at: told.at, ..(*event).clone() } == *told);
        if !same {
            return Err(format!("{of} was told {told:?} instead of {:?}", events.get(number)));
        }
    }
    if watching.drained && watching.told.len() < events.len() {
        return Err(format!("{of} was not told {:?}", events.get(watching.told.len())));
    }
    let mut before = watching.after;
    for (_, revision, count) in &watching.bookmarks {
        if *revision < before {
            return Err(format!("{of} was promised {before}, then {revision}"));
        }
        before = *revision;
        if let Some(event) = events.get(*count).filter(|event| event.revision <= *revision) {
            return Err(format!("{of} was promised everything up to {revision} before {event:?}"));
        }
        if *revision > states.last.max(watching.after) {
            return Err(format!("{of} was promised {revision}, which was never"));
        }
    }
    if let Some((at, oldest)) = watching.lost {
        let given_up = history.compactions.iter().filter(|(when, _)| *when < at).map(|(_, revision)| *revision).max();
        let position = watching.told.last().map_or(watching.after, |told| told.revision).max(before);
        if given_up.is_none_or(|given_up| given_up < position || oldest > given_up) {
            return Err(format!("{of} lost events after {position} for nothing: from {oldest}, given up {given_up:?}"));
        }
    }
    Ok(())
}

fn wants(interest: &Interest, told: &Told) -> bool {
    match interest {
        Interest::All => true,
        Interest::Key(key) => **key == *told.key,
        Interest::Field { value, .. } => {
            let has = |number: u64| super::field_of(number) == value.as_str();
            // A deletion's event carries the last state.
            told.value.is_some_and(has) || told.previous.is_some_and(|seen| has(seen.value))
        }
    }
}
