//! `/metrics` in the text format 0.0.4, with upstream's names and labels.
//!
//! Counting takes one lock that no other thread wants: each thread has its shard, and only a scrape reads them all.
//! What a client can put into a label is bounded by what is served: other paths share one series.

mod measure;
mod page;
mod process;
mod webhooks;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use meta::Str;

pub use measure::Measured;

use crate::path::PathInfo;
use crate::registry::Resources;
use crate::server::Server;

/// Upper bounds in seconds, of upstream's request latencies.
const SECONDS: &[f64] = &[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
];
/// Upper bounds in bytes, of upstream's response sizes.
const BYTES: &[f64] = &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const SHARDS: usize = 16;

/// What a request was, as labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    verb: &'static str,
    dry_run: bool,
    group: Str,
    version: Str,
    resource: Str,
    subresource: Str,
    scope: &'static str,
}

impl Labels {
    /// Only what is served becomes a label.
    pub fn of(info: &PathInfo, resources: &Resources, dry_run: bool) -> Labels {
        let verb = match info.verb {
            "get" => "GET",
            "list" => "LIST",
            "watch" => "WATCH",
            "create" | "post" => "POST",
            "update" | "put" => "PUT",
            "patch" => "PATCH",
            "delete" => "DELETE",
            "deletecollection" => "DELETECOLLECTION",
            "head" => "HEAD",
            "options" => "OPTIONS",
            _ => "other",
        };
        let known = resources.endpoint(&info.group, &info.version, &info.resource);
        let Some(endpoint) = known.filter(|_| info.is_resource) else {
            let subresource = match info.path.as_str() {
                path @ ("/healthz" | "/livez" | "/readyz") => path.into(),
                _ => Str::default(),
            };
            return Labels { verb, subresource, ..Labels::default() };
        };
        let served = info.subresource.is_empty() || endpoint.descriptor.subresource(&info.subresource).is_some();
        let scope = match (info.name.is_empty(), info.namespace.is_empty()) {
            (false, _) => "resource",
            (true, false) => "namespace",
            (true, true) => "cluster",
        };
        Labels {
            verb,
            dry_run,
            group: info.group.clone(),
            version: info.version.clone(),
            resource: info.resource.clone(),
            subresource: if served { info.subresource.clone() } else { Str::default() },
            scope,
        }
    }

    fn mutates(&self) -> bool {
        !matches!(self.verb, "GET" | "LIST" | "WATCH" | "HEAD" | "OPTIONS")
    }
}

/// Counts below each bound, and the sum of all values.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    /// Not cumulative; the last one is beyond all bounds.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Histogram {
        Histogram { bounds, counts: vec![0; bounds.len().saturating_add(1)], sum: 0.0 }
    }

    pub(crate) fn observe(&mut self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.sum += value;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    fn add(&mut self, other: &Histogram) {
        for (mine, its) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*its);
        }
        self.sum += other.sum;
    }
}

/// All requests with the same labels.
#[derive(Clone, Debug)]
struct Series {
    codes: Vec<(u16, u64)>,
    seconds: Histogram,
    bytes: Histogram,
}

impl Series {
    fn new() -> Series {
        Series { codes: vec![], seconds: Histogram::new(SECONDS), bytes: Histogram::new(BYTES) }
    }

    fn count(&mut self, code: u16, times: u64) {
        match self.codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count = count.saturating_add(times),
            None => self.codes.push((code, times)),
        }
    }

    fn add(&mut self, other: &Series) {
        other.codes.iter().for_each(|(code, times)| self.count(*code, *times));
        self.seconds.add(&other.seconds);
        self.bytes.add(&other.bytes);
    }
}

/// What one server has done so far.
#[derive(Debug, Default)]
pub struct Metrics {
    shards: [Mutex<HashMap<Labels, Series>>; SHARDS],
    reading: AtomicI64,
    mutating: AtomicI64,
    streams: Mutex<HashMap<Labels, i64>>,
    pub webhooks: webhooks::WebhookCounts,
}

impl Metrics {
    /// A request begins to be answered (1), or ends (-1).
    pub fn count_running(&self, labels: &Labels, change: i64) {
        let counter = if labels.mutates() { &self.mutating } else { &self.reading };
        counter.fetch_add(change, Ordering::Relaxed);
    }

    /// `bytes` is `None` for streams.
    pub fn observe(&self, labels: Labels, code: u16, duration: Duration, bytes: Option<u64>) {
        let Some(shard) = self.shards.get(own_shard()) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let streams = labels.verb == "WATCH";
        let series = shard.entry(labels).or_insert_with(Series::new);
        series.count(code, 1);
        if !streams {
            series.seconds.observe(duration.as_secs_f64());
        }
        if let Some(bytes) = bytes {
            series.bytes.observe(bytes as f64);
        }
    }

    /// A watch or another stream begins (1) or ends (-1).
    pub fn count_stream(&self, labels: &Labels, change: i64) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(labels.clone()).or_default();
        *count = count.saturating_add(change);
    }

    fn merged(&self) -> Vec<(Labels, Series)> {
        let mut all: HashMap<Labels, Series> = HashMap::new();
        for shard in &self.shards {
            for (labels, series) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                all.entry(labels.clone()).or_insert_with(Series::new).add(series);
            }
        }
        let mut all: Vec<(Labels, Series)> = all.into_iter().collect();
        all.sort_by(|(a, _), (b, _)| order(a).cmp(&order(b)));
        all
    }
}

fn order(labels: &Labels) -> (&Str, &Str, &Str, &Str, &'static str, &'static str, bool) {
    let Labels { verb, dry_run, group, version, resource, subresource, scope } = labels;
    (group, version, resource, subresource, verb, scope, *dry_run)
}

/// Threads take shards in turn.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = const { Cell::new(usize::MAX) });
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
}

/// The whole page.
pub fn render(server: &Server) -> String {
    page::render(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_below_their_bounds() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        [0.5, 1.0, 1.5, 9.0].into_iter().for_each(|value| histogram.observe(value));
        assert_eq!((histogram.counts, histogram.sum), (vec![2, 1, 1], 12.0));
    }

    #[test]
    fn threads_add_up() {
        let metrics = Metrics::default();
        let labels = Labels { verb: "GET", resource: "things".into(), ..Labels::default() };
        std::thread::scope(|scope| {
            for code in [200, 200, 404] {
                let (metrics, labels) = (&metrics, labels.clone());
                scope.spawn(move || metrics.observe(labels, code, Duration::from_millis(1), Some(10)));
            }
        });
        let merged = metrics.merged();
        let (_, series) = merged.first().expect("one series");
        let mut codes = series.codes.clone();
        codes.sort_unstable();
        assert_eq!((merged.len(), codes), (1, vec![(200, 2), (404, 1)]));
    }

    #[test]
    fn requests_in_flight_are_counted_while_they_last() {
        let metrics = Metrics::default();
        let create = Labels { verb: "POST", ..Labels::default() };
        metrics.count_running(&create, 1);
        assert_eq!((metrics.mutating.load(Ordering::Relaxed), metrics.reading.load(Ordering::Relaxed)), (1, 0));
        metrics.count_running(&create, -1);
        assert_eq!(metrics.mutating.load(Ordering::Relaxed), 0);
    }
}
