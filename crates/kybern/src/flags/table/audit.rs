//! Flags about auditing. Defaults are those of 1.36.

use super::Kind::{Switch, Value};
use super::{Flag, flag};

const AUDIT: &str = "Auditing";
const BUFFER: &str = "Events that wait in batch mode; more are lost";
const SIZE: &str = "Events in one batch";
const WAIT: &str = "How long the first event of a batch waits for more";
const THROTTLE: &str = "Whether batches are throttled";
const QPS: &str = "Batches per second";
const BURST: &str = "Batches at once after a pause";
const TRUNCATE: &str = "Whether large events and batches are cut";
const BATCH_BYTES: &str = "Bytes of a batch, when it is cut";
const EVENT_BYTES: &str = "Bytes of an event; a larger one loses its objects";
const MODE: &str = "batch, blocking or blocking-strict";
const VERSION: &str = "audit.k8s.io/v1";

pub const FLAGS: &[Flag] = &[
    flag("audit-policy-file", Value, "", AUDIT, "What is recorded: a Policy; without it nothing is"),
    flag("audit-log-path", Value, "", AUDIT, "File for events, - is standard output"),
    flag("audit-log-format", Value, "json", AUDIT, "json or legacy"),
    flag("audit-log-maxage", Value, "366", AUDIT, "Days for which old log files are kept; 0 is forever"),
    flag("audit-log-maxbackup", Value, "100", AUDIT, "Old log files that are kept; 0 is all"),
    flag("audit-log-maxsize", Value, "100", AUDIT, "Megabytes at which a log file is put aside"),
    flag("audit-log-compress", Switch, "false", AUDIT, "Whether old log files are compressed"),
    flag("audit-log-version", Value, VERSION, AUDIT, "Version of events in the log"),
    flag("audit-log-mode", Value, "blocking", AUDIT, MODE),
    flag("audit-log-batch-buffer-size", Value, "10000", AUDIT, BUFFER),
    flag("audit-log-batch-max-size", Value, "1", AUDIT, SIZE),
    flag("audit-log-batch-max-wait", Value, "0s", AUDIT, WAIT),
    flag("audit-log-batch-throttle-enable", Switch, "false", AUDIT, THROTTLE),
    flag("audit-log-batch-throttle-qps", Value, "0", AUDIT, QPS),
    flag("audit-log-batch-throttle-burst", Value, "0", AUDIT, BURST),
    flag("audit-log-truncate-enabled", Switch, "false", AUDIT, TRUNCATE),
    flag("audit-log-truncate-max-batch-size", Value, "10485760", AUDIT, BATCH_BYTES),
    flag("audit-log-truncate-max-event-size", Value, "102400", AUDIT, EVENT_BYTES),
    flag("audit-webhook-config-file", Value, "", AUDIT, "Server to which events are sent: a kubeconfig"),
    flag("audit-webhook-initial-backoff", Value, "10s", AUDIT, "Wait between the first and the second try"),
    flag("audit-webhook-batch-initial-backoff", Value, "", AUDIT, "The same, by its old name"),
    flag("audit-webhook-version", Value, VERSION, AUDIT, "Version of events that are sent"),
    flag("audit-webhook-mode", Value, "batch", AUDIT, MODE),
    flag("audit-webhook-batch-buffer-size", Value, "10000", AUDIT, BUFFER),
    flag("audit-webhook-batch-max-size", Value, "400", AUDIT, SIZE),
    flag("audit-webhook-batch-max-wait", Value, "30s", AUDIT, WAIT),
    flag("audit-webhook-batch-throttle-enable", Switch, "true", AUDIT, THROTTLE),
    flag("audit-webhook-batch-throttle-qps", Value, "10", AUDIT, QPS),
    flag("audit-webhook-batch-throttle-burst", Value, "15", AUDIT, BURST),
    flag("audit-webhook-truncate-enabled", Switch, "false", AUDIT, TRUNCATE),
    flag("audit-webhook-truncate-max-batch-size", Value, "10485760", AUDIT, BATCH_BYTES),
    flag("audit-webhook-truncate-max-event-size", Value, "102400", AUDIT, EVENT_BYTES),
];
