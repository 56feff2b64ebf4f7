//! Housekeeping by the clock: expiry, forgetting, and on disk the next log file and checkpoints.

use crate::commit::{CommitError, Committed};
use crate::embedded::{LogPlan, checkpoint, prepare_segment};
use crate::engine::{Core, Pending, now_seconds};
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Runs until the store closes.
pub(crate) fn run(core: &Core, plan: Option<&LogPlan>) {
    loop {
        let head = core.lock_head();
        if core.is_closing() {
            return;
        }
        drop(core.chores.wait_timeout(head, Duration::from_secs(1)).unwrap_or_else(PoisonError::into_inner));
        if core.is_closing() {
            return;
        }
        expire(core, now_seconds());
        core.compact_by_age(now_seconds());
        core.pack_when_due();
        core.encodings.tick();
        if let Some(plan) = plan {
            // Both are tried again in a second. Without a prepared file the log makes one; without checkpoints it grows.
            let done = [prepare_segment(plan, &|| core.is_closing()), checkpoint_when_due(core, plan)];
            for err in done.into_iter().filter_map(Result::err).filter(|_| !core.is_closing()) {
                core.note_trouble(format!("tidying up the store's files failed, it is tried again: {err}"));
            }
        }
    }
}

fn expire(core: &Core, now_seconds: i64) {
    loop {
        let begun = begin_expiry(core, now_seconds);
        if begun.is_empty() {
            return;
        }
        for (outcome, pending) in begun {
            match core.wait_blocking(pending).and(outcome) {
                // Changed or deleted meanwhile: no longer due.
                Ok(_) | Err(CommitError::Conflict { .. }) => {}
                Err(_) => return,
            }
        }
    }
}

/// Deletes some of what is due. All are begun before one is waited for: they share a sync.
pub(crate) fn begin_expiry(core: &Core, now_seconds: i64) -> Vec<(Result<Committed, CommitError>, Pending)> {
    let due = core.lock_head().due(now_seconds);
    due.into_iter().map(|op| core.submit(vec![op])).collect()
}

/// A checkpoint costs a write of everything, so it is made when it frees at least as much: of the log before it, or of the
/// checkpoint that it replaces.
pub(crate) fn checkpoint_when_due(core: &Core, plan: &LogPlan) -> io::Result<()> {
    let closed = plan.segments.closed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (newest, published, _) = core.all_published();
    let stored: u64 = published.iter().map(|published| published.newest().bytes).sum();
    let log_bytes: u64 = closed.iter().map(|segment| segment.bytes).sum();
    let allowed = core.options.disk_log_bytes_max.max(stored.saturating_mul(4));
    if log_bytes > allowed {
        let mut kept = log_bytes;
        let cut = closed.iter().find(|segment| {
            kept -= segment.bytes;
            kept <= allowed / 2
        });
        core.compact(cut.map_or(0, |segment| segment.last_revision));
    }
    let forgotten = closed.iter().filter(|segment| segment.last_revision <= core.compacted());
    let removable: u64 = forgotten.map(|segment| segment.bytes).sum();
    if removable >= stored.max(plan.segment_bytes) || shrinks(core, plan, newest, stored) {
        return checkpoint(core, plan, core.compacted());
    }
    Ok(())
}

/// Whether the state that a checkpoint would have now is much smaller than the last one. It has objects for as long as
/// their deletions are remembered.
fn shrinks(core: &Core, plan: &LogPlan, newest: u64, stored: u64) -> bool {
    let (checkpoint_bytes, after) = (&plan.segments.checkpoint_bytes, &plan.segments.shrinks_after);
    // Metadata is in it too.
    if checkpoint_bytes.load(Ordering::Relaxed) < stored.saturating_mul(4).max(2 * plan.segment_bytes) {
        after.store(0, Ordering::Relaxed);
        return false;
    }
    let _ = after.compare_exchange(0, newest, Ordering::Relaxed, Ordering::Relaxed);
    core.compacted() >= after.load(Ordering::Relaxed)
}
