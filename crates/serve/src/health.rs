//! `/healthz`, `/livez`, `/readyz` and their single checks, as upstream lists them (k8s.io/apiserver/pkg/server/healthz).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// Where a check is listed.
const HEALTHZ: u8 = 1;
const LIVEZ: u8 = 2;
const READYZ: u8 = 4;
const ALL: u8 = HEALTHZ | LIVEZ | READYZ;

/// What a check looks at.
#[derive(Clone, Copy, PartialEq)]
enum Probe {
    /// Passes as soon as the server answers at all. Upstream's background workers that kybern has no counterpart of
    /// are listed so, since clients and dashboards ask for them by name.
    Alive,
    Store,
    /// Passes once the objects that every cluster has are written.
    Booted,
    Shutdown,
}

/// The name of a check, where it is listed, what it looks at; in upstream's order.
const CHECKS: &[(&str, u8, Probe)] = &[
    ("ping", ALL, Probe::Alive),
    ("log", ALL, Probe::Alive),
    ("loopback-serving-certificate", HEALTHZ | LIVEZ, Probe::Alive),
    ("etcd", HEALTHZ | LIVEZ, Probe::Store),
    ("informer-sync", READYZ, Probe::Store),
    ("poststarthook/start-apiserver-admission-initializer", ALL, Probe::Alive),
    ("poststarthook/generic-apiserver-start-informers", ALL, Probe::Alive),
    ("poststarthook/priority-and-fairness-config-consumer", ALL, Probe::Alive),
    ("poststarthook/priority-and-fairness-filter", ALL, Probe::Alive),
    ("poststarthook/storage-object-count-tracker-hook", ALL, Probe::Alive),
    ("poststarthook/start-apiextensions-informers", ALL, Probe::Alive),
    ("poststarthook/start-apiextensions-controllers", ALL, Probe::Alive),
    ("poststarthook/crd-informer-synced", ALL, Probe::Alive),
    ("poststarthook/start-system-namespaces-controller", ALL, Probe::Booted),
    ("poststarthook/peer-endpoint-reconciler-controller", ALL, Probe::Alive),
    ("poststarthook/start-cluster-authentication-info-controller", ALL, Probe::Booted),
    ("poststarthook/start-kube-apiserver-identity-lease-controller", ALL, Probe::Alive),
    ("poststarthook/start-kube-apiserver-identity-lease-garbage-collector", ALL, Probe::Alive),
    ("poststarthook/storage-readiness", ALL, Probe::Store),
    ("poststarthook/start-legacy-token-tracking-controller", ALL, Probe::Booted),
    ("poststarthook/start-service-ip-repair-controllers", ALL, Probe::Alive),
    ("poststarthook/rbac/bootstrap-roles", ALL, Probe::Booted),
    ("poststarthook/scheduling/bootstrap-system-priority-classes", ALL, Probe::Booted),
    ("poststarthook/priority-and-fairness-config-producer", ALL, Probe::Booted),
    ("poststarthook/bootstrap-controller", ALL, Probe::Booted),
    ("poststarthook/start-kubernetes-service-cidr-controller", ALL, Probe::Booted),
    ("poststarthook/start-kube-aggregator-informers", ALL, Probe::Alive),
    ("poststarthook/apiservice-status-local-available-controller", ALL, Probe::Alive),
    ("poststarthook/apiservice-status-remote-available-controller", ALL, Probe::Alive),
    ("poststarthook/apiservice-registration-controller", ALL, Probe::Alive),
    ("poststarthook/apiservice-wait-for-first-sync", ALL, Probe::Booted),
    ("poststarthook/apiservice-discovery-controller", ALL, Probe::Alive),
    ("poststarthook/kube-apiserver-autoregistration", ALL, Probe::Booted),
    ("autoregister-completion", ALL, Probe::Booted),
    ("poststarthook/apiservice-openapi-controller", ALL, Probe::Alive),
    ("poststarthook/apiservice-openapiv3-controller", ALL, Probe::Alive),
    ("shutdown", READYZ, Probe::Shutdown),
];

/// The state that the checks look at. A fresh one is not yet ready.
#[derive(Default)]
pub struct Health {
    booted: AtomicBool,
    shutting_down: AtomicBool,
    /// Why nothing is acknowledged.
    store_failure: Mutex<Option<Arc<str>>>,
    /// Checks that depend on flags, listed everywhere.
    more: Mutex<Vec<(String, Check)>>,
}

/// The error is for the log.
pub type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

impl Health {
    /// The objects that every cluster has exist.
    pub fn mark_booted(&self) {
        self.booted.store(true, Ordering::Release);
    }

    /// No new work is wanted; `/readyz` fails from here on.
    pub fn mark_shutting_down(&self) {
        self.shutting_down.store(true, Ordering::Release);
    }

    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Acquire)
    }

    /// Why writes cannot be made durable; `None` while they can.
    pub fn set_store_failure(&self, why: Option<Arc<str>>) {
        *self.store_failure.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Adds a check to all three endpoints.
    pub fn add(&self, name: impl Into<String>, check: Check) {
        self.more.lock().unwrap_or_else(PoisonError::into_inner).push((name.into(), check));
    }

    /// Names and outcomes of the checks of an endpoint.
    fn checks(&self, listed: u8) -> Vec<(String, Result<(), String>)> {
        let own = CHECKS.iter().filter(|(_, place, _)| place & listed != 0);
        let own = own.map(|(name, _, probe)| ((*name).to_owned(), self.run(*probe)));
        let more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        own.chain(more.iter().map(|(name, check)| (name.clone(), check()))).collect()
    }

    /// The answer for a path, or `None` when it is no health path.
    pub fn respond(&self, path: &str, query: &str) -> Option<Response<Bytes>> {
        let (endpoint, check) = match path.strip_prefix('/')?.split_once('/') {
            Some((endpoint, check)) => (endpoint, Some(check)),
            None => (path.strip_prefix('/')?, None),
        };
        let listed = listed_in(endpoint)?;
        match check {
            None => Some(self.respond_all(endpoint, listed, query)),
            Some(name) => {
                let (_, outcome) = self.checks(listed).into_iter().find(|(check, _)| check == name)?;
                Some(match outcome {
                    Ok(()) => text(StatusCode::OK, "ok".into()),
                    Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("internal server error: {why}\n")),
                })
            }
        }
    }

    /// `/metrics/slis`: the state of every check in the text format of metrics.
    pub fn metrics(&self) -> String {
        let name = "kubernetes_healthcheck";
        let mut page = format!("# HELP {name} 1 for a check that passes, 0 for one that fails.\n# TYPE {name} gauge\n");
        for endpoint in ["healthz", "livez", "readyz"] {
            let listed = listed_in(endpoint).unwrap_or_default();
            for (check, outcome) in self.checks(listed) {
                let state = i32::from(outcome.is_ok());
                page += &format!("{name}{{name=\"{check}\",type=\"{endpoint}\"}} {state}\n");
            }
        }
        page
    }

    /// Every health path, for the list at `/`.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        ["healthz", "livez", "readyz"].into_iter().flat_map(|endpoint| {
            let checks = self.checks(listed_in(endpoint).unwrap_or_default()).into_iter();
            std::iter::once(format!("/{endpoint}")).chain(checks.map(move |(name, _)| format!("/{endpoint}/{name}")))
        })
    }

    fn run(&self, probe: Probe) -> Result<(), String> {
        let store_failure = || self.store_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match probe {
            Probe::Store => store_failure().map_or(Ok(()), |why| Err(format!("the store accepts no writes: {why}"))),
            Probe::Booted if !self.booted.load(Ordering::Acquire) => Err("not finished".into()),
            Probe::Shutdown if self.is_shutting_down() => Err("process is shutting down".into()),
            _ => Ok(()),
        }
    }

    fn respond_all(&self, endpoint: &str, listed: u8, query: &str) -> Response<Bytes> {
        let (verbose, excluded) = read_query(query);
        let mut unknown = excluded.clone();
        let mut lines = String::new();
        let mut failed = false;
        for (name, outcome) in self.checks(listed) {
            if excluded.contains(&name) {
                unknown.retain(|other| *other != name);
                lines += &format!("[+]{name} excluded: ok\n");
            } else if outcome.is_ok() {
                lines += &format!("[+]{name} ok\n");
            } else {
                failed = true;
                lines += &format!("[-]{name} failed: reason withheld\n");
            }
        }
        if !unknown.is_empty() {
            let names: Vec<String> = unknown.iter().map(|name| meta::field::quote(name)).collect();
            lines += &format!("warn: some health checks cannot be excluded: no matches for {}\n", names.join(","));
        }
        if failed {
            return text(StatusCode::INTERNAL_SERVER_ERROR, format!("{lines}{endpoint} check failed\n"));
        }
        text(StatusCode::OK, if verbose { format!("{lines}{endpoint} check passed\n") } else { "ok".into() })
    }
}

fn listed_in(endpoint: &str) -> Option<u8> {
    match endpoint {
        "healthz" => Some(HEALTHZ),
        "livez" => Some(LIVEZ),
        "readyz" => Some(READYZ),
        _ => None,
    }
}

/// Whether `verbose` is given, with or without a value, and the sorted values of `exclude`.
fn read_query(query: &str) -> (bool, Vec<String>) {
    let mut verbose = false;
    let mut excluded = vec![];
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "verbose" => verbose = true,
            "exclude" => excluded.push(value.into_owned()),
            _ => {}
        }
    }
    excluded.sort_unstable();
    excluded.dedup();
    (verbose, excluded)
}

fn text(code: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(health: &Health, path: &str, query: &str) -> (u16, String) {
        let response = health.respond(path, query).expect("a health path");
        (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
    }

    #[test]
    fn a_server_becomes_ready_and_stops() {
        let health = Health::default();
        assert_eq!(ask(&health, "/readyz", "").0, 500);
        assert_eq!(ask(&health, "/readyz/ping", ""), (200, "ok".into()));
        health.mark_booted();
        assert_eq!(ask(&health, "/readyz", ""), (200, "ok".into()));
        health.mark_shutting_down();
        let (code, body) = ask(&health, "/readyz", "");
        assert_eq!(code, 500);
        assert!(body.ends_with("[-]shutdown failed: reason withheld\nreadyz check failed\n"), "{body}");
        assert_eq!(ask(&health, "/livez", "").0, 200);
        assert_eq!(ask(&health, "/readyz", "exclude=shutdown").0, 200);
    }

    #[test]
    fn verbose_and_exclude() {
        let health = Health::default();
        health.mark_booted();
        let (_, body) = ask(&health, "/healthz", "verbose&exclude=ping&exclude=z&exclude=a");
        assert!(body.starts_with("[+]ping excluded: ok\n[+]log ok\n"), "{body}");
        assert!(body.ends_with(
            "warn: some health checks cannot be excluded: no matches for \"a\",\"z\"\nhealthz check passed\n"
        ));
        assert_eq!(ask(&health, "/livez", "verbose=").1.lines().count(), 36);
        health.set_store_failure(Some("the disk is full".into()));
        let said = "internal server error: the store accepts no writes: the disk is full\n";
        assert_eq!(ask(&health, "/healthz/etcd", ""), (500, said.into()));
        assert_eq!(ask(&health, "/readyz", "").0, 500);
        health.set_store_failure(None);
        assert_eq!(ask(&health, "/readyz", "").0, 200);
    }

    #[test]
    fn paths_that_are_none() {
        let health = Health::default();
        for path in ["/healthz/nope", "/healthz/", "/health", "healthz", "/livez/shutdown", "/readyz/etcd"] {
            assert!(health.respond(path, "").is_none(), "{path}");
        }
    }
}
