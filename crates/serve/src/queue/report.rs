//! What `/metrics` and people who look for the reason of a 429 are told.

use std::sync::atomic::Ordering;

use fairness::{Limits, Rejection, Settled};

use super::fair::{Counts, Details, Level, State, Times};
use super::tabulate::tabulate;
use super::{Kind, Queue};
use crate::metrics::Histogram;

/// Name, kind, help and samples (labels and value).
pub(crate) type Family = (&'static str, &'static str, &'static str, Vec<(String, f64)>);
/// Name, help and histograms with their labels.
pub(crate) type Histograms = (&'static str, &'static str, Vec<(String, Histogram)>);

impl Queue {
    /// Families of `/metrics`, none without fairness.
    pub(crate) fn families(&self) -> Vec<Family> {
        let Kind::Fair(fair) = &self.kind else { return vec![] };
        let state = fair.state.load();
        let mut families = of_levels(&state);
        families.extend(of_schemas(&state));
        families
    }

    pub(crate) fn histograms(&self) -> Vec<Histograms> {
        let Kind::Fair(fair) = &self.kind else { return vec![] };
        let state = fair.state.load();
        let of = |names: [&str; 2], times: &dyn Fn(&Counts) -> &[Times; 2]| {
            let schemas = state.config.schemas.iter().zip(&state.counts);
            let both = schemas.flat_map(|(schema, counts)| {
                let level = state.config.levels.get(schema.level).map_or("", |level| level.name.as_str());
                let labels = format!("flow_schema=\"{}\",priority_level=\"{level}\"", schema.name);
                let named = names.iter().zip(times(counts));
                let some = named.filter_map(|(name, times)| Some((format!("{name},{labels}"), times.observed()?)));
                some.collect::<Vec<_>>()
            });
            both.collect()
        };
        vec![
            (
                "apiserver_flowcontrol_request_wait_duration_seconds",
                "How long requests waited.",
                of(["execute=\"false\"", "execute=\"true\""], &|counts| &counts.waited),
            ),
            (
                "apiserver_flowcontrol_request_execution_seconds",
                "How long requests had their seats.",
                of(["type=\"watch\"", "type=\"regular\""], &|counts| &counts.executed),
            ),
        ]
    }

    /// A dump by the last part of its path; `None`: there is no such dump. `details`: with what requests ask for.
    pub fn dump(&self, name: &str, details: bool) -> Option<String> {
        let Kind::Fair(fair) = &self.kind else { return None };
        let state = fair.state.load();
        match name {
            "dump_priority_levels" => Some(dump_levels(&state)),
            "dump_queues" => Some(dump_queues(&state)),
            "dump_requests" => Some(dump_requests(&state, details)),
            _ => None,
        }
    }
}

fn of_levels(state: &State) -> Vec<Family> {
    let levels = || state.config.levels.iter().zip(&state.levels);
    let family = |name, help, value: &dyn Fn(&fairness::Level, &Level) -> f64| {
        let samples =
            levels().map(|(level, queues)| (format!("priority_level=\"{}\"", level.name), value(level, queues)));
        (name, "gauge", help, samples.collect())
    };
    let limit = |name, help, value: fn(&Limits) -> u32| family(name, help, &|level, _| f64::from(value(&level.limits)));
    let count = |name, help, value: fn(&fairness::Counts) -> u32| {
        family(name, help, &|_, queues| f64::from(value(&queues.lock().set.counts())))
    };
    let demand =
        |name, help, value: fn(&(Settled, f64)) -> f64| family(name, help, &|_, queues| value(&queues.settled()));
    vec![
        limit("apiserver_flowcontrol_nominal_limit_seats", "Seats by shares alone.", |limits| limits.nominal),
        limit("apiserver_flowcontrol_lower_limit_seats", "Seats that are never lent.", |limits| limits.lower),
        limit("apiserver_flowcontrol_upper_limit_seats", "Seats with all that may be borrowed.", |limits| limits.upper),
        count("apiserver_flowcontrol_current_limit_seats", "Seats now.", |counts| counts.limit),
        count("apiserver_flowcontrol_current_executing_seats", "Seats in use.", |counts| counts.executing_seats),
        count("apiserver_flowcontrol_current_inqueue_seats", "Seats that are waited for.", |counts| {
            counts.waiting_seats
        }),
        demand("apiserver_flowcontrol_demand_seats_high_watermark", "Seats wanted at most.", |(settled, _)| {
            settled.high
        }),
        demand("apiserver_flowcontrol_demand_seats_average", "Seats wanted on average.", |(settled, _)| {
            settled.average
        }),
        demand("apiserver_flowcontrol_demand_seats_stdev", "How much that varied.", |(settled, _)| settled.deviation),
        demand("apiserver_flowcontrol_demand_seats_smoothed", "The same, of late.", |(settled, _)| settled.smoothed),
        demand("apiserver_flowcontrol_target_seats", "Seats that were aimed at.", |(_, target)| *target),
    ]
}

fn of_schemas(state: &State) -> Vec<Family> {
    let schemas = || {
        state.config.schemas.iter().zip(&state.counts).map(|(schema, counts)| {
            let level = state.config.levels.get(schema.level).map_or("", |level| level.name.as_str());
            (format!("flow_schema=\"{}\",priority_level=\"{level}\"", schema.name), counts)
        })
    };
    let count = |value: u64| value as f64;
    let rejected = schemas().flat_map(|(labels, counts)| {
        let by_reason = Rejection::ALL.iter().zip(&counts.rejected).map(|(why, n)| (*why, n.load(Ordering::Relaxed)));
        let some: Vec<_> = by_reason.filter(|(_, n)| *n > 0).collect();
        some.into_iter().map(move |(why, n)| (format!("{labels},reason=\"{}\"", why.as_str()), count(n)))
    });
    let dispatched = schemas().map(|(labels, counts)| (labels, count(counts.dispatched.load(Ordering::Relaxed))));
    let executing = schemas().map(|(labels, counts)| (labels, counts.executing.load(Ordering::Relaxed) as f64));
    let waiting = schemas().map(|(labels, counts)| (labels, counts.waiting.load(Ordering::Relaxed) as f64));
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

fn row(cells: &[&dyn std::fmt::Display]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

fn headings(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

fn dump_levels(state: &State) -> String {
    let mut rows = vec![headings(
        "PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests",
    )];
    for (place, (level, queues)) in state.config.levels.iter().zip(&state.levels).enumerate() {
        let own = state.config.schemas.iter().zip(&state.counts).filter(|(schema, _)| schema.level == place);
        let (mut dispatched, mut rejected) = (0_u64, [0_u64; Rejection::ALL.len()]);
        for (_, counts) in own {
            dispatched = dispatched.saturating_add(counts.dispatched.load(Ordering::Relaxed));
            for (sum, count) in rejected.iter_mut().zip(&counts.rejected) {
                *sum = sum.saturating_add(count.load(Ordering::Relaxed));
            }
        }
        let (counts, active) = {
            let waiting = queues.lock();
            (waiting.set.counts(), waiting.set.queues().filter(|queue| queue.waiting > 0).count())
        };
        let idle = counts.executing == 0 && counts.waiting == 0;
        let [concurrency, full, timed_out, cancelled] = rejected;
        let refused = concurrency.saturating_add(full);
        rows.push(row(&[
            &level.name,
            &active,
            &idle,
            &false,
            &counts.waiting,
            &counts.executing,
            &dispatched,
            &refused,
            &timed_out,
            &cancelled,
        ]));
    }
    tabulate(&rows)
}

fn dump_queues(state: &State) -> String {
    let mut rows = vec![headings(
        "PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR InitialSeatsSum MaxSeatsSum TotalWorkSum",
    )];
    for (level, queues) in state.config.levels.iter().zip(&state.levels) {
        for (index, queue) in queues.lock().set.queues().enumerate() {
            rows.push(row(&[
                &level.name,
                &index,
                &queue.waiting,
                &queue.executing,
                &queue.seats,
                &format_args!("{:.8}ss", queue.next),
                &queue.waiting_initial_seats,
                &queue.waiting_seats,
                &format_args!("{:.8}ss", queue.waiting_work),
            ]));
        }
    }
    tabulate(&rows)
}

/// Those that wait come first, in the order of their queue; others have no place in one.
fn dump_requests(state: &State, details: bool) -> String {
    let mut rows = vec![headings(
        "PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats FinalSeats AdditionalLatency StartTime",
    )];
    if let Some(first) = rows.first_mut().filter(|_| details) {
        first.extend(headings("UserName Verb APIPath Namespace Name APIVersion Resource SubResource"));
    }
    for (level, queues) in state.config.levels.iter().zip(&state.levels) {
        let waiting = queues.lock();
        let mut places: Vec<_> = waiting.set.requests().collect();
        places.sort_by_key(|place| {
            (place.queue.map_or(u64::MAX, |queue| queue as u64), place.position.unwrap_or(usize::MAX))
        });
        for place in places {
            let Some(known) = waiting.known.get(&place.id) else { continue };
            let index = |index: Option<usize>| index.map_or_else(|| "-1".to_owned(), |index| index.to_string());
            let last_ms = place.work.last_seconds * 1000.0;
            let latency = if last_ms > 0.0 { format!("{last_ms}ms") } else { "0s".to_owned() };
            let started = known.started.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_rfc3339_micro());
            let mut cells = row(&[
                &level.name,
                &known.schema,
                &index(place.queue),
                &index(place.position),
                &known.flow,
                &known.arrived.to_rfc3339_micro(),
                &place.work.seats,
                &place.work.last_seats,
                &latency,
                &started,
            ]);
            if details {
                let Details { user, verb, path, target } = &known.details;
                let [namespace, name, group, version, resource, subresource] = target;
                let slash = if group.is_empty() { "" } else { "/" };
                let version = format!("{group}{slash}{version}");
                cells.extend(row(&[&user.name, verb, path, namespace, name, &version, resource, subresource]));
            }
            rows.push(cells);
        }
    }
    tabulate(&rows)
}
