//! The store: ordered revisions, compare-and-swap, snapshots, indexes, and the watch log.
//!
//! One writer orders everything ([`commit`]); readers hold immutable [`Snapshot`]s and are never waited for; watchers are
//! [`Cursor`]s into a shared log. Nothing here knows what a Kubernetes object is: bytes, a key and a [`Meta`].

mod at_rest;
mod commit;
mod embedded;
mod engine;
mod etcd;
mod object;
mod packing;
#[cfg(test)]
mod simulation;
mod snapshot;
mod store;
mod tree;
mod upkeep;
mod version;
mod watch;
mod watch_log;

pub use ::etcd::{Config as EtcdConfig, Tls as EtcdTls};
pub use at_rest::{AtRest, Opened, Sealed};
pub use commit::{CommitError, Committed, Expect, Op, TRANSACTION_BYTES_MAX};
pub use embedded::{Attachment, Backup, Restored, backup, restore};
pub use etcd::EtcdOptions;
pub use object::{Canonical, ENCODED_BYTES_MAX, Extract, FORMS_MAX, Meta, Object, Resource};
pub use snapshot::Snapshot;
pub use store::{Options, OutOfRange, Store, Troubles};
pub use version::Term;
pub use watch::{Compacted, Cursor, Event, Interest, Kind, Lost};
