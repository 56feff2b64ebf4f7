//! The text of the page.

use std::fmt::Write as _;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::{Histogram, Labels, process};
use crate::server::{Server, is_stored_form};

/// Writes families one after the other. Writing to a string cannot fail.
pub(super) struct Page(String);

impl Page {
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{braces} {value}");
    }

    pub(super) fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut total = 0u64;
        let bounds = histogram.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&histogram.counts) {
            total = total.saturating_add(*count);
            self.sample(&bucket, &format!("{labels},le=\"{bound}\""), total);
        }
        self.sample(&format!("{name}_sum"), labels, histogram.sum);
        self.sample(&format!("{name}_count"), labels, total);
    }
}

pub fn render(server: &Server) -> String {
    let mut page = Page(String::new());
    requests(&mut page, server);
    storage(&mut page, server);
    server.metrics.webhooks.render(&mut page);
    for (name, help, samples) in server.audit.iter().flat_map(|audit| audit.counts.families()) {
        page.family(name, "counter", help);
        samples.into_iter().for_each(|(labels, count)| page.sample(name, &labels, count));
    }
    for (name, kind, help, samples) in server.queue.families() {
        page.family(name, kind, help);
        samples.into_iter().for_each(|(labels, value)| page.sample(name, &labels, value));
    }
    for (name, help, histograms) in server.queue.histograms() {
        page.family(name, "histogram", help);
        histograms.into_iter().for_each(|(labels, histogram)| page.histogram(name, &labels, &histogram));
    }
    page.family("kubernetes_build_info", "gauge", "1, with what is running as labels.");
    let version = crate::version::git_version();
    page.sample("kubernetes_build_info", &format!("git_version=\"{version}\",major=\"1\",minor=\"36\""), 1);
    for (name, kind, help, value) in process::read() {
        page.family(name, kind, help);
        page.sample(name, "", value);
    }
    page.0
}

fn requests(page: &mut Page, server: &Server) {
    let metrics = &server.metrics;
    page.family("apiserver_current_inflight_requests", "gauge", "Requests that are being answered.");
    for (kind, counter) in [("mutating", &metrics.mutating), ("readOnly", &metrics.reading)] {
        let labels = format!("request_kind=\"{kind}\"");
        page.sample("apiserver_current_inflight_requests", &labels, counter.load(Ordering::Relaxed));
    }
    page.family("apiserver_longrunning_requests", "gauge", "Watches that are open.");
    for (labels, open) in metrics.streams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        page.sample("apiserver_longrunning_requests", &text(labels, false), open);
    }
    let merged = metrics.merged();
    page.family("apiserver_request_total", "counter", "Requests by what they were and how they were answered.");
    for (labels, series) in &merged {
        for (code, count) in &series.codes {
            page.sample("apiserver_request_total", &format!("code=\"{code}\",{}", text(labels, true)), count);
        }
    }
    let timed = || merged.iter().filter(|(labels, _)| labels.verb != "WATCH");
    page.family("apiserver_request_duration_seconds", "histogram", "Time from a request to the head of its answer.");
    for (labels, series) in timed() {
        page.histogram("apiserver_request_duration_seconds", &text(labels, true), &series.seconds);
    }
    page.family("apiserver_response_sizes", "histogram", "Bytes of answers.");
    for (labels, series) in timed() {
        page.histogram("apiserver_response_sizes", &text(labels, false), &series.bytes);
    }
}

fn storage(page: &mut Page, server: &Server) {
    let resources = server.registry.load();
    let stored = resources.all().filter(|endpoint| is_stored_form(endpoint));
    let mut counts: Vec<(String, u64, u64)> = stored
        .map(|endpoint| {
            let (group, plural) = (&endpoint.descriptor.group, &endpoint.descriptor.plural);
            let labels = format!("group=\"{group}\",resource=\"{plural}\"");
            let snapshot = server.store.snapshot(&endpoint.prefix);
            (labels, u64::try_from(snapshot.len()).unwrap_or(u64::MAX), snapshot.bytes())
        })
        .collect();
    counts.sort();
    page.family("apiserver_resource_objects", "gauge", "Stored objects.");
    for (labels, objects, _) in &counts {
        page.sample("apiserver_resource_objects", labels, objects);
    }
    page.family("apiserver_resource_size_estimate_bytes", "gauge", "Bytes of stored objects.");
    for (labels, _, bytes) in &counts {
        page.sample("apiserver_resource_size_estimate_bytes", labels, bytes);
    }
    page.family("apiserver_storage_revision", "gauge", "The newest revision.");
    page.sample("apiserver_storage_revision", "", server.store.revision());
}

/// The labels in alphabetical order, as upstream prints them.
fn text(labels: &Labels, with_dry_run: bool) -> String {
    let Labels { verb, dry_run, group, version, resource, subresource, scope } = labels;
    let component = if resource.is_empty() { "" } else { "apiserver" };
    let dry_run = match (with_dry_run, dry_run) {
        (false, _) => "",
        (true, false) => "dry_run=\"\",",
        (true, true) => "dry_run=\"All\",",
    };
    format!(
        "component=\"{component}\",{dry_run}group=\"{group}\",resource=\"{resource}\",scope=\"{scope}\",\
         subresource=\"{subresource}\",verb=\"{verb}\",version=\"{version}\""
    )
}
