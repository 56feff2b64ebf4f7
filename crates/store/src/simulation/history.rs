//! What clients asked of a store and what they were told, with the order in which it happened.

use crate::watch::Interest;

/// An object as a client sees it. Values are written once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) revision: u64,
    pub(crate) value: u64,
}

/// What must be true of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Absent,
    Revision(u64),
    Any,
}

/// One key's part of a transaction; `None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) key: String,
    pub(crate) value: Option<u64>,
    pub(crate) expected: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write(Vec<Step>),
    /// Of one key, not older than a revision.
    Get {
        key: String,
        not_older_than: u64,
    },
    List {
        prefix: String,
    },
    ListAt {
        prefix: String,
        revision: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Written(u64),
    /// Nothing was written since this key is so.
    Conflict {
        key: String,
        current: Option<Seen>,
    },
    Got(Option<Seen>),
    Listed {
        revision: u64,
        objects: Vec<(String, Seen)>,
    },
    /// Only revisions from this one on can be listed.
    Compacted(u64),
    /// The process ended first, or the store did not know: it may have happened or may still happen.
    Unknown,
}

/// Moments are numbers that occur once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) began: u64,
    /// `u64::MAX` when there was no answer.
    pub(crate) ended: u64,
    pub(crate) call: Call,
    pub(crate) answer: Answer,
}

/// An event that a watcher was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) at: u64,
    pub(crate) revision: u64,
    pub(crate) key: String,
    /// `None` for a deletion.
    pub(crate) value: Option<u64>,
    pub(crate) previous: Option<Seen>,
}

/// What one watch said, over restarts of the store and resumed each time where it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watching {
    pub(crate) prefix: String,
    pub(crate) interest: Interest,
    pub(crate) after: u64,
    pub(crate) told: Vec<Told>,
    /// Bookmarks: when, which revision, after how many events.
    pub(crate) bookmarks: Vec<(u64, u64, usize)>,
    /// It was told that it lost events: when, and from where watching is possible.
    pub(crate) lost: Option<(u64, u64)>,
    /// It was read to its end after the last write.
    pub(crate) drained: bool,
}

/// Everything that happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    pub(crate) operations: Vec<Operation>,
    pub(crate) watches: Vec<Watching>,
    /// What two watches of everything said, by revision: the order that all else is checked against.
    pub(crate) order: Vec<Told>,
    /// The revision that the store began with.
    pub(crate) first: u64,
    /// When history up to which revision was given up at most.
    pub(crate) compactions: Vec<(u64, u64)>,
    /// Which values may be deleted by the store, from when on.
    pub(crate) expired: Vec<(u64, u64)>,
}
