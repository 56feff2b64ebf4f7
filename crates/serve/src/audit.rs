//! Auditing: what is recorded of requests goes to a log file, to a webhook, or both. What is recorded is the policy's
//! business (the crate `audit`); here events are gathered while a request is answered ([`Trail`]) and brought where
//! they belong ([`Sink`]). Without a policy nothing of this exists.

mod answer;
mod batch;
mod log;
mod sink;
mod trail;
mod webhook;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Event, Level, Policy, Stage};
use http::HeaderValue;
use http::request::Parts;

use crate::server::new_uid;

pub use batch::{Batching, Throttle};
pub use log::{Format, Log, Rotation};
pub use sink::{Backend, Mode, Sink, Truncation};
pub use trail::{Arrival, Trail, authentication_failure};
pub use webhook::Webhook;

pub(crate) const AUDIT_ID: &str = "audit-id";
const AUDIT_ID_CHARS_MAX: usize = 64;

/// What a request is called in the log: as its client wants, cut to a bound, or something new.
pub(crate) fn audit_id(head: &Parts) -> HeaderValue {
    let given = head.headers.get(AUDIT_ID).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    let text = match given {
        Some(id) => id.chars().take(AUDIT_ID_CHARS_MAX).collect(),
        None => new_uid().to_string(),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The policy and where events go.
pub struct Audit {
    pub policy: Policy,
    pub sinks: Vec<Sink>,
    pub counts: Counts,
}

/// What `/metrics` says of auditing.
#[derive(Debug, Default)]
pub struct Counts {
    events: AtomicU64,
    rejected: AtomicU64,
    /// Requests by level, in the order of [`Level::ALL`].
    levels: [AtomicU64; Level::ALL.len()],
    /// Events that did not arrive, by the name of their sink.
    errors: Mutex<BTreeMap<&'static str, u64>>,
}

/// Name, help and samples (labels and value) of counters.
pub(crate) type Families = [(&'static str, &'static str, Vec<(String, u64)>); 4];

impl Audit {
    pub fn new(policy: Policy, sinks: Vec<Sink>) -> Audit {
        Audit { policy, sinks, counts: Counts::default() }
    }

    /// Hands an event to all sinks. False: a strict sink did not take the beginning of a request.
    async fn process(&self, event: Event) -> bool {
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        let event = Arc::new(event);
        let mut taken = true;
        for sink in &self.sinks {
            if let Err(why) = sink.process(&event).await {
                self.counts.count_error(sink.name());
                tracing::error!(why, sink = sink.name(), id = event.audit_id.as_str(), "an audit event is lost");
                taken &= !(sink.is_strict() && event.stage == Stage::RequestReceived);
            }
        }
        if !taken {
            self.counts.rejected.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Waits until everything that was handed over so far has been written or sent.
    pub async fn flush(&self) {
        for sink in &self.sinks {
            sink.flush().await;
        }
    }
}

impl Counts {
    fn count_level(&self, level: Level) {
        if let Some(count) = self.levels.get(level as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count_error(&self, sink: &'static str) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let count = errors.entry(sink).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn families(&self) -> Families {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let levels = Level::ALL.iter().zip(&self.levels);
        let levels = levels.filter(|(_, count)| load(count) > 0);
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        [
            (
                "apiserver_audit_error_total",
                "Audit events that did not arrive.",
                errors.iter().map(|(sink, count)| (format!("plugin=\"{sink}\""), *count)).collect(),
            ),
            ("apiserver_audit_event_total", "Audit events that were made.", vec![(String::new(), load(&self.events))]),
            (
                "apiserver_audit_level_total",
                "Requests by the level at which they are recorded.",
                levels.map(|(level, count)| (format!("level=\"{}\"", level.as_str()), load(count))).collect(),
            ),
            (
                "apiserver_audit_requests_rejected_total",
                "Requests that were refused because they could not be recorded.",
                vec![(String::new(), load(&self.rejected))],
            ),
        ]
    }
}
