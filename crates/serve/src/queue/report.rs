//! What `/metrics` and people who look for the reason of a 429 are told.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use fairness::Rejection;

use super::fair::State;
use super::{Kind, Queue};

/// Name, kind, help and samples (labels and value).
pub(crate) type Family = (&'static str, &'static str, &'static str, Vec<(String, i64)>);

impl Queue {
    /// Families of `/metrics`, none without fairness.
    pub(crate) fn families(&self) -> Vec<Family> {
        let Kind::Fair(fair) = &self.0 else { return vec![] };
        let state = fair.state.load();
        let mut families = of_levels(&state);
        families.extend(of_schemas(&state));
        families
    }

    /// A dump by the last part of its path; `None`: there is no such dump.
    pub fn dump(&self, name: &str) -> Option<String> {
        let Kind::Fair(fair) = &self.0 else { return None };
        let state = fair.state.load();
        match name {
            "dump_priority_levels" => Some(dump_levels(&state)),
            "dump_queues" => Some(dump_queues(&state)),
            _ => None,
        }
    }
}

fn of_levels(state: &State) -> Vec<Family> {
    let levels = || {
        let pairs = state.config.levels.iter().zip(&state.levels);
        pairs.filter_map(|(level, queues)| {
            Some((level.name.as_str(), level.limited?, queues.as_ref()?.lock().set.counts()))
        })
    };
    let gauge = |name, help, value: &dyn Fn(&fairness::Limited, &fairness::Counts) -> u32| {
        let samples = levels().map(|(level, limited, counts)| {
            (format!("priority_level=\"{level}\""), i64::from(value(&limited, &counts)))
        });
        (name, "gauge", help, samples.collect())
    };
    vec![
        gauge("apiserver_flowcontrol_nominal_limit_seats", "Seats by shares alone.", &|l, _| l.nominal),
        gauge("apiserver_flowcontrol_lower_limit_seats", "Seats that are never lent.", &|l, _| l.lower),
        gauge("apiserver_flowcontrol_upper_limit_seats", "Seats with all that may be borrowed.", &|l, _| l.upper),
        gauge("apiserver_flowcontrol_current_limit_seats", "Seats now.", &|_, c| c.limit),
        gauge("apiserver_flowcontrol_current_executing_seats", "Seats in use.", &|_, c| c.executing_seats),
        gauge("apiserver_flowcontrol_current_inqueue_seats", "Seats that are waited for.", &|_, c| c.waiting_seats),
    ]
}

fn of_schemas(state: &State) -> Vec<Family> {
    let schemas = || {
        state.config.schemas.iter().zip(&state.counts).map(|(schema, counts)| {
            let level = state.config.levels.get(schema.level).map_or("", |level| level.name.as_str());
            (format!("flow_schema=\"{}\",priority_level=\"{level}\"", schema.name), counts)
        })
    };
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let rejected = schemas().flat_map(|(labels, counts)| {
        let by_reason = Rejection::ALL.iter().zip(&counts.rejected).map(|(why, n)| (*why, n.load(Ordering::Relaxed)));
        let some: Vec<_> = by_reason.filter(|(_, n)| *n > 0).collect();
        some.into_iter().map(move |(why, n)| (format!("{labels},reason=\"{}\"", why.as_str()), count(n)))
    });
    let dispatched = schemas().map(|(labels, counts)| (labels, count(counts.dispatched.load(Ordering::Relaxed))));
    let executing = schemas().map(|(labels, counts)| (labels, counts.executing.load(Ordering::Relaxed)));
    let waiting = schemas().map(|(labels, counts)| (labels, counts.waiting.load(Ordering::Relaxed)));
    vec![
        ("apiserver_flowcontrol_rejected_requests_total", "counter", "Requests answered 429.", rejected.collect()),
        (
            "apiserver_flowcontrol_dispatched_requests_total",
            "counter",
            "Requests that got a seat.",
            dispatched.collect(),
        ),
        (
            "apiserver_flowcontrol_current_executing_requests",
            "gauge",
            "Requests that have a seat.",
            executing.collect(),
        ),
        ("apiserver_flowcontrol_current_inqueue_requests", "gauge", "Requests that wait.", waiting.collect()),
    ]
}

/// Columns as upstream has them; what is not known of an exempt level is `<none>`.
fn dump_levels(state: &State) -> String {
    let mut text = "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests\n".to_owned();
    for (place, (level, queues)) in state.config.levels.iter().zip(&state.levels).enumerate() {
        let own = state.config.schemas.iter().zip(&state.counts).filter(|(schema, _)| schema.level == place);
        let (mut dispatched, mut rejected) = (0_u64, [0_u64; Rejection::ALL.len()]);
        for (_, counts) in own {
            dispatched = dispatched.saturating_add(counts.dispatched.load(Ordering::Relaxed));
            for (sum, count) in rejected.iter_mut().zip(&counts.rejected) {
                *sum = sum.saturating_add(count.load(Ordering::Relaxed));
            }
        }
        let Some(queues) = queues else {
            let _ = writeln!(
                text,
                "{}, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>",
                level.name
            );
            continue;
        };
        let counts = queues.lock().set.counts();
        let idle = counts.executing == 0 && counts.waiting == 0;
        let [concurrency, full, timed_out, cancelled] = rejected;
        let _ = writeln!(
            text,
            "{}, {}, {idle}, false, {}, {}, {dispatched}, {}, {timed_out}, {cancelled}",
            level.name,
            counts.active_queues,
            counts.waiting,
            counts.executing,
            concurrency.saturating_add(full)
        );
    }
    text
}

fn dump_queues(state: &State) -> String {
    let mut text = "PriorityLevelName, Index, PendingRequests, ExecutingRequests, NextDispatchR\n".to_owned();
    for (level, queues) in state.config.levels.iter().zip(&state.levels) {
        let Some(queues) = queues else { continue };
        for (index, (pending, executing, next)) in queues.lock().set.queues().enumerate() {
            let _ = writeln!(text, "{}, {index}, {pending}, {executing}, {next:.8}ss", level.name);
        }
    }
    text
}
