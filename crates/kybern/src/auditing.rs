//! What the flags about auditing mean, and the sinks that they ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::Policy;
use meta::field::quote;
use outbound::Endpoint;
use serve::audit::{Audit, Batching, Format, Log, Mode, Rotation, Sink, Throttle, Truncation, Webhook};

use crate::flags::Given;
use crate::options::{duration, path};

const MODES: &[&str] = &["batch", "blocking", "blocking-strict"];
const FORMATS: &[&str] = &["legacy", "json"];

/// `--audit-*`; without a policy nothing is recorded.
#[derive(Clone, Debug, Default)]
pub struct Auditing {
    policy: Option<PathBuf>,
    log: Option<LogSink>,
    webhook: Option<WebhookSink>,
}

#[derive(Clone, Debug)]
struct LogSink {
    path: PathBuf,
    format: Format,
    rotation: Rotation,
    bounds: Bounds,
}

#[derive(Clone, Debug)]
struct WebhookSink {
    config: PathBuf,
    backoff: Duration,
    bounds: Bounds,
}

#[derive(Clone, Debug)]
struct Bounds {
    mode: Mode,
    truncation: Option<Truncation>,
}

impl Auditing {
    /// What a sink that is off would do is not checked.
    pub fn resolve(given: &Given) -> Result<Auditing, String> {
        let log = path(given, "audit-log-path").map(|path| LogSink::resolve(given, path)).transpose()?;
        let webhook = path(given, "audit-webhook-config-file").map(|path| WebhookSink::resolve(given, path));
        Ok(Auditing { policy: path(given, "audit-policy-file"), log, webhook: webhook.transpose()? })
    }

    /// Reads the policy and opens the sinks. In a runtime: batches have tasks.
    pub fn open(&self) -> Result<Option<Arc<Audit>>, String> {
        let Some(path) = &self.policy else { return Ok(None) };
        let policy = read_policy(path).map_err(|why| format!("loading audit policy file: {why}"))?;
        let mut sinks = vec![];
        if let Some(LogSink { path, format, rotation, bounds }) = &self.log {
            let log = Log::open(path, *format, *rotation);
            let log = log.map_err(|why| format!("--audit-log-path: {}: {why}", path.display()))?;
            sinks.push(Sink::new(Box::new(log), bounds.mode.clone(), bounds.truncation));
        }
        if let Some(WebhookSink { config, backoff, bounds }) = &self.webhook {
            let webhook = Endpoint::read_kubeconfig(config).and_then(|endpoint| Webhook::new(&endpoint, *backoff));
            let webhook = webhook.map_err(|why| format!("initializing audit webhook: {why}"))?;
            sinks.push(Sink::new(Box::new(webhook), bounds.mode.clone(), bounds.truncation));
        }
        // A policy without a place for events is upstream's way to check the policy only.
        Ok(if sinks.is_empty() { None } else { Some(Arc::new(Audit::new(policy, sinks))) })
    }
}

fn read_policy(path: &PathBuf) -> Result<Policy, String> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|why| format!("failed to read file path {}: {why}", quote(&path.to_string_lossy())))?;
    let parsed = codec::parse_yaml(&bytes).map_err(|why| format!("failed decoding: {why}: from file {shown}"))?;
    let (policy, mut mistakes) =
        Policy::from_value(&parsed.value).map_err(|why| format!("{why}: from file {shown}"))?;
    mistakes.extend(parsed.strict);
    for mistake in mistakes {
        tracing::warn!(mistake, file = %shown, "audit policy");
    }
    Ok(policy)
}

impl LogSink {
    fn resolve(given: &Given, path: PathBuf) -> Result<LogSink, String> {
        let format = match given.text("audit-log-format") {
            "json" => Format::Json,
            "legacy" => Format::Legacy,
            other => {
                let allowed = quote(&FORMATS.join(","));
                return Err(format!("invalid audit log format {other}, allowed formats are {allowed}"));
            }
        };
        let count = |name: &str| {
            let number: i64 = given.parse(name)?;
            u32::try_from(number).map_err(|_| format!("--{name} {number} can't be a negative number"))
        };
        let rotation = Rotation {
            bytes_max: u64::from(count("audit-log-maxsize")?) << 20,
            age_days_max: count("audit-log-maxage")?,
            backups_max: count("audit-log-maxbackup")? as usize,
            compress: given.switch("audit-log-compress")?,
        };
        Ok(LogSink { path, format, rotation, bounds: Bounds::resolve(given, "log")? })
    }
}

impl WebhookSink {
    fn resolve(given: &Given, config: PathBuf) -> Result<WebhookSink, String> {
        let old = "audit-webhook-batch-initial-backoff";
        let backoff = if given.is_set(old) { old } else { "audit-webhook-initial-backoff" };
        let backoff = duration(given, backoff)?;
        Ok(WebhookSink { config, backoff, bounds: Bounds::resolve(given, "webhook")? })
    }
}

impl Bounds {
    fn resolve(given: &Given, sink: &str) -> Result<Bounds, String> {
        let flag = |name: &str| format!("audit-{sink}-{name}");
        let mode = match given.text(&flag("mode")) {
            "batch" => Mode::Batch(batching(given, sink)?),
            "blocking" => Mode::Blocking,
            "blocking-strict" => Mode::BlockingStrict,
            other => {
                let allowed = quote(&MODES.join(","));
                return Err(format!("invalid audit {sink} mode {other}, allowed modes are {allowed}"));
            }
        };
        let (event, batch): (i64, i64) =
            (given.parse(&flag("truncate-max-event-size"))?, given.parse(&flag("truncate-max-batch-size"))?);
        if event <= 0 {
            return Err(format!("invalid audit truncate {sink} max event size {event}, must be a positive number"));
        }
        if batch < event {
            return Err(format!(
                "invalid audit truncate {sink} max batch size {batch}, must be greater than max event size ({event})"
            ));
        }
        if given.text(&flag("version")) != audit::API_VERSION {
            return Err(format!("invalid group version, allowed versions are [{}]", quote(audit::API_VERSION)));
        }
        let bytes = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let truncation = Truncation { event_bytes_max: bytes(event), batch_bytes_max: bytes(batch) };
        Ok(Bounds { mode, truncation: given.switch(&flag("truncate-enabled"))?.then_some(truncation) })
    }
}

fn batching(given: &Given, sink: &str) -> Result<Batching, String> {
    let flag = |name: &str| format!("audit-{sink}-batch-{name}");
    let positive = |name: &str, words: &str| {
        let number: i64 = given.parse(&flag(name))?;
        let why = || format!("invalid audit batch {sink} {words} {number}, must be a positive number");
        usize::try_from(number).ok().filter(|number| *number > 0).ok_or_else(why)
    };
    let throttle = if given.switch(&flag("throttle-enable"))? {
        let rate: f64 = given.parse(&flag("throttle-qps"))?;
        if rate.is_nan() || rate <= 0.0 {
            return Err(format!("invalid audit batch {sink} throttle QPS {rate}, must be a positive number"));
        }
        let burst = positive("throttle-burst", "throttle burst")?;
        Some(Throttle { rate, burst: u32::try_from(burst).unwrap_or(u32::MAX) })
    } else {
        None
    };
    Ok(Batching {
        buffer_size: positive("buffer-size", "buffer size")?,
        size_max: positive("max-size", "max batch size")?,
        wait_max: duration(given, &flag("max-wait"))?,
        throttle,
    })
}
