//! The checker can fail: a right history, made wrong in one way at a time.

use super::check::check;
use super::history::{Answer, Call, Expected, History, Operation, Seen, Step, Told, Watching};
use crate::watch::Interest;

const A: &str = "/registry/a/x/1";
const B: &str = "/registry/b/x/1";

fn step(key: &str, value: Option<u64>, expected: Expected) -> Step {
    Step { key: key.into(), value, expected }
}

fn operation(began: u64, ended: u64, call: Call, answer: Answer) -> Operation {
    Operation { began, ended, call, answer }
}

fn write(began: u64, ended: u64, steps: Vec<Step>, revision: u64) -> Operation {
    operation(began, ended, Call::Write(steps), Answer::Written(revision))
}

fn get(began: u64, ended: u64, key: &str, object: Option<Seen>) -> Operation {
    operation(began, ended, Call::Get { key: key.into(), not_older_than: 0 }, Answer::Got(object))
}

fn seen(revision: u64, value: u64) -> Seen {
    Seen { revision, value }
}

fn told(at: u64, revision: u64, key: &str, value: Option<u64>, previous: Option<Seen>) -> Told {
    Told { at, revision, key: key.into(), value, previous }
}

/// A create of two keys, an update, a lost race, a delete without an answer, and reads around them.
fn right() -> History {
    let both = vec![step(A, Some(10), Expected::Absent), step(B, Some(11), Expected::Absent)];
    let conflict = Answer::Conflict { key: A.into(), current: Some(seen(3, 12)) };
    let list = |revision, objects| Answer::Listed { revision, objects };
    let prefix = || "/registry/a/".to_owned();
    let order = vec![
        told(200, 2, A, Some(10), None),
        told(200, 2, B, Some(11), None),
        told(200, 3, A, Some(12), Some(seen(2, 10))),
        told(200, 4, A, None, Some(seen(3, 12))),
        told(200, 5, B, Some(13), Some(seen(2, 11))),
        told(200, 6, B, None, Some(seen(5, 13))),
    ];
    let watching = Watching {
        prefix: "/registry/".into(),
        interest: Interest::All,
        after: 1,
        told: order.iter().enumerate().map(|(n, told)| Told { at: 100 + n as u64, ..told.clone() }).collect(),
        bookmarks: vec![(50, 1, 0), (100, 1, 1), (101, 2, 2), (103, 4, 4), (110, 6, 6)],
        lost: None,
        drained: true,
    };
    History {
        operations: vec![
            write(1, 4, both, 2),
            get(5, 6, A, Some(seen(2, 10))),
            write(7, 12, vec![step(A, Some(12), Expected::Revision(2))], 3),
            // Began before the update had ended: either state is right.
            get(8, 9, A, Some(seen(2, 10))),
            get(8, 13, A, Some(seen(3, 12))),
            operation(10, 14, Call::Write(vec![step(A, Some(99), Expected::Revision(2))]), conflict),
            operation(15, 16, Call::List { prefix: prefix() }, list(3, vec![(A.into(), seen(3, 12))])),
            operation(17, u64::MAX, Call::Write(vec![step(A, None, Expected::Any)]), Answer::Unknown),
            get(20, 21, A, None),
            write(22, 24, vec![step(B, Some(13), Expected::Any)], 5),
            operation(25, 26, Call::List { prefix: prefix() }, list(5, vec![])),
            operation(27, 28, Call::ListAt { prefix: prefix(), revision: 2 }, list(2, vec![(A.into(), seen(2, 10))])),
        ],
        watches: vec![watching],
        order,
        first: 1,
        compactions: vec![],
        expired: vec![(13, 30)],
    }
}

fn answer(history: &mut History, number: usize, answer: Answer) {
    history.operations[number].answer = answer;
}

/// What is wrong, a part of what the checker says of it, and how.
type Wrong = (&'static str, &'static str, fn(&mut History));

const WRONG_OPERATIONS: &[Wrong] = &[
    ("a lost write: acknowledged, then gone", "acknowledged at 7 and not there", |h| {
        h.operations.push(write(40, 41, vec![step(A, Some(50), Expected::Any)], 7));
    }),
    ("a lost update: both of two writers compared with one revision", "was done though", |h| {
        h.operations.push(write(40, 44, vec![step(A, Some(20), Expected::Revision(2))], 7));
        h.order.push(told(200, 7, A, Some(20), None));
    }),
    ("a create of what is there", "was done though", |h| {
        h.operations.push(write(30, 31, vec![step(A, Some(50), Expected::Absent)], 7));
        h.operations.push(write(32, 33, vec![step(A, Some(51), Expected::Absent)], 8));
        h.order.push(told(200, 7, A, Some(50), None));
        h.order.push(told(200, 8, A, Some(51), Some(seen(7, 50))));
    }),
    ("two writes with one revision", "two writes have revision 3", |h| answer(h, 0, Answer::Written(3))),
    ("a write that takes effect before it began", "a revision of before", |h| {
        // It began after revision 5 was acknowledged.
        h.operations[2].began = 25;
        h.operations[2].ended = 26;
    }),
    ("another value than was written", "is not", |h| h.order[2].value = Some(77)),
    ("half of a transaction", "is not", |h| drop(h.order.remove(1))),
    ("a change that nobody asked for", "nobody asked for", |h| {
        h.order.push(told(200, 7, A, Some(50), None));
    }),
    ("a deletion by the clock before its time", "nobody asked for", |h| h.expired = vec![(13, 300)]),
    ("a gap in the revisions", "revision 8 follows 6", |h| h.order.push(told(200, 8, A, Some(50), None))),
    ("a write that was refused and happened", "nobody asked for", |h| {
        h.order.push(told(200, 7, A, Some(99), None));
    }),
    ("a stale read", "never so again", |h| h.operations.push(get(29, 30, A, Some(seen(3, 12))))),
    ("a read that goes back behind another", "never so again", |h| {
        h.operations.push(get(14, 15, A, Some(seen(2, 10))));
    }),
    ("a read of what was never written", "never so again", |h| answer(h, 1, Answer::Got(Some(seen(2, 55))))),
    ("a read of another revision's value", "never so again", |h| answer(h, 1, Answer::Got(Some(seen(3, 10))))),
    ("a read of nothing where something is", "", |h| answer(h, 1, Answer::Got(None))),
    ("a read of what was written later", "", |h| answer(h, 1, Answer::Got(Some(seen(3, 12))))),
    ("a read older than asked for", "never so again", |h| {
        h.operations[3].call = Call::Get { key: A.into(), not_older_than: 3 };
    }),
    ("a stale list", "an old list", |h| {
        answer(h, 10, Answer::Listed { revision: 3, objects: vec![(A.into(), seen(3, 12))] });
    }),
    ("a list that misses an object", "there was", |h| answer(h, 6, Answer::Listed { revision: 3, objects: vec![] })),
    ("a page of another revision", "not an answer", |h| {
        answer(h, 11, Answer::Listed { revision: 3, objects: vec![(A.into(), seen(3, 12))] });
    }),
    ("a conflict that is none", "no conflict", |h| {
        answer(h, 5, Answer::Conflict { key: A.into(), current: Some(seen(2, 10)) });
    }),
    ("a conflict with what never was", "never so again", |h| {
        answer(h, 5, Answer::Conflict { key: A.into(), current: Some(seen(3, 66)) });
    }),
];

const WRONG_WATCHES: &[Wrong] = &[
    ("a skipped event", "instead of", |h| drop(h.watches[0].told.remove(2))),
    ("the last event is missing", "was not told", |h| {
        h.watches[0].told.pop();
        h.watches[0].bookmarks.pop();
    }),
    ("an event twice", "instead of", |h| {
        let twice = h.watches[0].told[2].clone();
        h.watches[0].told.insert(2, twice);
    }),
    ("events in another order", "instead of", |h| h.watches[0].told.swap(2, 3)),
    ("an event without its previous state", "instead of", |h| h.watches[0].told[2].previous = None),
    ("a previous state that was not", "but before there was", |h| h.order[2].previous = Some(seen(2, 77))),
    ("an event of another prefix", "instead of", |h| h.watches[0].prefix = "/registry/a/".into()),
    ("an event before the beginning", "instead of", |h| h.watches[0].after = 2),
    ("a promise too early", "before Told", |h| h.watches[0].bookmarks[1].1 = 2),
    ("a promise that goes back", "was promised 4, then 3", |h| h.watches[0].bookmarks[4].1 = 3),
    ("a promise of what never was", "which was never", |h| h.watches[0].bookmarks[4].1 = 9),
    ("events lost for nothing", "for nothing", |h| h.watches[0].lost = Some((150, 7))),
    ("a read after an event that is older than it", "never so again", |h| {
        h.operations.push(get(120, 121, B, Some(seen(2, 11))));
    }),
];

#[test]
fn the_right_history_is_right() {
    assert_eq!(check(&right()), Ok(()));
}

#[test]
fn every_wrong_history_is_noticed() {
    for (what, said, wrong) in WRONG_OPERATIONS.iter().chain(WRONG_WATCHES) {
        let mut history = right();
        wrong(&mut history);
        match check(&history) {
            Ok(()) => panic!("not noticed: {what}"),
            Err(why) => assert!(why.contains(said), "{what}: {why}"),
        }
    }
}
