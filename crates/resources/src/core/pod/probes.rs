//! Probes, lifecycle handlers and stop signals.

use super::containers::validate_optional_choice;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;

/// What a probe may do, and what a lifecycle handler may do, in upstream's order.
const PROBE_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "grpc"];
const LIFECYCLE_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "sleep"];

const SIGNALS_WINDOWS: &[&str] = &["SIGKILL", "SIGTERM"];
const SIGNALS_NAMED: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGRTMIN",
    "SIGRTMAX",
];

/// Lifecycle and probes of a container that runs along with the pod.
pub fn validate_all(container: &Value, spec: &Value, path: &Path, errs: &mut ErrorList) {
    let grace = spec["terminationGracePeriodSeconds"].as_int();
    if !container["lifecycle"].is_null() {
        validate_lifecycle(&container["lifecycle"], grace, spec, &path.child("lifecycle"), errs);
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &container[field];
        if probe.is_null() {
            continue;
        }
        let path = path.child(field);
        validate_probe(probe, grace, &path, errs);
        let own_grace = &probe["terminationGracePeriodSeconds"];
        if field == "readinessProbe" && !own_grace.is_null() {
            let detail = "must not be set for readinessProbes";
            errs.invalid(&path.child("terminationGracePeriodSeconds"), own_grace, detail);
        }
        let successes = probe["successThreshold"].int();
        if field != "readinessProbe" && successes != 1 {
            errs.invalid(&path.child("successThreshold"), successes, "must be 1");
        }
    }
}

fn validate_probe(probe: &Value, grace: Option<i64>, path: &Path, errs: &mut ErrorList) {
    validate_handler(probe, PROBE_HANDLERS, grace, path, errs);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        errs.non_negative(&path.child(field), probe[field].int());
    }
    if let Some(seconds) = probe["terminationGracePeriodSeconds"].as_int().filter(|n| *n <= 0) {
        errs.invalid(&path.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0");
    }
}

/// Exactly one of the handlers; of several the first is judged.
fn validate_handler(handler: &Value, kinds: &[&'static str], grace: Option<i64>, path: &Path, errs: &mut ErrorList) {
    let mut set = kinds.iter().filter(|kind| !handler[**kind].is_null());
    let Some(first) = set.next() else {
        errs.required(path, "must specify a handler type");
        return;
    };
    let (action, at) = (&handler[*first], path.child(first));
    match *first {
        "exec" if action["command"].items().is_empty() => errs.required(&at.child("command"), ""),
        "exec" => {}
        "httpGet" => validate_http_get(action, &at, errs),
        "tcpSocket" => validate_port(&action["port"], &at.child("port"), errs),
        "grpc" => validate_port(&Value::Int(action["port"].int()), &at.child("port"), errs),
        _ => validate_sleep(action, grace, &at, errs),
    }
    for other in set {
        errs.forbidden(&path.child(other), "may not specify more than 1 handler type");
    }
}

fn validate_sleep(action: &Value, grace: Option<i64>, path: &Path, errs: &mut ErrorList) {
    let (seconds, Some(grace)) = (action["seconds"].int(), grace) else { return };
    if seconds < 0 || seconds > grace {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errs.invalid(path, seconds, &detail);
    }
}

fn validate_http_get(action: &Value, path: &Path, errs: &mut ErrorList) {
    if action["path"].str().is_empty() {
        errs.required(&path.child("path"), "");
    }
    validate_port(&action["port"], &path.child("port"), errs);
    let scheme = action["scheme"].str();
    if !["HTTP", "HTTPS"].contains(&scheme) {
        errs.not_supported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in action["httpHeaders"].items() {
        let own = header["name"].str();
        errs.invalid_each(&path.child("httpHeaders"), own, name::http_header_name(own));
    }
}

/// A port by number or name.
pub fn validate_port(port: &Value, path: &Path, errs: &mut ErrorList) {
    match port.as_str() {
        Some(own) => errs.invalid_each(path, own, name::port_name(own)),
        None => errs.invalid_each(path, port.int(), name::port_number(port.int())),
    }
}

fn validate_lifecycle(lifecycle: &Value, grace: Option<i64>, spec: &Value, path: &Path, errs: &mut ErrorList) {
    for field in ["postStart", "preStop"] {
        if !lifecycle[field].is_null() {
            validate_handler(&lifecycle[field], LIFECYCLE_HANDLERS, grace, &path.child(field), errs);
        }
    }
    let signal = &lifecycle["stopSignal"];
    if signal.is_null() {
        return;
    }
    let path = path.child("stopSignal");
    match spec["os"]["name"].as_str() {
        None if spec["os"].is_null() => {
            errs.forbidden(&path, "may not be set for containers with empty `spec.os.name`");
        }
        Some("windows") => validate_optional_choice(signal, SIGNALS_WINDOWS, &path, errs),
        Some("linux") => {
            let all = signals_linux();
            let mut sorted: Vec<&str> = all.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            validate_optional_choice(signal, &sorted, &path, errs);
        }
        _ => {}
    }
}

/// The named signals and the real-time ones around them.
fn signals_linux() -> Vec<String> {
    let min = (1..=15).map(|n| format!("SIGRTMIN+{n}"));
    let max = (1..=14).map(|n| format!("SIGRTMAX-{n}"));
    SIGNALS_NAMED.iter().map(|s| (*s).to_string()).chain(min).chain(max).collect()
}
