//! A place where events go, and how: at once, or gathered in batches.

use std::sync::Arc;

use audit::Event;

use super::batch::{Batches, Batching};
use crate::authenticate::Later;

/// What writes or sends events.
pub trait Backend: Send + Sync {
    /// Upstream's name, as its flags and metrics have it.
    fn name(&self) -> &'static str;

    /// The error is for the log. Events are in the order in which they were made.
    fn write<'a>(&'a self, events: &'a [Arc<Event>]) -> Later<'a, Result<(), String>>;

    /// Whether a batch may be written while another one still is.
    fn is_concurrent(&self) -> bool {
        false
    }
}

/// `--audit-*-mode`
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Requests do not wait.
    Batch(Batching),
    /// Each request waits until its events are written; when that fails, so be it.
    Blocking,
    /// As before, and a request whose beginning cannot be written is refused.
    BlockingStrict,
}

/// `--audit-*-truncate-*`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    pub event_bytes_max: usize,
    pub batch_bytes_max: usize,
}

pub struct Sink {
    writer: Arc<Writer>,
    mode: Mode,
    batches: Option<Batches>,
}

/// A backend with its bounds.
pub(super) struct Writer {
    pub(super) backend: Box<dyn Backend>,
    truncation: Option<Truncation>,
}

impl Sink {
    /// In batch mode starts a task, which ends with the sink.
    pub fn new(backend: Box<dyn Backend>, mode: Mode, truncation: Option<Truncation>) -> Sink {
        let writer = Arc::new(Writer { backend, truncation });
        let batches = match &mode {
            Mode::Batch(batching) => Some(Batches::start(writer.clone(), batching.clone())),
            _ => None,
        };
        Sink { writer, mode, batches }
    }

    pub(super) fn name(&self) -> &'static str {
        self.writer.backend.name()
    }

    pub(super) fn is_strict(&self) -> bool {
        self.mode == Mode::BlockingStrict
    }

    pub(super) async fn process(&self, event: &Arc<Event>) -> Result<(), String> {
        match &self.batches {
            Some(batches) => batches.push(event.clone()),
            None => self.writer.write(std::slice::from_ref(event)).await,
        }
    }

    pub(super) async fn flush(&self) {
        if let Some(batches) = &self.batches {
            batches.flush().await;
        }
    }
}

impl Writer {
    pub(super) async fn write(&self, events: &[Arc<Event>]) -> Result<(), String> {
        let Some(truncation) = self.truncation else { return self.backend.write(events).await };
        let mut outcome = Ok(());
        let (mut batch, mut batch_bytes) = (vec![], 0_usize);
        for event in events {
            let Some(event) = event.truncated(truncation.event_bytes_max) else {
                outcome = Err("event is too large even after truncating".to_owned());
                continue;
            };
            let bytes = event.to_json().len();
            if !batch.is_empty() && batch_bytes.saturating_add(bytes) > truncation.batch_bytes_max {
                outcome = self.backend.write(&std::mem::take(&mut batch)).await.and(outcome);
                batch_bytes = 0;
            }
            batch_bytes = batch_bytes.saturating_add(bytes);
            batch.push(Arc::new(event));
        }
        if batch.is_empty() { outcome } else { self.backend.write(&batch).await.and(outcome) }
    }
}
