//! What admission webhooks did (upstream: apiserver/pkg/admission/metrics). Labels are names of configured webhooks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use admission::Operation;
use admission::webhook::Judged;

use super::Histogram;
use super::page::Page;

/// Upper bounds in seconds.
const SECONDS: &[f64] = &[0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];
/// Greater codes are counted as this one.
const CODE_MAX: u16 = 600;
/// Names of webhooks that may have been there over time; beyond them nothing new is counted.
const NAMES_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct WebhookCounts(Mutex<HashMap<Labels, Series>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Labels {
    name: String,
    phase: &'static str,
    operation: &'static str,
    rejected: bool,
}

#[derive(Debug)]
struct Series {
    seconds: Histogram,
    codes: Vec<(u16, u64)>,
    rejections: Vec<((&'static str, u16), u64)>,
    failed_open: u64,
}

fn count<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, n)) => *n = n.saturating_add(1),
        None => counts.push((key, 1)),
    }
}

impl WebhookCounts {
    pub fn observe(&self, name: &str, phase: &'static str, operation: Operation, took: Duration, judged: &Judged) {
        let operation = operation.name();
        let labels = Labels { name: name.to_owned(), phase, operation, rejected: judged.rejection.is_some() };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= NAMES_MAX && !all.contains_key(&labels) {
            return;
        }
        let series = all.entry(labels).or_insert_with(|| Series {
            seconds: Histogram::new(SECONDS),
            codes: vec![],
            rejections: vec![],
            failed_open: 0,
        });
        let code = judged.code.min(CODE_MAX);
        series.seconds.observe(took.as_secs_f64());
        count(&mut series.codes, code);
        if let Some(why) = judged.rejection {
            count(&mut series.rejections, (why, code));
        }
        series.failed_open = series.failed_open.saturating_add(u64::from(judged.failed_open));
    }

    pub(super) fn render(&self, page: &mut Page) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(&Labels, &Series)> = all.iter().collect();
        all.sort_by_key(|(labels, _)| *labels);
        let about = |labels: &Labels| {
            let Labels { name, phase, operation, .. } = labels;
            (format!("name=\"{name}\",operation=\"{operation}\""), format!("type=\"{phase}\""))
        };
        let name = "apiserver_admission_webhook_admission_duration_seconds";
        page.family(name, "histogram", "Time that webhooks took.");
        for (labels, series) in &all {
            let (first, last) = about(labels);
            page.histogram(name, &format!("{first},rejected=\"{}\",{last}", labels.rejected), &series.seconds);
        }
        let name = "apiserver_admission_webhook_fail_open_count";
        page.family(name, "counter", "Calls of webhooks that failed, which did not matter.");
        for (labels, series) in all.iter().filter(|(_, series)| series.failed_open > 0) {
            let Labels { name: webhook, phase, .. } = labels;
            page.sample(name, &format!("name=\"{webhook}\",type=\"{phase}\""), series.failed_open);
        }
        let name = "apiserver_admission_webhook_rejection_count";
        page.family(name, "counter", "Requests that were refused because of webhooks.");
        for (labels, series) in &all {
            let Labels { name: webhook, phase, operation, .. } = labels;
            for ((why, code), times) in &series.rejections {
                let labels = format!(
                    "error_type=\"{why}\",name=\"{webhook}\",operation=\"{operation}\",rejection_code=\"{code}\",type=\"{phase}\""
                );
                page.sample(name, &labels, times);
            }
        }
        let name = "apiserver_admission_webhook_request_total";
        page.family(name, "counter", "Calls of webhooks.");
        for (labels, series) in &all {
            let (first, last) = about(labels);
            for (code, times) in &series.codes {
                let labels = format!("code=\"{code}\",{first},rejected=\"{}\",{last}", labels.rejected);
                page.sample(name, &labels, times);
            }
        }
    }
}
