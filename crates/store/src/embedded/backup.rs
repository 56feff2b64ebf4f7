//! Backups: a store's state at one revision in one file, made from its directory while another process writes there; and
//! a directory made from a backup.
//!
//! Nothing is locked and nothing in the directory is changed. What was acknowledged before is in the log's files, so it
//! is in the backup; every transaction is in it whole or not at all. Files that are removed meanwhile stay readable once
//! they are open; when one is gone before, a newer checkpoint has replaced it, and everything begins again. Objects are
//! copied as they are kept: those that are encrypted stay so, and need the same keys later.

use super::checkpoint::{Checkpoint, FRAME_BYTES, Summary, Writer, checkpoint_name, open_checkpoint};
use super::files::{Directory, File, Files};
use super::frame::{FileHeader, FileKind};
use super::record::{self, Change, Stored, Transaction};
use super::recover::{Segment, new_store_id, open_segments, section_revision};
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
    let reading = begin(&Directory::unlocked(directory))?;
    let temporary = format!("{name}.tmp");
    let file = parent.create(&temporary)?;
    let made = write(reading, &*file, attachments).inspect_err(|_| drop(parent.remove(&temporary)))?;
    parent.rename(&temporary, &name)?;
    parent.sync()?;
    Ok(made)
}

/// Opens a store's files until they are of one moment.
fn begin(files: &dyn Files) -> io::Result<Reading> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match Reading::begin(files) {
            Err(err)
                if attempts < ATTEMPTS_MAX
                    && matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {}
            begun => return begun,
        }
    }
}

fn write(reading: Reading, file: &dyn File, attachments: &[Attachment]) -> io::Result<Backup> {
    let revision = reading.revision;
    let first = now_seconds().max(0).cast_unsigned();
    let header = FileHeader { kind: FileKind::Backup, store_id: new_store_id(), first };
    let mut writer = Writer::create(file, header, Summary { newest: revision, log_after: revision })?;
    let objects = reading.write(&mut writer)?;
    let mut section = SectionWriter::begin(&mut writer, ATTACHMENTS, revision);
    attachments.iter().try_for_each(|attachment| section.write(&stored(attachment)))?;
    section.end()?;
    writer.finish()?;
    Ok(Backup { revision, objects })
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
    let mut attachments = Vec::new();
    // Read whole before anything is written.
    for number in 0..checkpoint.portions() {
        let portion = checkpoint.read_portion(number)?;
        if portion.prefix == ATTACHMENTS {
            let attachment = |stored: Stored| Attachment { name: stored.key.to_string(), bytes: stored.bytes };
            attachments.extend(portion.objects.into_iter().map(attachment));
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
    let mut section = SectionWriter::begin(&mut writer, "", newest);
    for number in 0..checkpoint.portions() {
        let portion = checkpoint.read_portion(number)?;
        if portion.prefix != ATTACHMENTS {
            portion.objects.iter().try_for_each(|stored| section.write(stored))?;
        }
    }
    let objects = section.end()?;
    writer.finish()?;
    files.rename("restored.tmp", &checkpoint_name(newest))?;
    files.sync()?;
    Ok(Restored { revision, newest, objects, attachments })
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

/// Writes objects of one section, however many frames they take.
struct SectionWriter<'a, 'f> {
    writer: &'a mut Writer<'f>,
    prefix: &'static str,
    revision: u64,
    count: usize,
}

impl<'a, 'f> SectionWriter<'a, 'f> {
    fn begin(writer: &'a mut Writer<'f>, prefix: &'static str, revision: u64) -> SectionWriter<'a, 'f> {
        writer.begin_section(prefix, revision);
        SectionWriter { writer, prefix, revision, count: 0 }
    }

    fn write(&mut self, stored: &Stored) -> io::Result<()> {
        record::write_stored(&mut self.writer.frame, stored);
        self.count += 1;
        if self.writer.frame.len() >= FRAME_BYTES {
            self.writer.end()?;
            self.writer.begin_section(self.prefix, self.revision);
        }
        Ok(())
    }

    /// Gives how many there were.
    fn end(self) -> io::Result<usize> {
        self.writer.end()?;
        Ok(self.count)
    }
}

/// A store's files, open, and what the log says of the checkpoint's objects. The objects themselves stay on the disk: a
/// backup takes as much memory as the keys that the log has.
struct Reading {
    checkpoint: Option<Checkpoint>,
    segments: Vec<Segment>,
    store_id: u64,
    /// Of the last transaction.
    revision: u64,
    /// The revision after which the log is needed, then that of the last transaction.
    replayed: u64,
    /// The last change of each key in the log.
    changed: BTreeMap<Arc<str>, Last>,
}

/// The last change of a key.
struct Last {
    revision: u64,
    deletes: bool,
}

impl Reading {
    fn begin(files: &dyn Files) -> io::Result<Reading> {
        let names = files.list()?;
        let named = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).cloned().collect::<Vec<_>>();
        let checkpoint = named("checkpoint-").pop();
        let checkpoint = checkpoint.map(|name| open_checkpoint(files, &name, FileKind::Checkpoint)).transpose()?;
        let mut store_id = checkpoint.as_ref().map(|checkpoint| checkpoint.store_id);
        // All are open before the first one is read.
        let segments = open_segments(files, &named("log-"), &mut store_id)?;
        let Some(store_id) = store_id else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no store"));
        };
        let summary = checkpoint.as_ref().map_or(Summary { newest: 1, log_after: 1 }, |known| known.summary);
        let (revision, changed) = (summary.log_after, BTreeMap::new());
        let mut reading = Reading { checkpoint, segments, store_id, revision, replayed: revision, changed };
        reading.read_log(|reading, transaction| reading.note(transaction))?;
        if reading.revision < summary.newest {
            return Err(refuse("the log", "ends before the checkpoint was made: log files are missing"));
        }
        Ok(reading)
    }

    /// Gives each transaction of the log.
    fn read_log(&mut self, mut each: impl FnMut(&mut Reading, Transaction) -> io::Result<()>) -> io::Result<()> {
        let segments = std::mem::take(&mut self.segments);
        let mut next_sequence = None;
        for (number, segment) in segments.iter().enumerate() {
            if next_sequence.is_some_and(|next| next != segment.first) {
                return Err(refuse(&segment.name, "does not continue the log before it"));
            }
            let last = number + 1 == segments.len();
            let end = segment.read_each(self.store_id, last, |transaction| each(self, transaction))?;
            next_sequence = Some(end.next_sequence);
        }
        self.segments = segments;
        Ok(())
    }

    fn note(&mut self, transaction: Transaction) -> io::Result<()> {
        let revision = transaction.revision;
        if revision > self.replayed + 1 {
            return Err(refuse("the log", "has revisions that do not continue those before them"));
        }
        self.replayed = self.replayed.max(revision);
        self.revision = self.revision.max(revision);
        for change in transaction.changes {
            let (key, deletes) = match change {
                Change::Put(stored) => (stored.key, false),
                Change::Delete(key) => (key, true),
            };
            self.changed.insert(key, Last { revision, deletes });
        }
        Ok(())
    }

    /// Writes every object as of the last transaction that was read first: the log may have grown.
    fn write(mut self, writer: &mut Writer<'_>) -> io::Result<usize> {
        let mut section = SectionWriter::begin(writer, "", self.revision);
        let mut sections: BTreeMap<Str, u64> = BTreeMap::new();
        if let Some(checkpoint) = self.checkpoint.take() {
            for number in 0..checkpoint.portions() {
                let portion = checkpoint.read_portion(number)?;
                for stored in &portion.objects {
                    if self.changed.get(&stored.key).is_none_or(|last| last.revision <= portion.revision) {
                        section.write(stored)?;
                    }
                }
                sections.insert(portion.prefix, portion.revision);
            }
        }
        self.read_log(|reading, transaction| {
            for change in transaction.changes {
                let Change::Put(stored) = change else { continue };
                let is_last = |last: &Last| last.revision == transaction.revision && !last.deletes;
                if reading.changed.get(&stored.key).is_some_and(is_last)
                    && transaction.revision > section_revision(&sections, &stored.key)
                {
                    section.write(&stored)?;
                }
            }
            Ok(())
        })?;
        section.end()
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
