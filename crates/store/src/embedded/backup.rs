//! Backups: a store's state at one revision in one file, made from its directory while another process writes there; and
//! a directory made from a backup.
//!
//! Nothing is locked and nothing in the directory is changed. What was acknowledged before is in the log's files, so it
//! is in the backup; every transaction is in it whole or not at all. Files that are removed meanwhile stay readable once
//! they are open; when one is gone before, a newer checkpoint has replaced it, and everything begins again. Objects are
//! copied as they are kept: those that are encrypted stay so, and need the same keys later.

use super::checkpoint::{FRAME_BYTES, Summary, Writer, checkpoint_name, open_checkpoint};
use super::files::{Directory, Files};
use super::frame::{FileHeader, FileKind};
use super::record::{self, Change, Stored, Transaction};
use super::recover::{new_store_id, open_segments, section_revision};
use super::refuse;
use crate::engine::now_seconds;
use crate::object::Meta;
use bytes::Bytes;
use meta::Str;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file that a backup has beside the store's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub bytes: Bytes,
}

/// A backup that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Every transaction up to this one is in it, and none after.
    pub revision: u64,
    pub objects: usize,
}

/// A directory that was made from a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup's.
    pub revision: u64,
    /// The store's: the next transaction has a later one.
    pub newest: u64,
    pub objects: usize,
    pub attachments: Vec<Attachment>,
}

/// No server writes as many transactions in a second.
const REVISIONS_PER_SECOND_MAX: u64 = 100_000;
/// Skipped in any case, so that clocks that disagree a little do no harm.
const REVISIONS_SKIPPED_MIN: u64 = 1_000_000_000;
/// Where attachments are. No object's key begins so.
const ATTACHMENTS: &str = "attachment/";
/// How often a directory that changes is read before that is taken for damage.
const ATTEMPTS_MAX: usize = 10;

/// Writes what the store in `directory` holds, and `attachments`, into a new file.
///
/// # Errors
/// When `target` exists, when there is no store, and when a file of it is damaged or of another store.
pub fn backup(directory: &Path, target: &Path, attachments: &[Attachment]) -> io::Result<Backup> {
    let (parent, name) = place_of(target)?;
    if parent.list()?.contains(&name) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists", target.display())));
    }
    let state = State::read(&Directory::unlocked(directory))?;
    let temporary = format!("{name}.tmp");
    let file = parent.create(&temporary)?;
    let first = now_seconds().max(0).cast_unsigned();
    let header = FileHeader { kind: FileKind::Backup, store_id: new_store_id(), first };
    let summary = Summary { newest: state.revision, log_after: state.revision };
    let mut writer = Writer::create(&*file, header, summary)?;
    write_section(&mut writer, "", state.revision, state.objects.values())?;
    let attachments: Vec<Stored> = attachments.iter().map(stored).collect();
    write_section(&mut writer, ATTACHMENTS, state.revision, attachments.iter())?;
    writer.finish()?;
    parent.rename(&temporary, &name)?;
    parent.sync()?;
    Ok(Backup { revision: state.revision, objects: state.objects.len() })
}

/// Makes a store out of a backup, in a directory that is missing or empty. Revisions go on after all that the server can
/// have given since the backup was made: what clients saw of it is of the past, so they are told that it is gone and
/// list again. History begins with the restored state.
///
/// # Errors
/// When the backup is damaged or no backup, and when the directory is not empty. Nothing is left of it then.
pub fn restore(backup: &Path, directory: &Path) -> io::Result<Restored> {
    let (parent, name) = place_of(backup)?;
    let checkpoint = open_checkpoint(&parent, &name, FileKind::Backup)?;
    let (mut objects, mut attachments) = (Vec::new(), Vec::new());
    // Read whole before anything is written.
    for number in 0..checkpoint.portions() {
        let portion = checkpoint.read_portion(number)?;
        if portion.prefix == ATTACHMENTS {
            let attachment = |stored: Stored| Attachment { name: stored.key.to_string(), bytes: stored.bytes };
            attachments.extend(portion.objects.into_iter().map(attachment));
        } else {
            objects.extend(portion.objects);
        }
    }
    let revision = checkpoint.summary.newest;
    let newest = revision.saturating_add(revisions_skipped(checkpoint.first, now_seconds()));
    let is_used = |names: Vec<String>| names.iter().any(|name| name != "LOCK");
    if Directory::unlocked(directory).list().is_ok_and(is_used) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is not empty", directory.display())));
    }
    let files = Directory::lock(directory)?;
    let file = files.create("restored.tmp")?;
    let header = FileHeader { kind: FileKind::Checkpoint, store_id: new_store_id(), first: newest };
    let mut writer = Writer::create(&*file, header, Summary { newest, log_after: newest })?;
    write_section(&mut writer, "", newest, objects.iter())?;
    writer.finish()?;
    files.rename("restored.tmp", &checkpoint_name(newest))?;
    files.sync()?;
    Ok(Restored { revision, newest, objects: objects.len(), attachments })
}

/// How many revisions may have been given in the time since.
fn revisions_skipped(made_at_seconds: u64, now_seconds: i64) -> u64 {
    let since = now_seconds.max(0).cast_unsigned().saturating_sub(made_at_seconds);
    since.saturating_mul(REVISIONS_PER_SECOND_MAX).saturating_add(REVISIONS_SKIPPED_MIN)
}

fn place_of(path: &Path) -> io::Result<(Directory, String)> {
    match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(name)) => Ok((Directory::unlocked(parent), name.to_owned())),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a file's path", path.display()))),
    }
}

fn stored(attachment: &Attachment) -> Stored {
    Stored {
        key: attachment.name.as_str().into(),
        revision: 0,
        create_revision: 0,
        expires_at_seconds: None,
        bytes: attachment.bytes.clone(),
        meta: Meta::default(),
        fingerprint: 0,
    }
}

fn write_section<'a>(
    writer: &mut Writer<'_>,
    prefix: &str,
    revision: u64,
    objects: impl Iterator<Item = &'a Stored>,
) -> io::Result<()> {
    writer.begin_section(prefix, revision);
    for object in objects {
        record::write_stored(&mut writer.frame, object);
        if writer.frame.len() >= FRAME_BYTES {
            writer.end()?;
            writer.begin_section(prefix, revision);
        }
    }
    writer.end()
}

/// What a directory holds, as it is kept.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) revision: u64,
    pub(crate) objects: BTreeMap<Arc<str>, Stored>,
    /// The checkpoint's revision of each resource.
    sections: BTreeMap<Str, u64>,
    /// The revision after which the log is needed, then that of the last transaction.
    replayed: u64,
}

impl State {
    pub(crate) fn read(files: &dyn Files) -> io::Result<State> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match State::read_once(files) {
                Err(err)
                    if attempts < ATTEMPTS_MAX
                        && matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {}
                read => return read,
            }
        }
    }

    fn read_once(files: &dyn Files) -> io::Result<State> {
        let names = files.list()?;
        let named = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).cloned().collect::<Vec<_>>();
        let mut state = State { revision: 1, replayed: 1, ..State::default() };
        let checkpoint = named("checkpoint-").pop();
        let checkpoint = checkpoint.map(|name| open_checkpoint(files, &name, FileKind::Checkpoint)).transpose()?;
        let mut store_id = checkpoint.as_ref().map(|checkpoint| checkpoint.store_id);
        // All are open before the first one is read.
        let segments = open_segments(files, &named("log-"), &mut store_id)?;
        let Some(store_id) = store_id else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no store"));
        };
        let newest = match &checkpoint {
            Some(checkpoint) => {
                state.load(checkpoint)?;
                checkpoint.summary.newest
            }
            None => 1,
        };
        let mut next_sequence = None;
        for (number, segment) in segments.iter().enumerate() {
            if next_sequence.is_some_and(|next| next != segment.first) {
                return Err(refuse(&segment.name, "does not continue the log before it"));
            }
            let last = number + 1 == segments.len();
            let end = segment.read_each(store_id, last, |transaction| {
                state.replay(transaction).map_err(|why| refuse(&segment.name, why))
            })?;
            next_sequence = Some(end.next_sequence);
        }
        if state.revision < newest {
            return Err(refuse("the log", "ends before the checkpoint was made: log files are missing"));
        }
        Ok(state)
    }

    fn load(&mut self, checkpoint: &super::checkpoint::Checkpoint) -> io::Result<()> {
        for number in 0..checkpoint.portions() {
            let portion = checkpoint.read_portion(number)?;
            self.sections.insert(portion.prefix, portion.revision);
            self.objects.extend(portion.objects.into_iter().map(|stored| (stored.key.clone(), stored)));
        }
        // The log leads from here to the newest.
        self.revision = checkpoint.summary.log_after;
        self.replayed = checkpoint.summary.log_after;
        Ok(())
    }

    fn replay(&mut self, transaction: Transaction) -> Result<(), &'static str> {
        let revision = transaction.revision;
        if revision > self.replayed + 1 {
            return Err("does not continue the revisions before it");
        }
        self.replayed = self.replayed.max(revision);
        self.revision = self.revision.max(revision);
        for change in transaction.changes {
            let key = match &change {
                Change::Put(stored) => &stored.key,
                Change::Delete(key) => key,
            };
            if revision <= section_revision(&self.sections, key) {
                continue;
            }
            match change {
                Change::Put(stored) => drop(self.objects.insert(stored.key.clone(), stored)),
                Change::Delete(key) => drop(self.objects.remove(&key).ok_or("deletes what is not there")?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_revisions_are_skipped() {
        let day = 86_400;
        assert_eq!(revisions_skipped(1000, 1000), REVISIONS_SKIPPED_MIN);
        assert_eq!(revisions_skipped(1000, 900), REVISIONS_SKIPPED_MIN, "the clock went back");
        assert_eq!(revisions_skipped(0, day * 10) - REVISIONS_SKIPPED_MIN, 86_400_000_000);
        assert_eq!(revisions_skipped(0, i64::MAX), u64::MAX);
    }
}
